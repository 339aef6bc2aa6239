"""How a generation ended, and how the row takes it."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.dispatch import Signal

from inference.log.events import Begin, Choices, End, Event, Problem, Text, Usage
from inference.models import Generation
from jarvis.lib.sql import read_sql

NUL_IN_JSON = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")  # not the text `\u0000`, in which the backslash is escaped
MAX_PARAM_CHARS = 200  # as long as the column
STORE_SQL = read_sql(__file__, "store_outcomes")

OutcomeKey = tuple[UUID, int]

# Sent inside the transaction that stores answers, with `outcomes`: those that were stored, each exactly once.
generations_ended = Signal()


class Outcome(msgspec.Struct):
    """The end of one attempt: what is stored, if the attempt still holds the row."""

    id: UUID
    attempt: int
    status: str
    text: str = ""
    choices: list[dict[str, Any]] | None = None
    finish_reason: str = ""
    usage: Usage = msgspec.field(default_factory=Usage)
    problem: Problem | None = None
    first_token_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def key(self) -> OutcomeKey:
        """What tells it from the outcomes of other attempts at the same row."""
        return self.id, self.attempt

    @property
    def end(self) -> End:
        return End(self.status, self.finish_reason, self.usage, self.problem)


def store_outcomes(outcomes: Sequence[Outcome]) -> set[OutcomeKey]:
    """Store the outcomes in one statement; the keys of those whose attempt still held its row. Safe to repeat."""
    columns = zip(*(_row(outcome) for outcome in outcomes), strict=True)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(STORE_SQL, [list(column) for column in columns])
        stored = {(id, attempt) for id, attempt in cursor.fetchall()}
        if stored:
            kept = [outcome for outcome in outcomes if outcome.key in stored]
            generations_ended.send(sender=Generation, outcomes=kept)
    return stored


def _row(outcome: Outcome) -> tuple[Any, ...]:
    problem = outcome.problem or Problem("", "")
    usage = outcome.usage
    return (
        outcome.id,
        outcome.attempt,
        outcome.status,
        strip_nul(outcome.text),
        None if outcome.choices is None else encode_json(outcome.choices),
        outcome.finish_reason,
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.cached_tokens,
        usage.reasoning_tokens,
        problem.code,
        problem.message,
        (problem.param or "")[:MAX_PARAM_CHARS],
        outcome.first_token_at,
        outcome.finished_at,
    )


def strip_nul(text: str) -> str:
    """Text as Postgres can keep it: it refuses NUL."""
    return text.replace("\x00", "\ufffd")


def encode_json(value: Any) -> str:
    """JSON as Postgres can keep it, on the same condition."""
    return NUL_IN_JSON.sub(r"\1\\ufffd", msgspec.json.encode(value).decode())


def events_of_row(row: Generation) -> list[Event]:
    """An ended row as the log would have told it, from a clean start."""
    usage = Usage(row.prompt_tokens, row.completion_tokens, row.cached_tokens, row.reasoning_tokens)
    problem = Problem(row.error_code, row.error_message, row.error_param or None) if row.error_code else None
    entries: list[Event] = [Begin(clear=True)]
    if row.choices is not None:
        # A finished choice's message has the fields of a delta, so it is told as one.
        entries.append(
            Choices([{**{k: v for k, v in c.items() if k != "message"}, "delta": c["message"]} for c in row.choices])
        )
    elif row.text:
        entries.append(Text(row.text, row.completion_tokens))
    return [*entries, End(row.status, row.finish_reason, usage, problem)]
