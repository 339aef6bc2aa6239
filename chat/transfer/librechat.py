"""LibreChat's export of a conversation as JSON: its messages in a list, or each with its `children`."""

from collections.abc import Iterator
from typing import Any

from chat.transfer.tree import Losses, SourceConversation, SourceMessage, link_messages
from chat.transfer.values import read_dict, read_dicts, read_list, read_moment, read_text


def is_librechat(entry: dict[str, Any]) -> bool:
    return isinstance(messages_of(entry), list) and ("conversationId" in entry or "endpoint" in entry)


def messages_of(entry: dict[str, Any]) -> Any:
    return entry.get("messages") or entry.get("messagesTree") or []


def read_conversation(entry: dict[str, Any]) -> SourceConversation:
    losses = Losses()
    messages: list[SourceMessage] = []
    for number, (message, parent) in enumerate(walk_messages(messages_of(entry))):
        if not isinstance(message, dict):
            losses.messages += 1
            continue
        messages.append(read_message(number, message, parent, losses))
    link_messages(messages)
    options = read_dict(entry.get("options"))
    return SourceConversation(
        source="librechat",
        id=read_text(entry.get("conversationId")),
        title=read_text(entry.get("title")),
        created_at=read_moment(entry.get("createdAt")),
        updated_at=read_moment(entry.get("updatedAt")),
        messages=messages,
        leaf=messages[-1].id if messages else None,
        system_prompt=read_text(options.get("promptPrefix")) or read_text(options.get("system")),
        is_archived=entry.get("isArchived") is True,
        losses=losses,
    )


def walk_messages(messages: Any) -> Iterator[tuple[Any, str | None]]:
    """All messages, each with the id of the one that has it among its children, those above first."""
    waiting: list[tuple[Any, str | None]] = [(one, None) for one in reversed(read_list(messages))]
    while waiting:
        message, parent = waiting.pop()
        yield message, parent
        below = read_list(read_dict(message).get("children"))
        waiting += [(one, read_text(message.get("messageId")) or parent) for one in reversed(below)]


def read_message(number: int, message: dict[str, Any], above: str | None, losses: Losses) -> SourceMessage:
    mine = message.get("isCreatedByUser")
    if not isinstance(mine, bool):
        mine = str(message.get("sender") or message.get("role")).lower() == "user"
    text = read_content(message) if not message.get("error") else ""
    if text:
        losses.attachments += len(list(read_dicts(message.get("files"))))
    return SourceMessage(
        read_text(message.get("messageId")) or f"#{number}",
        read_text(message.get("parentMessageId")) or above,
        "user" if mine else "assistant",
        text,
        read_moment(message.get("createdAt"), message.get("updatedAt")),
    )


def read_content(message: dict[str, Any]) -> str:
    """What was said: of an answer in parts those that are text, not what a model thought or its tools did."""
    texts = []
    for part in read_dicts(message.get("content")):
        if part.get("type") == "text":
            text = part.get("text")
            texts.append(read_text(text.get("value")) if isinstance(text, dict) else read_text(text))
    return "\n\n".join(text for text in texts if text.strip()) or read_text(message.get("text"))
