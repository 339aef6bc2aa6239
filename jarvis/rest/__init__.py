"""The REST resources under /api/v1/ (Django REST framework): who calls, how errors look, which addresses there are."""
