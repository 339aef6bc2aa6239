"""People, and a clean count of attempts for each test."""

import pytest
from django.contrib.auth.models import User

from tests.support.accounts import PASSWORD, forget_counts
from tests.support.live import static_files


@pytest.fixture(autouse=True)
def files():
    static_files()


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
