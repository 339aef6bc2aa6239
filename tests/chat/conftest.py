"""Sockets of a few people, before the application itself or a live server."""

import pytest
from django.contrib.auth.models import User

from tests.support.sockets import model, open_as, worker
from tests.support.workers import alice, bob, clean_redis, fake, held

__all__ = ["alice", "bob", "clean_redis", "fake", "held", "model", "open_as", "worker"]


@pytest.fixture(autouse=True)
def short_answers(fake):
    """A question on the page names no limit, so the fake engine would talk up to the site's."""
    fake.settings.answer_tokens = 16


@pytest.fixture
def carol(db):
    return User.objects.create_superuser("carol")
