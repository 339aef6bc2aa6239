"""In Spanish."""

DATETIME_FORMAT = "j M Y, H:i:s"
