"""The simple API for scripts: a question, its answer, streamed or whole, and one's own history."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from accounts.authentication import Caller
from chat.models import Conversation, Message
from chat.turns.submit import Asked, ask
from inference.api.http import json_response
from inference.api.responses import heard, leave, streamed
from inference.log.events import End
from inference.models import Generation
from inference.openai.chunks import event
from inference.openai.stream import StreamTeller
from inference.queue import rate_limits
from inference.queue.submit import stop as stop_generation
from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError
from jarvis.lib.database import in_database
from jarvis.lib.timestamps import iso, now_iso

PAGE = 50
LONGEST_PAGE = 500


class Question(msgspec.Struct, forbid_unknown_fields=True):
    message: str
    conversation: UUID | None = None
    model: Annotated[str, msgspec.Meta(max_length=200)] | None = None


def question_in(request: HttpRequest) -> Question:
    """The body as a question. Raises ApiError 400 that names the field."""
    try:
        return msgspec.json.decode(request.body, type=Question)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        advice = 'Send JSON such as {"message": "Hello"}; "conversation" and "model" may be added.'
        raise api_errors.invalid_request(f"{error}. {advice}") from None


async def asked(request: HttpRequest, caller: Caller) -> Asked:
    rate_limits.refuse_again(caller)
    question = question_in(request)
    made = await ask(
        caller,
        question.message,
        door="api",
        request_id=request.request_id,  # type: ignore[attr-defined]
        conversation=question.conversation,
        model=question.model,
    )
    request.more_headers = made.held.headers  # type: ignore[attr-defined]
    return made


async def chat(request: HttpRequest, caller: Caller) -> HttpResponse:
    """POST /api/chat: the whole answer at once. A caller that leaves stops its generation."""
    began = time.perf_counter()
    made = await asked(request, caller)
    row = made.generation
    try:
        teller = await heard(row.id)
    except asyncio.CancelledError:
        leave(row.id)
        raise
    answer = teller.completion(str(row.id), 0, row.model)
    body = {
        "response": answer["choices"][0]["message"]["content"],
        "timestamp": now_iso(),
        "model_used": row.model,
        "tokens_used": answer["usage"]["total_tokens"],
        "response_time": round(time.perf_counter() - began, 3),
        "conversation": str(made.conversation.id),
    }
    return json_response(body)


async def stream(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """POST /api/chat/stream: server-sent events, `{"token": …}` for each piece and `{"done": true}` at the end."""
    made = await asked(request, caller)
    try:
        return await streamed(made.generation.id, StreamTeller(TokenShape(made)))
    except asyncio.CancelledError:
        leave(made.generation.id)
        raise


class TokenShape:
    """The events of /api/chat/stream. What is not text of the answer is not told."""

    def __init__(self, made: Asked) -> None:
        self.made = made

    def role(self, n: int = 1) -> bytes:
        return b""

    def text(self, delta: str) -> bytes:
        return event({"token": delta})

    def choices(self, deltas: Iterable[Mapping[str, Any]]) -> bytes:
        return b"".join(self.text(text) for choice in deltas if (text := choice["delta"].get("content")))

    def finish(self, reason: str, index: int = 0) -> bytes:
        return b""

    def usage(self, counts: Mapping[str, Any]) -> bytes:
        return b""

    def done(self, end: End) -> bytes:
        tokens = end.usage.prompt_tokens + end.usage.completion_tokens
        about = {"conversation": str(self.made.conversation.id), "model_used": self.made.generation.model}
        return event({"done": True, **about, "finish_reason": end.finish_reason, "tokens_used": tokens})

    def error(self, fault: ApiError) -> bytes:
        return event(fault.body())


def number(request: HttpRequest, name: str, default: int, most: int) -> int:
    text = request.GET.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) <= most):
        raise api_errors.invalid_request(f"`{name}` must be a whole number from 0 to {most}.", name)
    return int(text)


async def history(request: HttpRequest, caller: Caller) -> HttpResponse:
    """GET /api/history?offset&limit: the caller's messages, newest first, and how many there are."""
    offset = number(request, "offset", 0, 10**9 - 1)
    limit = number(request, "limit", PAGE, LONGEST_PAGE)
    messages, total = await in_database(page_of, caller.user_id, offset, limit)
    return json_response({"messages": messages, "total": total, "offset": offset, "limit": limit})


def page_of(user_id: int, offset: int, limit: int) -> tuple[list[dict[str, Any]], int]:
    said = Message.objects.of(user_id).said()
    rows = said.order_by("-id").select_related("generation")[offset : offset + limit]
    messages = [
        {
            "id": row.pk,
            "conversation": str(row.conversation_id),
            "role": row.role,
            "content": row.text,
            "model": row.generation.model if row.generation else None,
            "status": row.generation.status if row.generation else None,
            "timestamp": iso(row.created_at),
        }
        for row in rows
    ]
    return messages, said.count()


async def clear_history(request: HttpRequest, caller: Caller) -> HttpResponse:
    """DELETE /api/history: the caller's conversations go, and what runs in them stops; figures in the ledger stay."""
    for id in await in_database(running_of, caller.user_id):
        await stop_generation(id)
    return json_response({"deleted": await in_database(forget, caller.user_id)})


def running_of(user_id: int) -> list[UUID]:
    mine = Generation.objects.open().filter(message__conversation__owner_id=user_id)
    return list(mine.values_list("id", flat=True))


def forget(user_id: int) -> int:
    """Delete a person's conversations with what they hold, and empty the ledger's rows of them; how many messages."""
    return Conversation.objects.all_of(user_id).destroy().get("chat.Message", 0)
