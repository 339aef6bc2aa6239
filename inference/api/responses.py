"""Answering a caller who waits on one connection, streamed or whole, and whose leaving stops the generation."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from uuid import UUID

import structlog
from django.http import StreamingHttpResponse

from inference.log.follow import follow
from inference.openai import chunks
from inference.openai.stream import StreamTeller, WholeTeller
from inference.queue import submit
from jarvis.lib import api_errors

log = structlog.get_logger(__name__)

SILENCE = 15.0  # seconds after which a comment keeps a proxy from cutting the stream
HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache", "x-accel-buffering": "no"}

_leaving: set[asyncio.Task[None]] = set()  # stops under way for clients that have left


async def heard(id: UUID) -> WholeTeller:
    """The teller that has heard the whole answer."""
    teller = WholeTeller()
    async with aclosing(follow(id)) as batches:
        async for batch in batches:
            teller.take(entry for _, entry in batch)
    return teller


async def streamed(id: UUID, teller: StreamTeller) -> StreamingHttpResponse:
    """The response, once there is something to say: an early failure has a status of its own, and is raised."""
    events = told(id, teller)
    first = await anext(events)
    if teller.failed is not None:
        raise teller.failed
    return StreamingHttpResponse(Stream(id, first, events, teller), headers=HEADERS)


async def told(id: UUID, teller: StreamTeller) -> AsyncGenerator[bytes, None]:
    """The events of a generation, with a comment after each SILENCE; where it failed before any, one empty piece."""
    async with aclosing(follow(id, idle=SILENCE)) as batches:
        async for batch in batches:
            data = teller.take(entry for _, entry in batch)
            if data or teller.ended:
                yield data
            elif not batch:
                yield chunks.KEEP_ALIVE
            if teller.ended:
                return


class Stream:
    """The body of a streamed answer. Django calls `close` when it is sent, and when its client has left."""

    def __init__(self, id: UUID, first: bytes, events: AsyncGenerator[bytes, None], teller: StreamTeller) -> None:
        self.id = id
        self.first = first
        self.events = events
        self.teller = teller

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.first
        try:
            async for data in self.events:
                yield data
        except Exception as error:
            log.error("stream.broke", generation=str(self.id), exc_info=error)
            yield self.teller.shape.error(api_errors.internal_error())

    def close(self) -> None:
        if not self.teller.over:
            leave(self.id)


def leave(id: UUID, accepting: "asyncio.Task[None] | None" = None) -> None:
    """Stop a generation whose client has left, without making anybody wait for it."""
    task = asyncio.create_task(stop(id, accepting))
    _leaving.add(task)
    task.add_done_callback(_leaving.discard)


async def stop(id: UUID, accepting: "asyncio.Task[None] | None") -> None:
    try:
        if accepting is not None:
            await accepting  # what is not in the queue yet cannot be stopped
        await submit.stop(id)
    except submit.QueueFull:
        return
    except submit.Away as error:
        log.warning("stop.failed", generation=str(id), error=str(error))
