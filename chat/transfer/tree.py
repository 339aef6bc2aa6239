"""Messages as other programs keep them, made into a conversation of ours: a tree of questions and answers.

Such programs also keep what people never see. Messages of it are left out, and what follows them follows what was
before. Two answers in a row are what a model said before and after it used a tool: here they are one, as models want
it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from typing import Literal

from chat.transfer.format import (
    MAX_MESSAGE_CHARS,
    MAX_MESSAGES_PER_CONVERSATION,
    ConversationRecord,
    MessageRecord,
)
from chat.transfer.values import BEGINNING
from jarvis.lib.config import MAX_SYSTEM_PROMPT_CHARS

Role = Literal["user", "assistant", ""]


@dataclass(slots=True)
class Losses:
    """What of a conversation is not taken along."""

    messages: int = 0
    attachments: int = 0  # pictures, sounds, files
    shortened: int = 0  # messages that were cut off


@dataclass(slots=True)
class SourceMessage:
    """A message as it was found. `role` is empty where nobody sees it."""

    id: str
    parent: str | None
    role: Role
    text: str
    at: datetime

    @property
    def is_visible(self) -> bool:
        return bool(self.role and self.text.strip())


@dataclass(slots=True)
class SourceConversation:
    """A conversation of another program: `source` says which, `id` how it is called there."""

    source: str
    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    messages: list[SourceMessage]
    leaf: str | None = None
    system_prompt: str = ""  # of which as much is taken as fits
    is_archived: bool = False
    is_pinned: bool = False
    losses: Losses = field(default_factory=Losses)


def link_messages(messages: list[SourceMessage], children: Iterable[tuple[str, str]] = ()) -> None:
    """See to it that each message names one that it follows, where there is one: as it says itself, else as the one
    says that names it among its `children` (child, parent). Where nothing says anything they are a line."""
    known = {message.id for message in messages}
    above = {child: parent for child, parent in children if child != parent and parent in known}
    for message in messages:
        if message.parent not in known or message.parent == message.id:
            message.parent = above.get(message.id)
    if not any(message.parent for message in messages):
        for before, message in pairwise(messages):
            message.parent = before.id


def make_record(given: SourceConversation) -> ConversationRecord:
    """The conversation as a file of ours has it. What is left out is added to its losses."""
    by_id = {message.id: message for message in given.messages}
    given.losses.messages += len(given.messages) - len(by_id)
    times = [message.at for message in given.messages if message.at != BEGINNING]
    began = min(times, default=BEGINNING) if given.created_at == BEGINNING else given.created_at
    latest = max([began, *times]) if given.updated_at == BEGINNING else given.updated_at
    shown = find_visible(by_id, given.leaf)
    kept = join_same_speakers(by_id, sort_parents_first(by_id), shown)
    given.losses.messages += max(0, len(kept) - MAX_MESSAGES_PER_CONVERSATION)
    kept = kept[:MAX_MESSAGES_PER_CONVERSATION]
    number = {message.id: place for place, message in enumerate(kept, 1)}
    records = []
    for message in kept:
        given.losses.shortened += len(message.text) > MAX_MESSAGE_CHARS
        records.append(
            MessageRecord(
                id=number[message.id],
                parent=number.get(message.parent or ""),
                role=message.role,  # type: ignore[arg-type]
                text=message.text[:MAX_MESSAGE_CHARS],
                created_at=began if message.at == BEGINNING else message.at,
            )
        )
    return ConversationRecord(
        id=given.id[:200],
        title=given.title,
        title_source="model",
        system_prompt=given.system_prompt[:MAX_SYSTEM_PROMPT_CHARS],
        pinned_at=latest if given.is_pinned else None,
        archived_at=latest if given.is_archived else None,
        created_at=began,
        updated_at=latest,
        leaf=number.get(shown or "") or (len(kept) or None),
        messages=records,
    )


def sort_parents_first(by_id: dict[str, SourceMessage]) -> list[SourceMessage]:
    """In the order of the file, each after the one that it follows. Where they go in a circle it is cut open."""
    ordered: list[SourceMessage] = []
    seen: set[str] = set()
    for start in by_id.values():
        way: list[SourceMessage] = []
        message: SourceMessage | None = start
        while message is not None and message.id not in seen:
            seen.add(message.id)
            way.append(message)
            message = by_id.get(message.parent or "")
        circle = next((n for n, one in enumerate(way) if one is message), None)
        if circle is not None:  # the first of it in the file is where it begins
            way[circle].parent = None
            ordered.append(way.pop(circle))
        ordered += reversed(way)
    return ordered


def find_visible(by_id: dict[str, SourceMessage], id: str | None) -> str | None:
    """The message itself, or the nearest above it that people see."""
    seen = set()
    while (message := by_id.get(id or "")) is not None and message.id not in seen:
        if message.is_visible:
            return message.id
        seen.add(message.id)
        id = message.parent
    return None


def join_same_speakers(
    by_id: dict[str, SourceMessage], ordered: list[SourceMessage], shown: str | None
) -> list[SourceMessage]:
    """What people see, without two in a row by one speaker: the later has the words of both. Where several followed
    one, each becomes a version with the same beginning."""
    made: dict[str, SourceMessage] = {}
    joined: set[str] = set()
    answered: set[str] = set()  # by the other speaker
    for message in ordered:
        if not message.is_visible:
            continue
        parent = find_visible(by_id, message.parent)
        message = made[message.id] = replace(message, parent=parent)
        if parent is None:
            continue
        before = made[parent]
        if before.role == message.role:
            message.text = f"{before.text}\n\n{message.text}"
            message.parent = before.parent
            joined.add(parent)
        else:
            answered.add(parent)
    return [one for one in made.values() if one.id not in joined or one.id in answered or one.id == shown]
