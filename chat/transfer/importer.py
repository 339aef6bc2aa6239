"""Import of conversations from a file, in one transaction. What was imported before is skipped; what cannot be read is
left out and counted, and the rest is taken."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.models import MAX_FOLDER_CHARS, Conversation, Message
from chat.transfer import chatgpt, claude, librechat, open_webui
from chat.transfer.format import MAX_CONVERSATIONS_PER_FILE, ConversationRecord
from chat.transfer.tree import Losses, SourceConversation, make_record
from chat.transfer.upload import Upload, invalid_file, read_json_texts, split_entries
from chat.transfer.values import clean_text, read_text

CONVERSATIONS_PER_WRITE = 200  # conversations that are stored at a time
MAX_SOURCE_CHARS = 100
MAX_NOTES = 20  # of what was left out that are told
EARLIEST_TIME = datetime(1990, 1, 1, tzinfo=UTC)
READERS = (
    (chatgpt.is_chatgpt, chatgpt.read_conversation),
    (claude.is_claude, claude.read_conversation),
    (open_webui.is_open_webui, open_webui.read_conversation),
    (librechat.is_librechat, librechat.read_conversation),
)


class Unreadable(ValueError):
    """An entry of a file that is no conversation, or none that can be understood."""


@dataclass(slots=True)
class ImportReport:
    """What became of a file: conversations by their fate, and what of the imported ones was left out."""

    imported: int = 0
    skipped: int = 0
    empty: int = 0
    unreadable: int = 0
    messages: int = 0
    attachments: int = 0
    shortened: int = 0
    notes: list[str] = field(default_factory=list)

    def add_losses(self, losses: Losses) -> None:
        self.messages += losses.messages
        self.attachments += losses.attachments
        self.shortened += losses.shortened

    def add_note(self, note: str) -> None:
        if len(self.notes) < MAX_NOTES:
            self.notes.append(note)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A conversation of a file: where it comes from, as we would write it, and what of it is left out."""

    source: str
    record: ConversationRecord
    losses: Losses


def import_file(user_id: int, file: Upload) -> ImportReport:
    """Import a file for a person. Raises ApiError 400 where nothing of it is a conversation, 413 where it is too
    large."""
    report = ImportReport()
    candidates = [one for text in read_json_texts(file) for one in read_candidates(text, report)]
    if not candidates and report.unreadable:
        raise invalid_file(report.notes[0])
    store_conversations(user_id, candidates, report)
    return report


def read_candidates(text: bytes, report: ImportReport) -> Iterator[Candidate]:
    """The conversations of a JSON text. Raises ApiError where it is none."""
    for number, entry in enumerate(split_entries(text), 1):
        try:
            if number > MAX_CONVERSATIONS_PER_FILE:
                raise Unreadable(_("a file may have {count} of them").format(count=MAX_CONVERSATIONS_PER_FILE))
            yield read_entry(entry)
        except (ValueError, RecursionError) as error:  # of the data: msgspec's errors are such, too
            report.unreadable += 1
            report.add_note(name_entry(number, entry, error))


def name_entry(number: int, entry: Any, error: Exception) -> str:
    title = read_text(entry.get("title") or entry.get("name")) if isinstance(entry, dict) else ""
    words = _("Entry {number} “{title}”: {error}.") if title else _("Entry {number}: {error}.")
    return words.format(number=number, title=title[:60], error=str(error)[:300])


def read_entry(entry: Any) -> Candidate:
    """Raises ValueError, also as msgspec's, where it is no conversation."""
    if not isinstance(entry, dict):
        raise Unreadable(_("it is no conversation"))
    for recognise, read in READERS:
        if recognise(entry):
            return make_candidate(read(entry), entry)
    if "messages" not in entry:
        raise Unreadable(_("it is no conversation"))
    record = msgspec.convert(clean_entry(entry), ConversationRecord)
    check_tree(record)
    return Candidate(f"jarvis:{record.id}", record, Losses())


def make_candidate(found: SourceConversation, entry: dict[str, Any]) -> Candidate:
    if not found.id:  # what it is, then: the same file is not imported twice
        found.id = sha256(repr(entry).encode("utf-8", "replace")).hexdigest()
    source = f"{found.source}:{found.id}"
    return Candidate(source, make_record(found), found.losses)


def clean_entry(value: Any) -> Any:
    """The same without what no text of ours may have."""
    match value:
        case str():
            return clean_text(value)
        case dict():
            return {name: clean_entry(one) for name, one in value.items()}
        case list():
            return [clean_entry(one) for one in value]
    return value


def check_tree(given: ConversationRecord) -> None:
    """Raises Unreadable where the messages make no tree."""
    seen: set[int] = set()
    for number, said in enumerate(given.messages):
        for name in ("parent", "continues"):
            if (named := getattr(said, name)) is not None and named not in seen:
                raise Unreadable(f"messages[{number}].{name}: {named} does not come before it")
        if said.id in seen:
            raise Unreadable(f"messages[{number}].id: {said.id} is there twice")
        seen.add(said.id)
    if given.leaf is not None and given.leaf not in seen:
        raise Unreadable(f"leaf: there is no message {given.leaf}")


@transaction.atomic
def store_conversations(user_id: int, given: Iterable[Candidate], report: ImportReport) -> None:
    """Write what is not there yet. Two imports of one person wait for each other."""
    User.objects.select_for_update(no_key=True).get(pk=user_id)
    known = existing_sources(user_id)
    wanted: list[tuple[str, ConversationRecord]] = []
    for one in given:
        source = clean_text(one.source)
        source = source if len(source) <= MAX_SOURCE_CHARS else f"sha256:{sha256(source.encode()).hexdigest()}"
        if source in known:
            report.skipped += 1
        elif not any(said.text for said in one.record.messages):
            report.empty += 1
        else:
            known.add(source)
            wanted.append((source, one.record))
            report.add_losses(one.losses)
    for start in range(0, len(wanted), CONVERSATIONS_PER_WRITE):
        write_batch(user_id, wanted[start : start + CONVERSATIONS_PER_WRITE])
    report.imported = len(wanted)


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
    title = " ".join(clean_text(one.title).split())[:200]
    first = next((said.text for said in one.messages if said.text.strip()), "")
    return Conversation(
        owner_id=user_id,
        title=title or Conversation.make_title(clean_text(first[:1000])),
        title_source=one.title_source if title else Conversation.TitleSource.WORDS,
        model=clean_text(one.model),
        system_prompt=clean_text(one.system_prompt),
        temperature=one.temperature,
        folder=" ".join(clean_text(one.folder).split())[:MAX_FOLDER_CHARS],
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
            text=clean_text(said.text),
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
