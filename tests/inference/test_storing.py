"""What cannot be stored fails alone; what only has to wait for Postgres waits."""

import asyncio
from contextlib import asynccontextmanager
from uuid import uuid4

import psycopg
import pytest
from django.db import DataError, InterfaceError, OperationalError

from inference.log.events import Usage
from inference.models import Generation
from inference.queue.outcome import Outcome, generations_ended
from inference.worker.result_writer import ResultWriter
from jarvis.lib.database import in_database, is_outage
from tests.support.workers import stored

pytestmark = pytest.mark.django_db(transaction=True)


@asynccontextmanager
async def keeping():
    ledger = ResultWriter()
    task = asyncio.create_task(ledger.run())
    try:
        yield ledger
        assert not task.done()
    finally:
        task.cancel()


async def running_row(alice):
    row = Generation(owner=alice, model="fake", door="v1", request={}, status="running", attempt=1)
    await in_database(row.save)
    return row


def outcome_of(row, **fields):
    return Outcome(row.id, row.attempt, "done", **({"text": "fine", "finish_reason": "stop"} | fields))


ODD = [
    {"usage": Usage(-1, 2)},
    {"usage": Usage(2**31, 2)},
    {"usage": Usage(2**80, 2)},
    {"finish_reason": "x" * 500},
    {"text": "\ud800"},
    {"choices": [{"index": 0, "text": "\ud800"}]},
    {"choices": [object()]},
    {"first_token_at": "never"},
    {"text": None},
]


@pytest.mark.parametrize("odd", ODD)
async def test_an_answer_that_cannot_be_stored_fails_alone(alice, odd):
    rows = [await running_row(alice) for _ in range(3)]
    outcomes = [outcome_of(row) for row in rows]
    outcomes[1] = outcome_of(rows[1], **odd)
    async with keeping() as ledger, asyncio.timeout(10):
        assert await asyncio.gather(*map(ledger.store_outcome, outcomes)) == [True, True, True]
        later = await running_row(alice)
        assert await ledger.store_outcome(outcome_of(later))
    assert [(await stored(row)).status for row in (*rows, later)] == ["done", "failed", "done", "done"]
    assert outcomes[1].end.status == "failed"
    bad = await stored(rows[1])
    assert (bad.error_code, bad.finish_reason, bad.text) == ("internal_error", "error", "")
    assert (await stored(rows[2])).text == "fine"


async def test_an_answer_that_somebody_else_cannot_take_holds_up_nobody(alice):
    rows = [await running_row(alice) for _ in range(3)]

    def refuse(outcomes, **_):
        if any(outcome.id == rows[1].id for outcome in outcomes):
            raise ValueError("no")

    generations_ended.connect(refuse)
    try:
        async with keeping() as ledger, asyncio.timeout(10):
            assert await asyncio.gather(*(ledger.store_outcome(outcome_of(row)) for row in rows)) == [True, False, True]
    finally:
        generations_ended.disconnect(refuse)
    assert [(await stored(row)).status for row in rows] == ["done", "running", "done"]


def failed(error, state=None):
    if state is not None:
        error.__cause__ = psycopg.errors.lookup(state)("no")
    return error


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (failed(OperationalError("connection refused")), True),
        (failed(InterfaceError("connection already closed")), True),
        (failed(OperationalError("shutting down"), "57P01"), True),
        (failed(OperationalError("disk full"), "53100"), True),
        (failed(OperationalError("deadlock"), "40P01"), True),
        (failed(OperationalError("a vector of words is too long"), "54000"), False),
        (failed(DataError("out of range"), "22003"), False),
        (failed(DataError("NUL"), None), False),
        (ValueError("half a character"), False),
    ],
)
def test_what_an_outage_is(error, away):
    assert is_outage(error) is away


async def test_a_row_of_nobody_is_told_so(alice):
    async with keeping() as ledger, asyncio.timeout(10):
        assert await ledger.store_outcome(Outcome(uuid4(), 1, "done")) is False
