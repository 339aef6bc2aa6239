"""A password, a quick hash of it, and the way in."""

import time

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.cache import cache

PASSWORD = "a long enough word"


def forget_counts():
    """Of attempts, searches and files, in Redis."""
    redis = cache._cache.get_client()
    if keys := list(redis.scan_iter("jarvis-cache:*")):
        redis.delete(*keys)


def sign_in(client, name, password=PASSWORD, **fields):
    return client.post("/sign-in/", {"login": name, "password": password} | fields)


def code_of(secret, ago=0):
    """What an authenticator app shows, now or some steps of 30 seconds ago."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 - ago))


@pytest.fixture
def mail(configure, settings):
    configure(email_url="smtp://mail.example")
    settings.ACCOUNT_EMAIL_VERIFICATION = "optional"
    settings.ACCOUNT_EMAIL_NOTIFICATIONS = True
