"""The log of an answer as its readers are told it: one that continues another begins with the text of that."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

import msgspec

from inference.log.events import START, Begin, Cursor, Text
from inference.log.follow import Batch, follow
from inference.models import Generation


class FollowedAnswer(msgspec.Struct, frozen=True):
    """What has to be known of a generation before it is told: whether it waits, and what its answer begins with."""

    is_waiting: bool
    prefix: str


def find_answer(user_id: int, generation: UUID) -> FollowedAnswer | None:
    """None where there is no such generation of this person."""
    mine = Generation.objects.filter(pk=generation, owner_id=user_id)
    row = mine.values_list("status", "message__continues__text").first()
    return None if row is None else FollowedAnswer(row[0] == Generation.Status.QUEUED, (row[1] or "").rstrip())


async def follow_with_prefix(generation: UUID, after: Cursor, prefix: str) -> AsyncGenerator[Batch]:
    """What `follow` gives, with `begun` before the answer's own text, also where the answer starts again.

    Who follows from the start is told it at once, before the generation itself has begun.
    """
    if prefix and after == START:
        yield [(START, Begin(clear=True)), (START, Text(prefix))]
    async with aclosing(follow(generation, after)) as batches:
        async for batch in batches:
            yield add_prefix(batch, prefix) if prefix else batch


def add_prefix(batch: Batch, prefix: str) -> Batch:
    """Whatever makes an answer void brings back what it began with."""
    told: Batch = []
    for cursor, entry in batch:
        told.append((cursor, entry))
        if isinstance(entry, Begin) and entry.clear:
            told.append((cursor, Text(prefix)))
    return told
