"""ChatGPT's export (`conversations.json`), read into our own shapes.

It is undocumented; this reads what its files of 2023 to 2026 have. Each conversation has a `mapping` from node ids to
nodes with `parent`, `children` and `message`, most of which people never see: system prompts, tools, hidden context.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from chat.transfer.format import (
    MAX_CONVERSATIONS_PER_FILE,
    MAX_MESSAGE_CHARS,
    MAX_MESSAGES_PER_CONVERSATION,
    ConversationRecord,
    MessageRecord,
)

TEXT_CONTENT_TYPES = ("text", "multimodal_text")  # contents that people see as messages


class Author(msgspec.Struct):
    role: str


class Content(msgspec.Struct):
    content_type: str = ""
    parts: list[Any] | None = None


class ChatGptMetadata(msgspec.Struct):
    is_visually_hidden_from_conversation: bool | None = None


class ChatGptMessage(msgspec.Struct):
    author: Author
    content: Content | None = None
    create_time: float | None = None
    recipient: str | None = None
    metadata: ChatGptMetadata | None = None

    @property
    def text(self) -> str:
        """What people see of it; empty where they see nothing."""
        hidden = self.metadata is not None and self.metadata.is_visually_hidden_from_conversation
        to_a_tool = self.recipient not in (None, "all")
        if hidden or to_a_tool or self.content is None or self.content.content_type not in TEXT_CONTENT_TYPES:
            return ""
        return "\n\n".join(part for part in self.content.parts or [] if isinstance(part, str) and part.strip())


class Node(msgspec.Struct):
    message: ChatGptMessage | None = None
    parent: str | None = None


class ChatGptConversation(msgspec.Struct):
    mapping: Annotated[dict[str, Node], Meta(max_length=4 * MAX_MESSAGES_PER_CONVERSATION)]
    title: str | None = None
    create_time: float | None = None
    update_time: float | None = None
    current_node: str | None = None
    conversation_id: str | None = None
    id: str | None = None
    is_archived: bool | None = None


Export = Annotated[list[ChatGptConversation], Meta(max_length=MAX_CONVERSATIONS_PER_FILE)]


class Unreadable(ValueError):
    """Something that the shapes cannot say: a message that is too long, a tree that is none."""


def convert_conversation(number: int, given: ChatGptConversation) -> ConversationRecord:
    """A conversation of the export in our shape. Raises Unreadable."""
    spoken = [id for id in sort_nodes(number, given) if is_visible(given.mapping[id])]
    above = {id: nearest_visible(given, given.mapping[id].parent) for id in spoken}
    parents, texts, gone = join_messages(given, spoken, above)
    left = [id for id in spoken if id not in gone]
    place = {id: index for index, id in enumerate(left, 1)}
    if len(left) > MAX_MESSAGES_PER_CONVERSATION:
        raise Unreadable(f"$[{number}]: {len(left)} messages; {MAX_MESSAGES_PER_CONVERSATION} are allowed")
    for id in left:
        if len(texts[id]) > MAX_MESSAGE_CHARS:
            raise Unreadable(
                f"$[{number}].mapping[{id[:50]!r}]: {len(texts[id])} characters; {MAX_MESSAGE_CHARS} are allowed"
            )
    began = parse_moment(given.create_time)
    messages = [
        MessageRecord(
            id=place[id],
            parent=place.get(parents[id] or ""),
            role=message_role(given, id),  # type: ignore[arg-type]
            text=texts[id],
            created_at=parse_moment(creation_time(given, id) or given.create_time),
        )
        for id in left
    ]
    shown = nearest_visible(given, given.current_node)
    return ConversationRecord(
        id=given.conversation_id or given.id or " ".join(given.mapping),
        title=given.title or "",
        title_source="model",
        archived_at=parse_moment(given.update_time) if given.is_archived else None,
        created_at=began,
        updated_at=parse_moment(given.update_time or given.create_time),
        leaf=place.get(shown or "") or (len(left) or None),
        messages=messages,
    )


def is_visible(node: Node) -> bool:
    return node.message is not None and node.message.author.role in ("user", "assistant") and bool(node.message.text)


def message_role(given: ChatGptConversation, id: str) -> str:
    message = given.mapping[id].message
    assert message is not None
    return message.author.role


def creation_time(given: ChatGptConversation, id: str) -> float | None:
    message = given.mapping[id].message
    return message.create_time if message is not None else None


def sort_nodes(number: int, given: ChatGptConversation) -> list[str]:
    """The ids of the nodes, parents first, in the order of the file. Raises Unreadable where they go in a circle."""
    ordered: list[str] = []
    depth: dict[str, int] = {}
    for start in given.mapping:
        way: list[str] = []
        id: str | None = start
        while id is not None and id in given.mapping and id not in depth:
            way.append(id)
            depth[id] = -1  # on the way
            id = given.mapping[id].parent
        if id is not None and depth.get(id) == -1:
            raise Unreadable(f"$[{number}].mapping[{id[:50]!r}]: its parents go in a circle")
        for step in reversed(way):
            depth[step] = 1
            ordered.append(step)
    return ordered


def nearest_visible(given: ChatGptConversation, id: str | None) -> str | None:
    """The node itself or the nearest above it that people see."""
    while id is not None and (node := given.mapping.get(id)) is not None:
        if is_visible(node):
            return id
        id = node.parent
    return None


def join_messages(
    given: ChatGptConversation, spoken: list[str], above: dict[str, str | None]
) -> tuple[dict[str, str | None], dict[str, str], set[str]]:
    """Parents and texts, and those that are gone because what followed them by the same speaker has their words too.

    Two answers in a row are what an assistant said before and after it used a tool: here they are one answer, as
    models want it. Where several followed one, each becomes a version with the same beginning.
    """
    parents, texts, gone = dict(above), {}, set()
    others: set[str] = set()  # that somebody else answered
    for id in spoken:
        message = given.mapping[id].message
        assert message is not None
        texts[id] = message.text
        before = parents[id]
        if before is None:
            continue
        if message_role(given, before) == message_role(given, id):
            texts[id] = f"{texts[before]}\n\n{texts[id]}"
            parents[id] = parents[before]
            gone.add(before)
        else:
            others.add(before)
    shown = nearest_visible(given, given.current_node)
    return parents, texts, {id for id in gone if id not in others and id != shown}


def parse_moment(seconds: float | None) -> datetime:
    """A time of the file; the beginning of time where it is none, for whoever stores it to mend."""
    try:
        return datetime.fromtimestamp(seconds or 0, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
