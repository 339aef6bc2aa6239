"""Answering a caller who waits on one connection, streamed or whole, and whose leaving stops the generation."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any
from uuid import UUID

import structlog
from django.http import StreamingHttpResponse

from inference.log.follow import follow
from inference.openai import chunks
from inference.openai.stream import AnswerCollector, StreamEncoder
from inference.queue import submit
from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError

log = structlog.get_logger(__name__)

KEEP_ALIVE_SECONDS = 15.0  # seconds after which a comment keeps a proxy from cutting the stream
HEADERS = {"content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no"}

_leaving: set[asyncio.Task[None]] = set()  # stops under way for clients that have left


async def collect_answer(id: UUID) -> AnswerCollector:
    """The collector that has taken in the whole answer."""
    collector = AnswerCollector()
    async with aclosing(follow(id)) as batches:
        async for batch in batches:
            collector.add_events(entry for _, entry in batch)
    return collector


async def stream_response(id: UUID, encoder: StreamEncoder) -> StreamingHttpResponse:
    """The response, once there is something to say: an early failure has a status of its own, and is raised."""
    events = encode_batches(id, encoder)
    first = await anext(events)
    if encoder.failed is not None:
        raise encoder.failed
    return StreamingHttpResponse(StreamBody(id, first, events, encoder), headers=HEADERS)


async def encode_batches(id: UUID, encoder: StreamEncoder) -> AsyncGenerator[bytes, None]:
    """The events of a generation, and a comment where it is silent; where it failed before any, one empty piece."""
    async with aclosing(follow(id, idle=KEEP_ALIVE_SECONDS)) as batches:
        async for batch in batches:
            data = encoder.encode_events(entry for _, entry in batch)
            if data or encoder.ended:
                yield data
            elif not batch:
                yield chunks.KEEP_ALIVE
            if encoder.ended:
                return


class StreamBody:
    """The body of a streamed answer. Django calls `close` when it is sent, and when its client has left."""

    def __init__(self, id: UUID, first: bytes, events: AsyncGenerator[bytes, None], encoder: StreamEncoder) -> None:
        self.id = id
        self.first = first
        self.events = events
        self.encoder = encoder

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.first
        try:
            async for data in self.events:
                yield data
        except Exception as error:
            log.error("stream.broke", generation=str(self.id), exc_info=error)
            yield self.encoder.format.error_event(api_errors.internal_error())

    def close(self) -> None:
        if not self.encoder.generation_ended:
            cancel_in_background(self.id)


def cancel_in_background(id: UUID, accepting: "asyncio.Task[Any] | None" = None) -> None:
    """Stop a generation whose client has left, without making anybody wait for it."""
    task = asyncio.create_task(cancel_when_accepted(id, accepting))
    _leaving.add(task)
    task.add_done_callback(_leaving.discard)


async def cancel_when_accepted(id: UUID, accepting: "asyncio.Task[Any] | None") -> None:
    try:
        if accepting is not None:
            await accepting  # what is not in the queue yet cannot be stopped
        await submit.stop_generation(id)
    except (submit.QueueFull, ApiError):  # it was not accepted
        return
    except submit.Unavailable as error:
        log.warning("stop.failed", generation=str(id), error=str(error))
