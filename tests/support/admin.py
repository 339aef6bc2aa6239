"""Carol, the administrator, signed in, and people whom she looks after; for tests of pages."""

import pytest
from django.contrib.auth.models import Permission, User

from tests.support.live import static_files


@pytest.fixture(autouse=True)
def files():
    static_files()


@pytest.fixture
def carol(client, db):
    carol = User.objects.create_superuser("carol")
    client.force_login(carol)
    return carol


@pytest.fixture
def alice(db):
    return User.objects.create_user("alice")


@pytest.fixture
def bob(client, db):
    """Staff, signed in with the rights that he is given."""
    bob = User.objects.create_user("bob", is_staff=True)

    def may(*names):
        bob.user_permissions.set(Permission.objects.filter(codename__in=names))
        client.force_login(User.objects.get(pk=bob.pk))

    may()
    return may
