"""The JSON of an export: pure shapes."""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from jarvis.lib.config import MAX_SYSTEM_PROMPT_CHARS

FORMAT: Final = "jarvis-conversations"
VERSION: Final = 1
MAX_MESSAGE_CHARS = 1_000_000  # characters of a message
MAX_MESSAGES_PER_CONVERSATION = 20_000  # of a conversation
MAX_CONVERSATIONS_PER_FILE = 20_000  # of a file

Moment = Annotated[datetime, Meta(tz=True)]
Text = Annotated[str, Meta(max_length=MAX_MESSAGE_CHARS)]


class MessageRecord(msgspec.Struct, kw_only=True):
    """A message. Ids count from 1 within the conversation; a parent comes before what follows it."""

    id: int
    parent: int | None = None
    continues: int | None = None
    role: Literal["user", "assistant"]
    text: Text
    created_at: Moment


class ConversationRecord(msgspec.Struct, kw_only=True):
    """A conversation with all versions of what was said; `leaf` is the last message of those that are shown."""

    id: Annotated[str, Meta(min_length=1, max_length=200)]
    title: str = ""
    title_source: Literal["words", "model", "owner"] = "owner"
    model: Annotated[str, Meta(max_length=200)] = ""
    system_prompt: Annotated[str, Meta(max_length=MAX_SYSTEM_PROMPT_CHARS)] = ""
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    folder: str = ""
    pinned_at: Moment | None = None
    archived_at: Moment | None = None
    created_at: Moment
    updated_at: Moment
    leaf: int | None = None
    messages: Annotated[list[MessageRecord], Meta(max_length=MAX_MESSAGES_PER_CONVERSATION)]


class ExportFile(msgspec.Struct, kw_only=True):
    format: Literal["jarvis-conversations"]
    version: Literal[1]
    exported_at: Moment | None = None
    conversations: Annotated[list[ConversationRecord], Meta(max_length=MAX_CONVERSATIONS_PER_FILE)]
