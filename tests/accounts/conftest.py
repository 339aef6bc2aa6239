"""People, and a clean count of attempts for each test."""

import time

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.contrib.auth.models import User
from django.core.cache import cache

from tests.live import static_files

PASSWORD = "a long enough word"


@pytest.fixture(autouse=True)
def files():
    static_files()


class QuickArgon2(Argon2PasswordHasher):
    """Argon2 that takes no time, for what is not about the hash itself."""

    time_cost, memory_cost, parallelism = 1, 8, 1


@pytest.fixture(autouse=True)
def quick(settings):
    settings.PASSWORD_HASHERS = ["tests.accounts.conftest.QuickArgon2"]


def forget_counts():
    """Of attempts, searches and files, in Redis."""
    redis = cache._cache.get_client()
    if keys := list(redis.scan_iter("jarvis-cache:*")):
        redis.delete(*keys)


@pytest.fixture(autouse=True)
def nothing_counted():
    yield
    forget_counts()


@pytest.fixture
def alice(db):
    return User.objects.create_user("alice", "alice@example.com", PASSWORD)


@pytest.fixture
def bob(db):
    return User.objects.create_user("bob", password=PASSWORD)


@pytest.fixture
def carol(db):
    return User.objects.create_superuser("carol", password=PASSWORD)


def sign_in(client, name, password=PASSWORD, **fields):
    return client.post("/sign-in/", {"login": name, "password": password} | fields)


def code_of(secret, ago=0):
    """What an authenticator app shows, now or some steps of 30 seconds ago."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 - ago))
