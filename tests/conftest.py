"""Starts Postgres and Redis for the session, then Django: all of it before any test module is imported."""

import os

from tests import services

services.start()  # its addresses must be in the environment before anything imports `jarvis.config`
os.environ["DJANGO_SETTINGS_MODULE"] = "jarvis.settings"

import django  # noqa: E402

django.setup()

from django.conf import settings  # noqa: E402

settings.WHITENOISE_AUTOREFRESH = True  # static files are collected by the first test that needs them
