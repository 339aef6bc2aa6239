"""Nobody waits for what nobody will answer."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from inference.models import MAX_ATTEMPTS, Generation, LanguageModel
from inference.tasks import give_up

pytestmark = pytest.mark.django_db


@pytest.fixture
def make(db):
    LanguageModel.objects.register_served("fake")
    alice = User.objects.create_user("alice")

    def make(**fields):
        return Generation.objects.create(owner=alice, door="v1", request_id="x", **{"model": "fake", **fields})

    return make


def ended(row):
    row.refresh_from_db()
    return row.status, row.error_code


def test_what_every_worker_has_lost_is_failed(make):
    past, attempts = timezone.now() - timedelta(seconds=1), MAX_ATTEMPTS
    lost = make(status="running", attempt=attempts, lease_until=past)
    others = [
        make(status="running", attempt=attempts - 1, lease_until=past),
        make(status="running", attempt=attempts, lease_until=timezone.now() + timedelta(minutes=1)),
        make(),
    ]
    assert give_up() == 1
    assert ended(lost) == ("failed", "engine_error")
    assert {ended(row) for row in others} == {("running", ""), ("queued", "")}


def test_what_waits_for_a_model_that_is_gone_is_failed(make):
    gone, waiting = make(model="old"), make()
    assert give_up() == 1
    assert ended(gone) == ("failed", "model_not_found")
    assert ended(waiting) == ("queued", "")
    assert give_up() == 0
