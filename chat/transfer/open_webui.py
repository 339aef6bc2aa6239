"""Open WebUI's export of chats: a list of chats, each with the history of its messages as a tree."""

import re
from typing import Any

from chat.transfer.tree import Losses, SourceConversation, SourceMessage, link_messages
from chat.transfer.values import read_dict, read_dicts, read_list, read_moment, read_text

# What a model thought and what its tools did, folded away above an answer.
DETAILS = re.compile(
    r'<details\b[^>]*\btype="(?:reasoning|tool_calls|code_interpreter)"[^>]*>.*?</details>\s*', re.DOTALL
)


def chat_of(entry: dict[str, Any]) -> dict[str, Any]:
    """The chat in an entry; older files have it without anything around it."""
    return read_dict(entry.get("chat")) or entry


def is_open_webui(entry: dict[str, Any]) -> bool:
    chat = chat_of(entry)
    has_history = isinstance(read_dict(chat.get("history")).get("messages"), dict)
    return has_history or ("chat" in entry and isinstance(chat.get("messages"), list))


def read_conversation(entry: dict[str, Any]) -> SourceConversation:
    chat = chat_of(entry)
    history = read_dict(chat.get("history"))
    losses = Losses()
    by_id = read_dict(history.get("messages"))
    listed = list(by_id.items()) if by_id else [(f"#{n}", one) for n, one in enumerate(read_list(chat.get("messages")))]
    messages = [read_message(id, one, losses) for id, one in listed if isinstance(one, dict)]
    losses.messages += len(listed) - len(messages)
    link_messages(
        messages, ((str(child), id) for id, one in listed for child in read_list(read_dict(one).get("childrenIds")))
    )
    return SourceConversation(
        source="openwebui",
        id=read_text(entry.get("id")) or read_text(chat.get("id")),
        title=read_text(entry.get("title")) or read_text(chat.get("title")),
        created_at=read_moment(entry.get("created_at"), chat.get("timestamp")),
        updated_at=read_moment(entry.get("updated_at"), entry.get("created_at"), chat.get("timestamp")),
        messages=messages,
        leaf=read_text(history.get("currentId")) or (messages[-1].id if messages else None),
        system_prompt=read_text(chat.get("system")) or read_text(read_dict(chat.get("params")).get("system")),
        is_archived=entry.get("archived") is True,
        is_pinned=entry.get("pinned") is True,
        losses=losses,
    )


def read_message(id: str, message: dict[str, Any], losses: Losses) -> SourceMessage:
    role = message.get("role")
    content = message.get("content")
    if isinstance(content, list):
        texts = (read_text(part.get("text")) for part in read_dicts(content) if part.get("type") == "text")
        text = "\n\n".join(one for one in texts if one)
    else:
        text = read_text(content)
    if role in ("user", "assistant"):
        losses.attachments += len(list(read_dicts(message.get("files"))))
    elif role not in ("system", "tool"):
        losses.messages += bool(text)
    return SourceMessage(
        read_text(message.get("id")) or id,
        read_text(message.get("parentId")) or None,
        role if role in ("user", "assistant") else "",
        DETAILS.sub("", text).strip() if "<details" in text else text,
        read_moment(message.get("timestamp")),
    )
