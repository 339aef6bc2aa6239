"""The queue: who is served next, who holds what, and what a worker may still do with it."""

import threading
from datetime import timedelta
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inference.models import MAX_ATTEMPTS, LanguageModel
from tests.support.queue import LEASE, claim, expired, queue, queued, running

pytestmark = pytest.mark.django_db


def test_a_claim_is_a_new_attempt_of_its_worker_with_a_lease(alice):
    row = queued(alice)
    [claimed] = queue.claim("w", ["fake"], 5, LEASE)
    assert (claimed.id, claimed.status, claimed.attempt, claimed.worker) == (row.id, "running", 1, "w")
    assert claimed.lease_until is not None
    assert timezone.now() < claimed.lease_until <= timezone.now() + LEASE
    assert claimed.started_at is not None
    assert claim(5) == set()


def test_who_waits_longest_comes_first(alice):
    rows = [queued(alice) for _ in range(4)]
    assert claim(2) == {rows[0].id, rows[1].id}
    assert claim(2) == {rows[2].id, rows[3].id}


def test_one_who_asks_much_does_not_keep_others_waiting(alice, bob):
    many = [queued(alice) for _ in range(10)]
    late = queued(bob)
    assert claim(2) == {many[0].id, late.id}


def test_who_has_least_running_comes_first(alice, bob):
    running(alice)
    early, late = queued(alice), queued(bob)
    assert claim(1) == {late.id}
    assert claim(1) == {early.id}


def test_slots_are_shared_in_turns(alice, bob):
    carol = User.objects.create_user("carol")
    first = [queued(alice) for _ in range(5)]
    second = [queued(bob) for _ in range(5)]
    third = queued(carol)
    assert claim(5) == {first[0].id, second[0].id, third.id, first[1].id, second[1].id}


def test_what_lost_its_worker_comes_before_all_else(alice, bob):
    running(alice)
    lost = expired(alice)
    queued(bob)
    assert claim(1) == {lost.id}


def test_what_another_worker_holds_is_left_alone(alice):
    running(alice, worker="other")
    assert claim(5) == set()


def test_a_lost_row_keeps_the_time_it_was_first_started_at(alice):
    began = timezone.now() - timedelta(minutes=1)
    row = expired(alice, started_at=began)
    [claimed] = queue.claim("w", ["fake"], 1, LEASE)
    assert (claimed.id, claimed.attempt, claimed.started_at) == (row.id, 2, began)


def test_a_worker_takes_only_models_that_it_serves(alice):
    queued(alice, model="other")
    mine = queued(alice)
    assert claim(5) == {mine.id}


def test_a_row_that_was_tried_too_often_is_not_tried_again(alice):
    expired(alice, attempt=MAX_ATTEMPTS)
    last = expired(alice, attempt=MAX_ATTEMPTS - 1)
    assert claim(5) == {last.id}


def test_an_ended_row_is_never_claimed(alice):
    for status in ("done", "stopped", "failed"):
        queued(alice, status=status, lease_until=timezone.now() - LEASE)
    assert claim(5) == set()


@pytest.mark.django_db(transaction=True)
def test_a_claimer_passes_over_what_another_is_just_claiming(alice):
    rows = [queued(alice) for _ in range(4)]
    taken, go = threading.Event(), threading.Event()
    first: set[UUID] = set()

    def other():
        try:
            with transaction.atomic():
                first.update(claim(2, "other"))
                taken.set()
                go.wait(10)
        finally:
            connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    assert taken.wait(10)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '3s'")  # it would wait for the other's lock
        second = claim(4)
    finally:
        go.set()
        thread.join()
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")
    assert first == {rows[0].id, rows[1].id}
    assert second == {rows[2].id, rows[3].id}


@pytest.mark.django_db(transaction=True)
def test_many_claimers_at_once_take_each_row_once(alice, bob):
    rows = {queued(owner).id for owner in (alice, bob) * 20}
    claimed: list[UUID] = []
    start = threading.Barrier(4)

    def claimer(name):
        try:
            start.wait(10)
            while got := claim(3, name):
                claimed.extend(got)
        finally:
            connection.close()

    threads = [threading.Thread(target=claimer, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while got := claim(3):  # a claimer that met only locked rows has gone home early
        claimed.extend(got)
    assert len(claimed) == 40
    assert set(claimed) == rows
    assert set(queue.values_list("attempt", flat=True)) == {1}


def test_a_lease_is_renewed_only_for_who_holds_it(alice):
    mine, lost, ended = running(alice), running(alice, worker="other"), running(alice, status="done")
    before = timezone.now() + LEASE
    renewed = queue.renew("w", [mine.id, lost.id, ended.id], timedelta(seconds=60))
    assert renewed == {mine.id: False}
    leases = dict(queue.values_list("id", "lease_until"))
    assert (leases[mine.id] or before) > before + timedelta(seconds=30)
    assert leases[lost.id] == lost.lease_until


def test_a_renewal_tells_of_what_was_asked_to_stop(alice):
    stopping, going = running(alice, stop_asked_at=timezone.now()), running(alice)
    assert queue.renew("w", [stopping.id, going.id], LEASE) == {stopping.id: True, going.id: False}


def test_an_expired_lease_can_be_renewed_while_nobody_has_taken_it(alice):
    row = expired(alice)
    assert queue.renew("w", [row.id], LEASE) == {row.id: False}
    assert claim(5, "other") == set()


@pytest.mark.django_db(transaction=True)
def test_rows_given_back_are_claimed_at_once(alice):
    row = running(alice)
    others = running(alice, worker="other")
    assert queue.release("w") == 1
    assert claim(5, "next") == {row.id}
    assert queue.get(id=others.id).worker == "other"


@pytest.mark.django_db(transaction=True)
def test_rows_of_workers_that_died_in_a_place_are_freed_by_the_next_one_there(alice):
    dead = running(alice, worker="host:/run/10-a")
    elsewhere = running(alice, worker="host:/run2/10-a")
    own = running(alice, worker="host:/run/11-b")
    assert queue.release_slot("host:/run", "host:/run/11-b") == 1
    assert claim(5, "x") == {dead.id}
    assert {elsewhere.id, own.id} == set(queue.filter(attempt=1).values_list("id", flat=True))


def test_a_place_is_taken_literally(alice):
    running(alice, worker="hostX/10-a")
    assert queue.release_slot("host_", "host_/1") == 0


def test_a_queued_row_stops_at_once(alice):
    row = queued(alice)
    assert queue.request_stop(row.id)
    row.refresh_from_db()
    assert (row.status, row.finish_reason, row.completion_tokens) == ("stopped", "stop", 0)
    assert row.finished_at is not None
    assert claim(5) == set()


def test_a_running_row_is_asked_to_stop(alice):
    row = running(alice)
    assert not queue.request_stop(row.id)
    row.refresh_from_db()
    assert row.status == "running"
    assert row.stop_asked_at is not None


def test_an_ended_row_cannot_be_stopped(alice):
    row = queued(alice, status="done", text="whole")
    assert not queue.request_stop(row.id)
    row.refresh_from_db()
    assert (row.status, row.stop_asked_at) == ("done", None)


@pytest.mark.parametrize("rows", [1, 30])
def test_claiming_and_renewing_cost_the_same_for_few_and_many(alice, rows):
    ids = [queued(alice).id for _ in range(rows)]
    with CaptureQueriesContext(connection) as claiming:
        assert claim(rows) == set(ids)
    with CaptureQueriesContext(connection) as renewing:
        assert len(queue.renew("w", ids, LEASE)) == rows
    assert (len(claiming), len(renewing)) == (1, 2)


def test_the_queue_counts_open_and_ended_rows(alice):
    queued(alice), running(alice), queued(alice, status="done", finished_at=Now())
    assert (queue.queued().count(), queue.open().count(), queue.ended().count()) == (1, 2, 1)


def test_the_first_model_that_is_served_is_the_default():
    LanguageModel.objects.register_served("guide", 2048)
    LanguageModel.objects.register_served("other", 4096, alive={"guide"})
    assert [(m.name, m.default) for m in LanguageModel.objects.offered()] == [("guide", True), ("other", False)]


def test_a_model_that_no_worker_serves_any_more_is_not_offered():
    LanguageModel.objects.register_served("guide", 2048)
    LanguageModel.objects.register_served("other", 4096)
    assert [(m.name, m.default) for m in LanguageModel.objects.offered()] == [("other", True)]
    LanguageModel.objects.register_served("guide", 2048, alive={"other"})
    assert {m.name for m in LanguageModel.objects.offered()} == {"guide", "other"}


def test_arguments_that_the_engine_may_not_have_are_refused_where_they_are_written(db):
    model = LanguageModel(name="mine", source="/models/mine", engine_args="--max-num-seqs 8")
    model.full_clean()
    model.engine_args = "--port 80"
    with pytest.raises(ValidationError, match="may not hold --port"):
        model.full_clean()
