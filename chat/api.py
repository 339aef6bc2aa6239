"""The simple API for scripts: a question, its answer, streamed or whole, and one's own history."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from accounts.authentication import Caller
from chat.ask import Asked, ask
from chat.models import Conversation, Message
from inference.answering import Answering, problem_error
from inference.http import json_response
from inference.models import Generation
from inference.openai import errors
from inference.openai.chunks import KEEP_ALIVE, event
from inference.openai.errors import ApiError
from jarvis.database import in_database
from jarvis.times import iso, now_iso

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
        raise errors.invalid_request(f"{error}. {advice}") from None


async def asked(request: HttpRequest, caller: Caller) -> Asked:
    question = question_in(request)
    return await ask(
        caller,
        question.message,
        door="api",
        request_id=request.request_id,  # type: ignore[attr-defined]
        conversation=question.conversation,
        model=question.model,
    )


async def chat(request: HttpRequest, caller: Caller) -> HttpResponse:
    """POST /api/chat: the whole answer at once. A caller that leaves stops its generation."""
    made = await asked(request, caller)
    async with Answering(made.generation, passed_on=False) as answering:
        async for _ in answering.texts():
            pass
    end = answering.end
    if end.problem is not None:
        raise problem_error(end.problem)
    row = made.generation
    body = {
        "response": answering.text,
        "timestamp": now_iso(),
        "model_used": row.model,
        "tokens_used": end.usage.prompt_tokens + end.usage.completion_tokens,
        "response_time": round(answering.seconds, 3),
        "conversation": str(made.conversation.id),
    }
    return json_response(body)


async def stream(request: HttpRequest, caller: Caller) -> StreamingHttpResponse:
    """POST /api/chat/stream: server-sent events, `{"token": …}` for each piece and `{"done": true}` at the end."""
    made = await asked(request, caller)

    async def events() -> AsyncIterator[bytes]:
        async with Answering(made.generation) as answering:
            try:
                async for text in answering.texts():
                    yield event({"token": text}) if text else KEEP_ALIVE
                if answering.end.problem is not None:
                    raise problem_error(answering.end.problem)
            except ApiError as error:
                yield event(error.body())
                return
        end = answering.end
        done = {
            "done": True,
            "conversation": str(made.conversation.id),
            "model_used": made.generation.model,
            "finish_reason": end.finish_reason,
            "tokens_used": end.usage.prompt_tokens + end.usage.completion_tokens,
        }
        yield event(done)

    return event_stream(events())


def event_stream(events: AsyncIterator[bytes]) -> StreamingHttpResponse:
    headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
    return StreamingHttpResponse(events, content_type="text/event-stream; charset=utf-8", headers=headers)


def number(request: HttpRequest, name: str, default: int, most: int) -> int:
    text = request.GET.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) <= most):
        raise errors.invalid_request(f"`{name}` must be a whole number from 0 to {most}.", name)
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
    """DELETE /api/history: the caller's conversations are gone; figures in the ledger stay."""
    return json_response({"deleted": await in_database(forget, caller.user_id)})


def forget(user_id: int) -> int:
    """Delete a person's conversations with what they hold, and empty the ledger's rows of them; how many messages."""
    with transaction.atomic():
        mine = Conversation.objects.of(user_id)
        Generation.objects.filter(message__conversation__in=mine).forget()
        _, counts = mine.delete()
    return counts.get("chat.Message", 0)
