"""The OpenAI routes under /v1: who calls, what is asked, one generation, its answer."""

import asyncio
import time
from uuid import UUID, uuid4

import structlog
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from accounts.authentication import Caller
from accounts.models import Scope
from inference.api.http import api, json_response
from inference.api.model_list import catalogue
from inference.api.responses import heard, leave, streamed
from inference.models import Generation
from inference.openai import chunks
from inference.openai.chunks import StreamShape
from inference.openai.request import ChatRequest, parse_chat_request
from inference.openai.stream import StreamTeller
from inference.openai.validation import Limits
from inference.queue import rate_limits, submit
from jarvis.lib.api_errors import ApiError
from jarvis.lib.config import config

log = structlog.get_logger(__name__)

LIMITS = Limits(max_tokens=config.max_answer_tokens)


async def create(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """POST /v1/chat/completions"""
    rate_limits.refuse_again(caller)
    asked = parse_chat_request(request.body, limits=LIMITS)
    known = await catalogue()
    known.show(asked.model, caller)
    known.check(asked.model)
    id = uuid4()
    likely, most = rate_limits.weigh(asked, len(request.body), known.window(asked.model))
    held = await rate_limits.reserve(caller, id, likely, most)
    request.more_headers = held.headers  # type: ignore[attr-defined]
    generation = Generation(
        id=id,
        owner_id=caller.user_id,
        key_id=caller.key_id,
        model=asked.model,
        door="v1",
        request_id=request.request_id,  # type: ignore[attr-defined]
        request=asked.to_row(),
        priority=caller.priority,
        reserved=held.reserved,
    )
    created = int(time.time())
    accepting = asyncio.create_task(submit.submit(generation, held))
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
    teller = await heard(id)
    return json_response(teller.completion(name(id), created, asked.model))


async def stream(id: UUID, created: int, asked: ChatRequest) -> HttpResponseBase:
    shape = StreamShape(name(id), created, asked.model, asked.include_usage)
    return await streamed(id, StreamTeller(shape, asked.fields.get("n", 1), asked.include_usage))


def name(id: UUID) -> str:
    return f"chatcmpl-{id.hex}"


async def list_models(request: HttpRequest, caller: Caller) -> HttpResponse:
    """GET /v1/models"""
    return json_response(chunks.models_list((await catalogue()).open_to(caller)))


async def show_model(request: HttpRequest, caller: Caller, model: str) -> HttpResponse:
    """GET /v1/models/{id}; an id may hold slashes."""
    return json_response((await catalogue()).show(model, caller))


chat_completions = api(Scope.CHAT, post=create)
models = api(Scope.MODELS, get=list_models)
model = api(Scope.MODELS, get=show_model)
