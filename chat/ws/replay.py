"""The log of an answer, replayed to a reader from any place on, and the frames that its events become.

An answer that continues another one begins with the text of that.
"""

from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from uuid import UUID

import msgspec

from chat import frames
from inference.log.events import START, Begin, Choices, Cursor, End, Event, Text
from inference.log.follow import Batch, follow
from inference.models import Generation


class FollowedAnswer(msgspec.Struct, frozen=True):
    """A generation that is about to be followed: whether it waits, and the text with which its answer begins."""

    is_waiting: bool
    prefix: str


def find_answer(user_id: int, generation: UUID) -> FollowedAnswer | None:
    """None where there is no such generation of this person."""
    mine = Generation.objects.filter(pk=generation, owner_id=user_id)
    row = mine.values_list("status", "message__continues__text").first()
    return None if row is None else FollowedAnswer(row[0] == Generation.Status.QUEUED, (row[1] or "").rstrip())


async def follow_with_prefix(generation: UUID, after: Cursor, prefix: str) -> AsyncGenerator[Batch]:
    """What `follow` gives, with the prefix before the answer's own text, also where the answer starts again.

    A reader who follows from the start gets the prefix at once, before the generation itself has begun.
    """
    if prefix and after == START:
        yield [(START, Begin(clear=True)), (START, Text(prefix))]
    async with aclosing(follow(generation, after)) as batches:
        async for batch in batches:
            yield add_prefix(batch, prefix) if prefix else batch


def add_prefix(batch: Batch, prefix: str) -> Batch:
    """The batch, with the prefix after each event that clears the answer."""
    prefixed: Batch = []
    for cursor, event in batch:
        prefixed.append((cursor, event))
        if isinstance(event, Begin) and event.clear:
            prefixed.append((cursor, Text(prefix)))
    return prefixed


def frames_for_events(generation: UUID, batch: Iterable[tuple[Cursor, Event]]) -> Iterator[frames.FromServer]:
    """The frames for a batch of the log, with texts that follow each other in one."""
    texts: list[str] = []
    last = START
    for cursor, event in batch:
        if text := text_of_event(event):
            texts.append(text)
            last = cursor
        elif isinstance(event, (Begin, End)):
            if texts:
                yield frames.Delta(generation, str(last), "".join(texts))
                texts = []
            yield make_boundary(generation, cursor, event)
    if texts:
        yield frames.Delta(generation, str(last), "".join(texts))


def text_of_event(event: Event) -> str:
    """What an event adds to the text of an answer; of several choices the first one's."""
    if isinstance(event, Text):
        return event.text
    if isinstance(event, Choices):
        return "".join(
            c["delta"].get("content") or "" for c in event.choices if c.get("index", 0) == 0 and c.get("delta")
        )
    return ""


def make_boundary(generation: UUID, cursor: Cursor, event: Begin | End) -> frames.FromServer:
    if isinstance(event, Begin):
        return frames.Began(generation, event.clear)
    return frames.Ended(generation, str(cursor), event.status, event.finish_reason, event.usage, event.problem)
