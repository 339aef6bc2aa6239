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
from chat.turns.submission import Submission
from chat.turns.submit import ask_question
from inference.api.responses import cancel_in_background, collect_answer, stream_response
from inference.log.events import End
from inference.models import Generation
from inference.openai.chunks import encode_sse
from inference.openai.stream import StreamEncoder
from inference.openai.strict_json import parse_object
from inference.openai.validation_errors import explain_validation_error
from inference.queue import rate_limits
from inference.queue.submit import stop_generation
from jarvis.lib.api_errors import ApiError
from jarvis.lib.database import in_database
from jarvis.lib.http import json_response
from jarvis.lib.query import query_number
from jarvis.lib.timestamps import iso, now_iso

DEFAULT_PAGE_MESSAGES = 50
MAX_PAGE_MESSAGES = 500


class SimpleQuestion(msgspec.Struct, forbid_unknown_fields=True):
    message: str
    conversation: UUID | None = None
    model: Annotated[str, msgspec.Meta(max_length=200)] | None = None


def parse_question(request: HttpRequest) -> SimpleQuestion:
    """The body as a question. Raises ApiError 400 that names the field."""
    given = parse_object(request.body)
    try:
        return msgspec.convert(given, SimpleQuestion)
    except msgspec.ValidationError as error:
        raise explain_validation_error(str(error)) from None


async def submit_question(request: HttpRequest, caller: Caller) -> Submission:
    rate_limits.refuse_again(caller)
    question = parse_question(request)
    made = await ask_question(
        caller,
        question.message,
        source="api",
        request_id=request.request_id,  # type: ignore[attr-defined]
        conversation=question.conversation,
        model=question.model,
    )
    request.more_headers = made.reservation.headers  # type: ignore[attr-defined]
    return made


async def chat(request: HttpRequest, caller: Caller) -> HttpResponse:
    """POST /api/chat: the whole answer at once. A caller that leaves stops its generation."""
    began = time.perf_counter()
    made = await submit_question(request, caller)
    row = made.generation
    try:
        teller = await collect_answer(row.id)
    except asyncio.CancelledError:
        cancel_in_background(row.id)
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
    made = await submit_question(request, caller)
    try:
        return await stream_response(made.generation.id, StreamEncoder(TokenStreamFormat(made)))
    except asyncio.CancelledError:
        cancel_in_background(made.generation.id)
        raise


class TokenStreamFormat:
    """The events of /api/chat/stream. Only text of the answer becomes one."""

    def __init__(self, submission: Submission) -> None:
        self.submission = submission

    def role(self, n: int = 1) -> bytes:
        return b""

    def text(self, delta: str) -> bytes:
        return encode_sse({"token": delta})

    def choices(self, deltas: Iterable[Mapping[str, Any]]) -> bytes:
        return b"".join(self.text(text) for choice in deltas if (text := choice["delta"].get("content")))

    def finish(self, reason: str, index: int = 0) -> bytes:
        return b""

    def usage(self, counts: Mapping[str, Any]) -> bytes:
        return b""

    def final_event(self, end: End) -> bytes:
        tokens = end.usage.prompt_tokens + end.usage.completion_tokens
        about = {"conversation": str(self.submission.conversation.id), "model_used": self.submission.generation.model}
        return encode_sse({"done": True, **about, "finish_reason": end.finish_reason, "tokens_used": tokens})

    def error_event(self, fault: ApiError) -> bytes:
        return encode_sse(fault.body())


async def history(request: HttpRequest, caller: Caller) -> HttpResponse:
    """GET /api/history?offset&limit: the caller's messages, newest first, and how many there are."""
    offset = query_number(request.GET, "offset", default=0, most=10**9 - 1)
    limit = query_number(request.GET, "limit", default=DEFAULT_PAGE_MESSAGES, most=MAX_PAGE_MESSAGES)
    messages, total = await in_database(history_page, caller.user_id, offset, limit)
    return json_response({"messages": messages, "total": total, "offset": offset, "limit": limit})


def history_page(user_id: int, offset: int, limit: int) -> tuple[list[dict[str, Any]], int]:
    said = Message.objects.for_user(user_id).with_text()
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
    for id in await in_database(open_generations, caller.user_id):
        await stop_generation(id)
    return json_response({"deleted": await in_database(delete_conversations, caller.user_id)})


def open_generations(user_id: int) -> list[UUID]:
    mine = Generation.objects.open().filter(message__conversation__owner_id=user_id)
    return list(mine.values_list("id", flat=True))


def delete_conversations(user_id: int) -> int:
    """Delete a person's conversations with what they hold, and empty the ledger's rows of them; how many messages."""
    return Conversation.objects.for_user_with_deleted(user_id).destroy().get("chat.Message", 0)
