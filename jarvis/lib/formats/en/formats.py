"""In English. Whoever looks for a call or an event in the admin needs its second."""

DATETIME_FORMAT = "j M Y, H:i:s"
