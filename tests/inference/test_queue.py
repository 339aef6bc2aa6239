"""Places in the queue and the expected wait."""

import uuid
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from inference.models import Generation
from inference.queue import Place, expected_wait, places
from inference.states import EngineState, WorkerState

pytestmark = pytest.mark.django_db


def row(owner, status="queued", seconds_ago=0.0, model="fake", **fields):
    created = timezone.now() - timedelta(seconds=seconds_ago)
    made = {"model": model, "door": "v1", "request_id": "r", "status": status, "created_at": created} | fields
    return Generation.objects.create(owner=owner, **made)


def running(owner, **fields):
    return row(owner, "running", lease_until=timezone.now() + timedelta(seconds=60), **fields)


def answered(owner, seconds, minutes_ago=0, status="done", **fields):
    ended = timezone.now() - timedelta(minutes=minutes_ago)
    return row(owner, status, started_at=ended - timedelta(seconds=seconds), finished_at=ended, **fields)


def worker(slots=2, phase="ready", model="fake", **fields):
    return WorkerState("w", "host", 1, 0.0, EngineState(phase, model=model), slots=slots, **fields)


@pytest.mark.parametrize(
    ("position", "slots", "busy", "seconds", "wait"),
    [
        (1, 2, 2, 10.0, 5.0),
        (4, 2, 2, 10.0, 20.0),
        (1, 4, 2, 10.0, 0.0),
        (3, 4, 2, 10.0, 2.5),
        (1, 0, 0, 10.0, None),
        (1, 2, 2, None, None),
        (1, 2, 5, 10.0, 5.0),
    ],
)
def test_with_all_slots_busy_one_is_free_each_average_time_over_slots(position, slots, busy, seconds, wait):
    assert expected_wait(position, slots, busy, seconds) == wait


def test_places_are_in_the_order_in_which_the_worker_will_claim(alice, bob):
    running(alice)
    rows = [row(alice, seconds_ago=9), row(alice, seconds_ago=8), row(bob, seconds_ago=7), row(bob, seconds_ago=6)]
    lost = row(alice, "running", lease_until=timezone.now() - timedelta(seconds=1), seconds_ago=5)
    found = places([one.id for one in [*rows, lost]], [worker()])
    for limit in range(1, 6):
        with transaction.atomic():
            taken = Generation.objects.claim("w", ["fake"], limit, timedelta(seconds=60))
            transaction.set_rollback(True)
        assert sorted(found[one.id].position for one in taken) == list(range(1, limit + 1))
    assert found[lost.id].position == 1
    assert found[rows[2].id].position == 2  # bob has nothing running


def test_the_wait_is_reckoned_from_the_latest_answers_of_the_same_model_in_one_query(
    alice, bob, django_assert_num_queries
):
    for _ in range(50):
        answered(alice, 8)
    answered(alice, 10_000, minutes_ago=5)  # long ago
    answered(alice, 10_000, status="failed")
    answered(alice, 10_000, model="other")
    running(bob), running(bob)
    first, second = row(alice, seconds_ago=2), row(alice, seconds_ago=1)
    elsewhere = row(alice, model="other")
    with django_assert_num_queries(1):
        found = places([first.id, second.id, elsewhere.id], [worker(slots=1), worker(slots=1)])
    assert found[first.id] == Place(1, 4.0)
    assert found[second.id] == Place(2, 8.0)
    assert found[elsewhere.id] == Place(1, None)  # no worker has that model


@pytest.mark.parametrize("state", [worker(phase="loading"), worker(draining=True)])
def test_without_a_worker_that_takes_any_the_wait_is_not_known(alice, state):
    answered(alice, 8)
    waiting = row(alice)
    assert places([waiting.id], [state]) == {waiting.id: Place(1, None)}
    assert places([waiting.id], []) == {waiting.id: Place(1, None)}


def test_what_does_not_wait_has_no_place(alice, django_assert_num_queries):
    done = answered(alice, 8)
    busy = running(alice)
    assert places([done.id, busy.id, uuid.uuid4()], [worker()]) == {}
    with django_assert_num_queries(0):
        assert places([], [worker()]) == {}
