"""Export of conversations as files, one or all; all of them in pieces, so that no process holds them at once."""

from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import groupby
from typing import TypeVar
from uuid import UUID

import msgspec
from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.models import Conversation, Message
from chat.transfer.file_names import content_disposition, make_file_name
from chat.transfer.format import FORMAT, VERSION, ConversationRecord, ExportFile, MessageRecord
from chat.transfer.markdown import close_blocks
from jarvis.lib.database import in_database

Response = TypeVar("Response", HttpResponse, StreamingHttpResponse)

CONVERSATIONS_PER_READ = 20  # conversations that are read at a time

encode = msgspec.json.Encoder().encode


def make_record(conversation: Conversation, messages: Iterable[Message]) -> ConversationRecord:
    """A conversation as its file has it. `messages`: all of them in the order of their ids."""
    listed = list(messages)
    number = {message.pk: place for place, message in enumerate(listed, 1)}
    c = conversation
    return ConversationRecord(
        id=str(c.pk),
        title=c.title,
        title_source=c.title_source,  # type: ignore[arg-type]
        model=c.model,
        system_prompt=c.system_prompt,
        temperature=c.temperature,
        folder=c.folder,
        pinned_at=c.pinned_at,
        archived_at=c.archived_at,
        created_at=c.created_at,
        updated_at=c.updated_at,
        leaf=c.leaf_id and number.get(c.leaf_id),
        messages=[
            MessageRecord(
                id=number[m.pk],
                parent=m.parent_id and number.get(m.parent_id),
                continues=m.continues_id and number.get(m.continues_id),
                role=m.role,  # type: ignore[arg-type]
                text=m.text,
                created_at=m.created_at,
            )
            for m in listed
        ],
    )


def read_records(ids: Iterable[UUID]) -> Iterator[ConversationRecord]:
    """Those conversations, by two queries. One that is deleted meanwhile is left out."""
    chosen = list(ids)
    there = Conversation.objects.filter(deleted_at=None).in_bulk(chosen)
    messages = Message.objects.filter(conversation__in=there).defer("html").order_by("conversation_id", "id")
    said = {id: list(group) for id, group in groupby(messages, lambda message: message.conversation_id)}
    return (make_record(there[id], said.get(id, [])) for id in chosen if id in there)


def json_file(conversation: Conversation) -> HttpResponse:
    file = ExportFile(
        format=FORMAT, version=VERSION, exported_at=timezone.now(), conversations=[*read_records([conversation.pk])]
    )
    return make_download(
        HttpResponse(msgspec.json.format(encode(file)), content_type="application/json"), conversation, "json"
    )


def markdown_file(conversation: Conversation) -> HttpResponse:
    """The messages that are shown, as a text that people read."""
    names = {Message.Role.USER.value: _("You"), Message.Role.ASSISTANT.value: _("Jarvis")}
    head = [f"# {conversation}", f"{conversation.created_at:%Y-%m-%d} · {conversation.model}".removesuffix(" · ")]
    path = conversation.path().with_text().values_list("role", "text")
    parts = [*head, *(f"## {names[role]}\n\n{close_blocks(text.strip())}" for role, text in reversed(path))]
    text = "\n\n".join(parts) + "\n"
    return make_download(HttpResponse(text, content_type="text/markdown; charset=utf-8"), conversation, "md")


def all_conversations_file(user_id: int) -> StreamingHttpResponse:
    """All that a person has, in pieces."""
    response = StreamingHttpResponse(stream_all_conversations(user_id), content_type="application/json")
    # Django packs each piece of an async stream as a gzip of its own, and browsers read the first of them only.
    response.headers["Content-Encoding"] = "identity"
    return set_file_name(response, f"jarvis-{timezone.now():%Y-%m-%d}.json")


async def stream_all_conversations(user_id: int) -> AsyncIterator[bytes]:
    ids = await in_database(list, Conversation.objects.for_user(user_id).newest_first().values_list("id", flat=True))
    head = {"format": FORMAT, "version": VERSION, "exported_at": timezone.now()}
    yield encode(head)[:-1] + b',"conversations":['
    first = True
    for start in range(0, len(ids), CONVERSATIONS_PER_READ):
        for one in await in_database(
            lambda chosen: list(read_records(chosen)), ids[start : start + CONVERSATIONS_PER_READ]
        ):
            yield (b"\n" if first else b",\n") + encode(one)
            first = False
    yield b"\n]}\n"


def make_download(response: HttpResponse, conversation: Conversation, kind: str) -> HttpResponse:
    return set_file_name(response, make_file_name(conversation.title, kind))


def set_file_name(response: Response, name: str) -> Response:
    response.headers["Content-Disposition"] = content_disposition(name)
    response.headers["Cache-Control"] = "no-store"
    return response
