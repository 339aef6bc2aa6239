"""How the row takes an outcome: once, and only from the attempt that holds it."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inference.log.events import Begin, Choices, End, Problem, Text, Usage
from inference.models import Generation
from inference.queue.outcome import Outcome, events_of_row, generations_ended, store_outcomes, strip_nul

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(alice):
    return running(alice)


@pytest.fixture
def ended():
    """The outcomes of which receivers were told, in order."""
    heard: list[Outcome] = []

    def hear(outcomes, **_):
        heard.extend(outcomes)

    generations_ended.connect(hear)
    yield heard
    generations_ended.disconnect(hear)


def running(owner, attempt=1):
    fields = {"model": "fake", "door": "v1", "request_id": "r", "status": "running", "attempt": attempt}
    return Generation.objects.create(owner=owner, **fields)


def done(row, attempt=1, **fields):
    given: dict[str, Any] = {"text": "t0 t1 ", "finish_reason": "stop", "usage": Usage(3, 2, 1, 1)}
    return Outcome(row.id, attempt, "done", **given | fields)


def test_an_outcome_fills_the_row(row):
    at = timezone.now()
    assert store_outcomes([done(row, first_token_at=at, finished_at=at)]) == {(row.id, 1)}
    row.refresh_from_db()
    assert (row.status, row.text, row.choices, row.finish_reason) == ("done", "t0 t1 ", None, "stop")
    assert (row.prompt_tokens, row.completion_tokens, row.cached_tokens, row.reasoning_tokens) == (3, 2, 1, 1)
    assert (row.first_token_at, row.finished_at, row.lease_until) == (at, at, None)


def test_an_outcome_is_stored_once(row, ended):
    assert store_outcomes([done(row)]) == {(row.id, 1)}
    assert store_outcomes([done(row, text="again")]) == set()
    row.refresh_from_db()
    assert row.text == "t0 t1 "
    assert len(ended) == 1


@pytest.mark.parametrize("attempt", [1, 3])
def test_an_attempt_that_does_not_hold_the_row_cannot_store(alice, ended, attempt):
    row = running(alice, attempt=2)
    assert store_outcomes([done(row, attempt)]) == set()
    row.refresh_from_db()
    assert (row.status, row.text) == ("running", "")
    assert ended == []


def test_only_what_was_stored_is_told_to_receivers(alice, ended):
    mine, lost = running(alice), running(alice, attempt=2)
    assert store_outcomes([done(mine), done(lost)]) == {(mine.id, 1)}
    assert [outcome.id for outcome in ended] == [mine.id]


def test_what_a_receiver_cannot_take_is_not_stored(row):
    def refuse(**_):
        raise ValueError("no")

    generations_ended.connect(refuse)
    try:
        with pytest.raises(ValueError, match="no"):
            store_outcomes([done(row)])
    finally:
        generations_ended.disconnect(refuse)
    row.refresh_from_db()
    assert row.status == "running"


def test_of_two_attempts_that_store_at_once_only_one_is_stored_and_told(alice, ended):
    row = running(alice, attempt=2)
    assert store_outcomes([done(row, 1, text="old"), done(row, 2, text="new")]) == {(row.id, 2)}
    assert [outcome.attempt for outcome in ended] == [2]


@pytest.mark.parametrize("count", [1, 20])
def test_many_outcomes_cost_as_much_as_one(alice, count):
    rows = [running(alice) for _ in range(count)]
    with CaptureQueriesContext(connection) as queries:
        store_outcomes([done(row) for row in rows])
    assert len([query for query in queries if query["sql"].startswith("UPDATE inference_generation")]) == 1
    assert len(queries) <= 4  # with begin, commit, and one look for messages


def test_nul_characters_become_something_that_postgres_can_keep(row):
    choice = {"index": 0, "message": {"content": "a\x00b"}, "finish_reason": "stop"}
    assert store_outcomes([done(row, text="a\x00b", choices=[choice])]) == {(row.id, 1)}
    row.refresh_from_db()
    assert row.text == "a\ufffdb"
    assert row.choices[0]["message"]["content"] == "a\ufffdb"


def test_a_backslash_before_u0000_stays_what_it_was(row):
    choice = {"index": 0, "message": {"content": "write \\u0000 in C"}, "finish_reason": "stop"}
    assert store_outcomes([done(row, choices=[choice])]) == {(row.id, 1)}
    row.refresh_from_db()
    assert row.choices[0]["message"]["content"] == "write \\u0000 in C"


def test_clean_leaves_other_text_alone():
    assert strip_nul("año 🙂 \u2028") == "año 🙂 \u2028"


def test_a_row_tells_what_its_log_told(alice):
    row = running(alice)
    store_outcomes([done(row)])
    row.refresh_from_db()
    end = End("done", "stop", Usage(3, 2, 1, 1))
    assert events_of_row(row) == [Begin(clear=True), Text("t0 t1 ", 2), end]


@pytest.mark.parametrize("param", [None, "messages", "x" * 300])
def test_a_failed_row_tells_its_problem(alice, param):
    row = running(alice)
    problem = Problem("invalid_request_error", "It is wrong.", param)
    store_outcomes([Outcome(row.id, 1, "failed", finish_reason="error", problem=problem)])
    row.refresh_from_db()
    problem.param = param and param[:200]
    assert events_of_row(row) == [Begin(clear=True), End("failed", "error", problem=problem)]


def test_a_row_with_choices_tells_them_as_deltas(alice):
    row = running(alice)
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "logprobs": None, "finish_reason": "stop"}
    store_outcomes([done(row, choices=[choice])])
    row.refresh_from_db()
    delta = {"index": 0, "delta": choice["message"], "logprobs": None, "finish_reason": "stop"}
    assert events_of_row(row)[1] == Choices([delta])
