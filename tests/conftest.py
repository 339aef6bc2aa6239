"""Starts Postgres and Redis for the session, then Django: all of it before any test module is imported."""

import os

from tests import services

services.start()  # its addresses must be in the environment before anything imports `jarvis.config`
os.environ["DJANGO_SETTINGS_MODULE"] = "jarvis.settings"

import django

django.setup()
