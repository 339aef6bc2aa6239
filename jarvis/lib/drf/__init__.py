"""The REST resources under /api/v1/ (Django REST framework): what all of them share."""
