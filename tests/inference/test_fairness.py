"""Who is served next: fairly between owners, sooner with priority, and nobody never.

Time passes in these tests by moving all that has happened into the past.
"""

import itertools
from collections import Counter
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.models import Generation
from inference.models.claim import MAX_TURN_SECONDS
from tests.support.queue import LEASE, claim, expired, queued, running

pytestmark = pytest.mark.django_db

queue = Generation.objects
STEP = 5  # seconds


def pass_time(seconds):
    gap = timedelta(seconds=seconds)
    queue.update(created_at=F("created_at") - gap, started_at=F("started_at") - gap)


def finish(ids):
    queue.filter(id__in=ids).update(status="done", lease_until=None, finished_at=timezone.now())


@pytest.mark.django_db(transaction=True)  # what `now()` is moves on
def test_of_two_who_have_nothing_running_the_one_served_longest_ago_comes_first(alice, bob):
    """With one slot: a backlog does not keep out who comes later, though its rows are all older."""
    backlog = [queued(alice) for _ in range(5)]
    pass_time(1)
    late = [queued(bob) for _ in range(2)]
    served = []
    for _ in range(5):
        [id] = claim(1)
        served.append(id)
        pass_time(1)
        finish([id])
    assert served == [backlog[0].id, late[0].id, backlog[1].id, late[1].id, backlog[2].id]


def test_a_step_of_priority_is_served_twice_as_often(alice, bob):
    for _ in range(60):
        queued(alice, priority=1)
        queued(bob)
    claim(30)
    assert queue.filter(status="running", owner=alice).count() == 20
    assert queue.filter(status="running", owner=bob).count() == 10


def test_priority_does_not_come_before_what_lost_its_worker(alice, bob):
    queued(alice, priority=3)
    lost = expired(bob, priority=-3)
    assert claim(1) == {lost.id}


def test_who_has_waited_for_long_comes_before_others_with_priority(alice, bob):
    waiting = queued(bob)
    pass_time(MAX_TURN_SECONDS - 2)
    first = queued(alice, priority=3)
    assert claim(1) == {first.id}
    pass_time(3)
    queued(alice, priority=3)
    assert claim(1) == {waiting.id}


def test_with_a_higher_priority_one_is_overdue_sooner(alice, bob):
    queued(bob)
    queued(alice, priority=1)
    pass_time(MAX_TURN_SECONDS + 1)
    [id] = claim(1)
    assert queue.get(id=id).owner == alice


def test_a_backlog_alone_makes_nobody_overdue(alice, bob):
    """Alice is being served all the time; that her rows wait for long gives her no right over who comes fresh."""
    running(alice, started_at=timezone.now())
    for _ in range(5):
        queued(alice)
    pass_time(10 * MAX_TURN_SECONDS)
    fresh = queued(bob)
    assert claim(1) == {fresh.id}


@pytest.mark.django_db(transaction=True)
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 3), st.lists(st.integers(-3, 3), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_nobody_who_has_nothing_running_waits_for_ever(slots, priorities, chance):
    """Everybody always has more waiting than can be served. Whoever has nothing running gets a slot within a time that
    follows from the priorities: its own patience, and the turns that others have meanwhile."""
    queue.all().delete()
    User.objects.all().delete()
    owners = User.objects.bulk_create(User(username=f"u{n}") for n in range(len(priorities)))
    priority = dict(zip([owner.pk for owner in owners], priorities, strict=True))
    bound = {
        mine: MAX_TURN_SECONDS / 2**own + STEP * sum(1 + 2 ** max(0, other - own) for other in priorities)
        for mine, own in priority.items()
    }
    starved = dict.fromkeys(priority, 0)
    for _ in range(40):
        waiting = Counter(queue.queued().values_list("owner_id", flat=True))
        queue.bulk_create(
            Generation(owner_id=id, priority=priority[id], model="fake", door="v1", request_id="r", request={})
            for id in priority
            for _ in range(3 - waiting[id])
        )
        claim(slots - queue.filter(status="running").count())
        served = dict(queue.filter(status="running").values_list("id", "owner_id"))
        for id in priority:
            starved[id] = 0 if id in served.values() else starved[id] + STEP
            assert starved[id] <= bound[id], (priority, slots)
        pass_time(STEP)
        finish([id for id in served if chance.random() < 0.8] or served)


def test_the_claim_is_one_statement_that_stays_quick_with_a_long_queue(alice, bob):
    rows = [
        Generation(owner=owner, model="fake", door="v1", request_id="r", request={})
        for owner, _ in itertools.product((alice, bob), range(500))
    ]
    queue.bulk_create(rows)
    began = timezone.now()
    for _ in range(5):
        queue.claim("w", ["fake"], 4, LEASE)
    assert timezone.now() - began < timedelta(seconds=1)
