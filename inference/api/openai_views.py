"""The OpenAI routes under /v1: who calls, what is asked, one generation, its answer."""

import asyncio
import time
from uuid import UUID, uuid4

import structlog
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from accounts.authentication import Caller
from accounts.models import Scope
from inference.api.http import api_route
from inference.api.model_list import get_catalogue
from inference.api.responses import cancel_in_background, collect_answer, stream_response
from inference.models import Generation
from inference.openai import chunks
from inference.openai.chunks import OpenAIStreamFormat
from inference.openai.request import ChatRequest, parse_chat_request
from inference.openai.stream import StreamEncoder
from inference.openai.validation import RequestLimits
from inference.queue import rate_limits, submit
from jarvis.lib.api_errors import ApiError
from jarvis.lib.config import config
from jarvis.lib.http import json_response

log = structlog.get_logger(__name__)

LIMITS = RequestLimits(max_tokens=config.max_answer_tokens)


async def create(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """POST /v1/chat/completions"""
    rate_limits.refuse_again(caller)
    asked = parse_chat_request(request.body, limits=LIMITS)
    known = await get_catalogue()
    known.get_model(asked.model, caller)
    window = known.context_window(asked.model)
    asked.check_window(window)
    known.check_ready(asked.model)
    asked = rate_limits.limit_answer(asked, caller)
    id = uuid4()
    likely, most = rate_limits.estimate_tokens(asked, len(request.body), window)
    held = await rate_limits.reserve_call(caller, id, likely, most, asked.limit_name)
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
    created, fingerprint = int(time.time()), known.fingerprints[asked.model]
    accepting = submit.start_accepting(held, submit.in_batch(generation))
    try:
        await asyncio.shield(accepting)
        if asked.stream:
            return await answer_streaming(generation.id, created, asked, fingerprint)
        return await answer_whole(generation.id, created, asked, fingerprint)
    except (ApiError, submit.QueueFull):
        raise
    except BaseException:  # the client has left, or nobody can tell it the answer
        cancel_in_background(generation.id, accepting)
        raise


async def answer_whole(id: UUID, created: int, asked: ChatRequest, fingerprint: str) -> HttpResponse:
    collector = await collect_answer(id)
    return json_response(collector.completion(completion_name(id), created, asked.model, fingerprint))


async def answer_streaming(id: UUID, created: int, asked: ChatRequest, fingerprint: str) -> HttpResponseBase:
    shape = OpenAIStreamFormat(completion_name(id), created, asked.model, asked.include_usage, fingerprint)
    put_usage = shape.put_usage if asked.continuous_usage else None
    return await stream_response(id, StreamEncoder(shape, asked.fields.get("n", 1), asked.include_usage, put_usage))


def completion_name(id: UUID) -> str:
    return f"chatcmpl-{id.hex}"


async def list_models(request: HttpRequest, caller: Caller) -> HttpResponse:
    """GET /v1/models"""
    return json_response(chunks.models_list((await get_catalogue()).models_for(caller)))


async def show_model(request: HttpRequest, caller: Caller, model: str) -> HttpResponse:
    """GET /v1/models/{id}; an id may hold slashes."""
    return json_response((await get_catalogue()).get_model(model, caller))


chat_completions = api_route(Scope.CHAT, post=create)
models = api_route(Scope.MODELS, get=list_models)
model = api_route(Scope.MODELS, get=show_model)
