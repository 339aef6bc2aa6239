"""Claude's export (`conversations.json`): a list of conversations, each with its `chat_messages`."""

from typing import Any

from chat.transfer.tree import Losses, SourceConversation, SourceMessage, link_messages
from chat.transfer.values import read_dicts, read_moment, read_text

ROLES = {"human": "user", "user": "user", "assistant": "assistant"}


def is_claude(entry: dict[str, Any]) -> bool:
    return isinstance(entry.get("chat_messages"), list)


def read_conversation(entry: dict[str, Any]) -> SourceConversation:
    losses = Losses()
    messages = [read_message(n, message, losses) for n, message in enumerate(read_dicts(entry["chat_messages"]))]
    losses.messages += len(entry["chat_messages"]) - len(messages)
    link_messages(messages)
    return SourceConversation(
        source="claude",
        id=read_text(entry.get("uuid")),
        title=read_text(entry.get("name")),
        created_at=read_moment(entry.get("created_at")),
        updated_at=read_moment(entry.get("updated_at"), entry.get("created_at")),
        messages=messages,
        leaf=read_text(entry.get("current_leaf_message_uuid")) or (messages[-1].id if messages else None),
        is_pinned=entry.get("is_starred") is True,
        losses=losses,
    )


def read_message(number: int, message: dict[str, Any], losses: Losses) -> SourceMessage:
    texts = [read_text(part.get("text")) for part in read_dicts(message.get("content")) if part.get("type") == "text"]
    text = "\n\n".join(text for text in texts if text.strip()) or read_text(message.get("text"))
    pasted = [quote_paste(one) for one in read_dicts(message.get("attachments")) if one.get("extracted_content")]
    losses.attachments += len(list(read_dicts(message.get("files"))))
    role = ROLES.get(str(message.get("sender")), "")
    text = "\n\n".join([*pasted, text] if text else pasted)
    losses.messages += bool(text and not role)
    parent = read_text(message.get("parent_message_uuid")) or None
    id = read_text(message.get("uuid")) or f"#{number}"
    return SourceMessage(id, parent, role, text, read_moment(message.get("created_at")))  # type: ignore[arg-type]


def quote_paste(attachment: dict[str, Any]) -> str:
    """A long text that was pasted, which is kept beside the message."""
    text = read_text(attachment.get("extracted_content")).strip("\n")
    fence = "`" * max(3, longest_run(text) + 1)
    name = read_text(attachment.get("file_name"))
    return f"{name}\n\n{fence}\n{text}\n{fence}".lstrip()


def longest_run(text: str) -> int:
    """How many backticks stand in a row at most."""
    longest = run = 0
    for char in text:
        run = run + 1 if char == "`" else 0
        longest = max(longest, run)
    return longest
