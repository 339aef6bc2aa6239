"""Places in the queue and the expected wait."""

import uuid
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from inference.models import Generation
from inference.queue import position as queue
from inference.queue import submit
from inference.queue.position import QueuePosition, estimate_wait, find_positions, seconds_until_free
from inference.worker_state import EngineState, WorkerState

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def forget_waits():
    queue._free.clear()


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
    assert estimate_wait(position, slots, busy, seconds) == wait


def test_places_are_in_the_order_in_which_the_worker_will_claim(alice, bob):
    running(alice)
    rows = [row(alice, seconds_ago=9), row(alice, seconds_ago=8), row(bob, seconds_ago=7), row(bob, seconds_ago=6)]
    lost = row(alice, "running", lease_until=timezone.now() - timedelta(seconds=1), seconds_ago=5)
    found = find_positions([one.id for one in [*rows, lost]], [worker()])
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
        found = find_positions([first.id, second.id, elsewhere.id], [worker(slots=1), worker(slots=1)])
    assert found[first.id] == QueuePosition(1, 4.0)
    assert found[second.id] == QueuePosition(2, 8.0)
    assert found[elsewhere.id] == QueuePosition(1, None)  # no worker has that model


@pytest.mark.parametrize("state", [worker(phase="loading"), worker(draining=True)])
def test_without_a_worker_that_takes_any_the_wait_is_not_known(alice, state):
    answered(alice, 8)
    waiting = row(alice)
    assert find_positions([waiting.id], [state]) == {waiting.id: QueuePosition(1, None)}
    assert find_positions([waiting.id], []) == {waiting.id: QueuePosition(1, None)}


def test_what_does_not_wait_has_no_place(alice, django_assert_num_queries):
    done = answered(alice, 8)
    busy = running(alice)
    assert find_positions([done.id, busy.id, uuid.uuid4()], [worker()]) == {}
    with django_assert_num_queries(0):
        assert find_positions([], [worker()]) == {}


def test_a_place_in_a_full_queue_is_free_when_the_next_slot_is(alice, bob):
    answered(alice, 8)
    running(alice), running(alice)
    row(alice), row(alice)
    assert seconds_until_free() == 4.0
    assert seconds_until_free(alice.id) == 4.0


def test_ones_own_place_is_free_when_ones_own_turn_has_come(alice, bob):
    answered(alice, 8)
    running(alice), running(alice)
    row(bob, seconds_ago=2), row(bob, seconds_ago=1), row(alice)
    assert seconds_until_free() == 4.0
    assert seconds_until_free(alice.id) == 12.0  # bob has less running


def test_the_model_whose_calls_leave_first_decides(alice):
    for model, seconds in (("slow", 100), ("fast", 6)):
        answered(alice, seconds, model=model)
        running(alice, model=model)
        row(alice, model=model)
    assert seconds_until_free() == 6.0


@pytest.mark.parametrize(("seconds", "wait"), [(0.01, 1.0), (10_000, 120.0)])
def test_nobody_is_sent_away_for_less_than_a_second_or_more_than_two_minutes(alice, seconds, wait):
    answered(alice, seconds)
    running(alice)
    row(alice)
    assert seconds_until_free() == wait


def test_where_nothing_runs_or_was_measured_the_wait_is_two_seconds(alice):
    row(alice)
    running(alice)
    assert seconds_until_free() == 2.0
    answered(alice, 8, model="other")
    row(alice, model="other")
    queue._free.clear()
    assert seconds_until_free() == 2.0


def test_refusals_that_come_together_are_reckoned_once(alice, django_assert_num_queries):
    with django_assert_num_queries(2):
        for _ in range(50):
            seconds_until_free()
            seconds_until_free(alice.id)


def test_what_is_refused_says_when_to_ask_again(alice, bob, configure):
    configure(queue_limit=3, queue_limit_per_user=2)
    answered(alice, 30)
    running(alice), running(alice)
    row(alice), row(alice)
    with pytest.raises(submit.QueueFull) as own:
        submit.check_queue(alice.id)
    assert own.value.error.status == 429
    assert (own.value.error.headers["retry-after"], own.value.error.fields.retry_after) == ("15", 15.0)
    row(bob)
    [full] = submit.insert_generations([Generation(owner=bob, model="fake", door="v1", request_id="r")])
    assert (full.error.status, full.error.code, full.error.headers["retry-after"]) == (503, "overloaded", "15")
