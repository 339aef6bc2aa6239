"""Import of conversations from a file: all of it or nothing. What was imported before is skipped."""

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import IO, Any, TypeAlias
from uuid import UUID

import msgspec
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.models import MAX_FOLDER_CHARS, Conversation, Message
from chat.transfer import chatgpt
from chat.transfer.format import ConversationRecord, ExportFile
from inference.queue.outcome import strip_nul
from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError
from jarvis.lib.config import config

Upload: TypeAlias = "UploadedFile[Any]"

CONVERSATIONS_PER_WRITE = 200  # conversations that are stored at a time
MAX_SOURCE_CHARS = 100
EARLIEST_TIME = datetime(1990, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class ImportCounts:
    imported: int = 0
    skipped: int = 0
    empty: int = 0


def import_file(user_id: int, file: Upload) -> ImportCounts:
    """Import a file for a person. Raises ApiError 400 that names what is wrong, 413 where it is too large."""
    if (file.size or 0) > config.import_bytes:
        raise file_too_large()
    given: list[tuple[str, ConversationRecord]] = []
    for text in read_json_texts(file):
        given += parse_conversations(text)
    return store_conversations(user_id, given)


def invalid_file(what: str) -> ApiError:
    return api_errors.invalid_request(_("Nothing was imported. {what}").format(what=what), "file")


def file_too_large() -> ApiError:
    words = _(
        "Nothing was imported. The file, or what is packed in it, is larger than {size} MB (JARVIS_IMPORT_BYTES)."
    )
    return api_errors.make_error(
        413, "request_too_large", words.format(size=config.import_bytes // 1_000_000), param="file"
    )


def read_json_texts(file: Upload) -> list[bytes]:
    """The JSON texts in an upload: the file itself, or in a zip each `conversations.json` or `conversations-….json`."""
    file.seek(0)
    if file.read(4) != b"PK\x03\x04":
        file.seek(0)
        return [file.read()]
    file.seek(0)
    try:
        return unpack_zip(file)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        raise invalid_file(_("The zip cannot be unpacked: {error}.").format(error=str(error)[:200])) from None


def unpack_zip(file: Upload) -> list[bytes]:
    """What a zip says of a file's size is not believed: no more than the limit is ever unpacked."""
    texts, left = [], config.import_bytes
    with zipfile.ZipFile(file) as archive:
        for name in sorted(archive.namelist()):
            last = name.rpartition("/")[2]
            if not (last.startswith("conversations") and last.endswith(".json")):
                continue
            with archive.open(name) as member:
                texts.append(read_at_most(member, left))
            left -= len(texts[-1])
    if not texts:
        raise invalid_file(_("The zip has no conversations.json. Take the one that ChatGPT sent, as it is."))
    return texts


def read_at_most(member: IO[bytes], limit: int) -> bytes:
    text = member.read(limit + 1)
    if len(text) > limit:
        raise file_too_large()
    return text


def parse_conversations(text: bytes) -> Iterator[tuple[str, ConversationRecord]]:
    """The conversations of a JSON text, each with where it comes from. Raises ApiError 400."""
    beginning = text[:100].lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    text = text.removeprefix(b"\xef\xbb\xbf")
    try:
        if beginning == b"{":
            for one in msgspec.json.decode(text, type=ExportFile).conversations:
                check_tree(one)
                yield f"jarvis:{one.id}", one
        elif beginning == b"[":
            for number, conversation in enumerate(msgspec.json.decode(text, type=chatgpt.Export)):
                one = chatgpt.convert_conversation(number, conversation)
                yield f"chatgpt:{one.id}", one
        else:
            raise invalid_file(_("This is no JSON. Take a file that Jarvis or ChatGPT has exported."))
    except (msgspec.DecodeError, chatgpt.Unreadable, RecursionError, UnicodeError) as error:
        advice = _("The file is not as Jarvis or ChatGPT exports it: {error}. Export it again, and do not change it.")
        raise invalid_file(advice.format(error=str(error)[:300])) from None


def check_tree(given: ConversationRecord) -> None:
    """Raises Unreadable where the messages make no tree."""
    seen: set[int] = set()
    for number, said in enumerate(given.messages):
        for name in ("parent", "continues"):
            if (named := getattr(said, name)) is not None and named not in seen:
                raise chatgpt.Unreadable(f"messages[{number}].{name}: {named} does not come before it - at {given.id}")
        if said.id in seen:
            raise chatgpt.Unreadable(f"messages[{number}].id: {said.id} is there twice - at {given.id}")
        seen.add(said.id)
    if given.leaf is not None and given.leaf not in seen:
        raise chatgpt.Unreadable(f"leaf: there is no message {given.leaf} - at {given.id}")


@transaction.atomic
def store_conversations(user_id: int, given: Iterable[tuple[str, ConversationRecord]]) -> ImportCounts:
    """Write what is not there yet. Two imports of one person wait for each other."""
    User.objects.select_for_update(no_key=True).get(pk=user_id)
    known = existing_sources(user_id)
    counts = ImportCounts()
    wanted: list[tuple[str, ConversationRecord]] = []
    for origin, one in given:
        source = origin if len(origin) <= MAX_SOURCE_CHARS else f"sha256:{sha256(origin.encode()).hexdigest()}"
        if strip_nul(source) in known:
            counts.skipped += 1
        elif not any(said.text for said in one.messages):
            counts.empty += 1
        else:
            known.add(strip_nul(source))
            wanted.append((strip_nul(source), one))
    for start in range(0, len(wanted), CONVERSATIONS_PER_WRITE):
        write_batch(user_id, wanted[start : start + CONVERSATIONS_PER_WRITE])
    counts.imported = len(wanted)
    return counts


def existing_sources(user_id: int) -> set[str]:
    """Where all that a person has comes from; what was made here, from here."""
    rows = Conversation.objects.for_user(user_id).values_list("id", "imported_from")
    return {source for id, came in rows for source in (f"jarvis:{id}", came) if source}


def write_batch(user_id: int, batch: list[tuple[str, ConversationRecord]]) -> None:
    conversations = [make_conversation(user_id, source, one) for source, one in batch]
    Conversation.objects.bulk_create(conversations)
    messages: list[Message] = []
    ids = iter(reserve_message_ids(sum(len(one.messages) for _source, one in batch)))
    for conversation, (_source, one) in zip(conversations, batch, strict=True):
        messages += make_messages(conversation.pk, one, place := {said.id: next(ids) for said in one.messages})
        conversation.leaf_id = max(place.values()) if one.leaf is None else place[one.leaf]
        conversation.updated_at = clamp_moment(one.updated_at)
    Message.objects.bulk_create(messages, batch_size=1000)
    Conversation.objects.bulk_update(conversations, ["leaf", "updated_at"])


def make_conversation(user_id: int, source: str, one: ConversationRecord) -> Conversation:
    title = " ".join(strip_nul(one.title).split())[:200]
    first = next((said.text for said in one.messages if said.text.strip()), "")
    return Conversation(
        owner_id=user_id,
        title=title or Conversation.make_title(strip_nul(first[:1000])),
        title_source=one.title_source if title else Conversation.TitleSource.WORDS,
        model=strip_nul(one.model),
        system_prompt=strip_nul(one.system_prompt),
        temperature=one.temperature,
        folder=" ".join(strip_nul(one.folder).split())[:MAX_FOLDER_CHARS],
        pinned_at=one.pinned_at and clamp_moment(one.pinned_at),
        archived_at=one.archived_at and clamp_moment(one.archived_at),
        imported_from=source,
        created_at=clamp_moment(one.created_at),
    )


def make_messages(conversation: UUID, one: ConversationRecord, place: dict[int, int]) -> list[Message]:
    return [
        Message(
            id=place[said.id],
            conversation_id=conversation,
            parent_id=None if said.parent is None else place[said.parent],
            continues_id=None if said.continues is None else place[said.continues],
            role=said.role,
            text=strip_nul(said.text),
            created_at=clamp_moment(said.created_at),
        )
        for said in one.messages
    ]


def reserve_message_ids(count: int) -> list[int]:
    """Ids for messages, so that they can name their parents before any of them is written."""
    sql = "SELECT nextval(pg_get_serial_sequence('chat_message', 'id')) FROM generate_series(1, %s)"
    with connection.cursor() as cursor:
        cursor.execute(sql, [count])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return [row[0] for row in rows]


def clamp_moment(moment: datetime) -> datetime:
    """A time that can have been; now for any other."""
    now = timezone.now()
    return moment if EARLIEST_TIME < moment <= now + timedelta(days=1) else now
