"""The OpenAI routes under /v1: who calls, what is asked, one generation, its answer."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from uuid import UUID

import structlog
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from accounts.authentication import Caller
from inference import submit
from inference.entries import Cursor, Entry
from inference.follow import follow
from inference.http import api, json_response
from inference.models import Generation
from inference.openai import chunks, errors
from inference.openai.catalogue import catalogue
from inference.openai.checks import Limits
from inference.openai.chunks import StreamShape
from inference.openai.errors import ApiError
from inference.openai.request import ChatRequest, parse_chat_request
from inference.openai.teller import StreamTeller, WholeTeller
from jarvis.config import config

log = structlog.get_logger(__name__)

SILENCE = 15.0  # seconds after which a comment keeps a proxy from cutting the stream
LIMITS = Limits(max_tokens=config.max_answer_tokens)
HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache", "x-accel-buffering": "no"}

Batches = AsyncIterator[list[tuple[Cursor, Entry]]]

_leaving: set[asyncio.Task[None]] = set()  # stops under way for clients that have left


async def create(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """POST /v1/chat/completions"""
    asked = parse_chat_request(request.body, limits=LIMITS)
    (await catalogue()).check(asked.model)
    generation = Generation(
        owner_id=caller.user_id,
        key_id=caller.key_id,
        model=asked.model,
        door="v1",
        request_id=request.request_id,  # type: ignore[attr-defined]
        request=asked.to_row(),
    )
    created = int(time.time())
    accepting = asyncio.create_task(submit.submit(generation))
    try:
        await asyncio.shield(accepting)
        if asked.stream:
            return await stream(generation.id, created, asked)
        return await whole(generation.id, created, asked)
    except (ApiError, submit.QueueFull):
        raise
    except BaseException:  # the client has left, or nobody can tell it the answer
        leave(generation.id, accepting)
        raise


async def whole(id: UUID, created: int, asked: ChatRequest) -> HttpResponse:
    teller = WholeTeller()
    async with aclosing(follow(id)) as batches:  # type: ignore[type-var]
        async for batch in batches:
            teller.take(entry for _, entry in batch)
    return json_response(teller.completion(name(id), created, asked.model))


async def stream(id: UUID, created: int, asked: ChatRequest) -> HttpResponseBase:
    """The response once there is something to say, so that an early failure still has a status of its own."""
    shape = StreamShape(name(id), created, asked.model, asked.include_usage)
    teller = StreamTeller(shape, asked.fields.get("n", 1), asked.include_usage)
    events = told(id, teller)
    first = await anext(events)
    if teller.failed is not None:
        raise teller.failed
    return StreamingHttpResponse(Stream(id, first, events, teller), headers=HEADERS)


async def told(id: UUID, teller: StreamTeller) -> AsyncGenerator[bytes, None]:
    """The events of a generation, with a comment after each SILENCE; where it failed before any, one empty piece."""
    async with aclosing(follow(id, idle=SILENCE)) as batches:  # type: ignore[type-var]
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
            yield chunks.error(errors.internal_error()) + chunks.DONE

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


def name(id: UUID) -> str:
    return f"chatcmpl-{id.hex}"


async def list_models(request: HttpRequest, caller: Caller) -> HttpResponse:
    """GET /v1/models"""
    return json_response(chunks.models_list(list((await catalogue()).offered.values())))


async def show_model(request: HttpRequest, caller: Caller, model: str) -> HttpResponse:
    """GET /v1/models/{id}; an id may hold slashes."""
    offered = (await catalogue()).offered
    if model not in offered:
        raise errors.model_not_found(model)
    return json_response(offered[model])


chat_completions = api(post=create)
models = api(get=list_models)
model = api(get=show_model)
