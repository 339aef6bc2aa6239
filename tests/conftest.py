"""Starts Postgres and Redis for the session, then Django: all of it before any test module is imported."""

import os

import django

from tests import services

services.start()
os.environ["DJANGO_SETTINGS_MODULE"] = "jarvis.settings"
django.setup()
