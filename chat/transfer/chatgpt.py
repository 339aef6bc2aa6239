"""ChatGPT's export (`conversations.json`), which is undocumented; this reads what its files of 2023 to 2026 have.

Each conversation has a `mapping` from node ids to nodes with `parent`, `children` and `message`, most of which people
never see: system prompts, tools, hidden context.
"""

import re
from typing import Any

from chat.transfer.tree import Losses, Role, SourceConversation, SourceMessage, link_messages
from chat.transfer.values import read_dict, read_dicts, read_list, read_moment, read_text

TEXT_CONTENT_TYPES = ("text", "multimodal_text")  # contents that people see as messages
TEXT_PARTS = ("audio_transcription", "text", "")  # what was said by voice, or is text in a part of its own

# Marks of what an answer cites, in characters for private use: one that opens, one between values, one that closes.
MARK = re.compile("[ \t]?\ue200(\\w*)((?:\ue202[^\ue200\ue201\ue202\n]*)*)\ue201?")
LEFT_MARKS = re.compile("[\ue200-\ue20f]")  # such as those around what is cited
NAMED = {"entity": re.compile(r'^\[\s*"[^"]*"\s*,\s*"((?:[^"\\]|\\.)*)"'), "url": re.compile(r"^(.*)$")}
OLD_MARK = re.compile(r"【\d+(?::\d+)?†[^】\n]*】")


def is_chatgpt(entry: dict[str, Any]) -> bool:
    return isinstance(entry.get("mapping"), dict)


def read_conversation(entry: dict[str, Any]) -> SourceConversation:
    mapping = {id: node for id, node in entry["mapping"].items() if isinstance(node, dict)}
    losses = Losses()
    messages = [read_message(id, node, losses) for id, node in mapping.items()]
    link_messages(messages, ((str(child), id) for id in mapping for child in read_list(mapping[id].get("children"))))
    return SourceConversation(
        source="chatgpt",
        id=read_text(entry.get("conversation_id")) or read_text(entry.get("id")) or " ".join(entry["mapping"]),
        title=read_text(entry.get("title")),
        created_at=read_moment(entry.get("create_time")),
        updated_at=read_moment(entry.get("update_time"), entry.get("create_time")),
        messages=messages,
        leaf=read_text(entry.get("current_node")),
        is_archived=entry.get("is_archived") is True,
        is_pinned=entry.get("is_starred") is True,
        losses=losses,
    )


def read_message(id: str, node: dict[str, Any], losses: Losses) -> SourceMessage:
    message, parent = read_dict(node.get("message")), read_text(node.get("parent"))
    role = read_role(message)
    said = message.get("content")
    content = {"parts": [said]} if isinstance(said, str) else read_dict(said)
    text = read_content(content) if role is None or role else ""
    if role and text:
        losses.attachments += count_attachments(content, read_dict(message.get("metadata")))
    if role is None:  # somebody said it, but nobody knows who
        losses.messages += bool(text)
    metadata = read_dict(message.get("metadata"))
    return SourceMessage(id, parent, role or "", clean_marks(text, metadata), read_moment(message.get("create_time")))


def read_role(message: dict[str, Any]) -> Role | None:
    """Whose message it is; empty where people do not see it, None where it does not say."""
    hidden = read_dict(message.get("metadata")).get("is_visually_hidden_from_conversation") is True
    if not message or hidden or message.get("recipient") not in (None, "all"):
        return ""
    role = read_dict(message.get("author")).get("role")
    if role in ("user", "assistant"):
        return role  # type: ignore[no-any-return]
    return "" if isinstance(role, str) and role else None


def read_content(content: dict[str, Any]) -> str:
    """What people see of it; empty where they see nothing."""
    if content.get("content_type", "text") not in TEXT_CONTENT_TYPES:
        return ""
    parts = content.get("parts")
    found = [read_part(part) for part in (parts if isinstance(parts, list) else [parts or content.get("text")])]
    return "\n\n".join(text for text in found if text.strip())


def read_part(part: Any) -> str:
    if isinstance(part, dict):
        kind = part.get("content_type") or part.get("type") or ""
        return read_text(part.get("text")) if kind in TEXT_PARTS else ""
    return read_text(part) if isinstance(part, str) else ""


def count_attachments(content: dict[str, Any], metadata: dict[str, Any]) -> int:
    pictures = sum("asset_pointer" in str(part.get("content_type")) for part in read_dicts(content.get("parts")))
    spoken = any(part.get("content_type") == "audio_transcription" for part in read_dicts(content.get("parts")))
    return 0 if spoken else max(pictures, len(list(read_dicts(metadata.get("attachments")))))


def clean_marks(text: str, metadata: dict[str, Any]) -> str:
    """A text without marks of what it cites: a link in their place where the file has one."""
    if "\ue200" not in text and "【" not in text and not LEFT_MARKS.search(text):
        return text
    for reference in read_dicts(metadata.get("content_references")):
        mark, link = reference.get("matched_text"), reference.get("alt")
        if isinstance(mark, str) and "\ue200" in mark and isinstance(link, str):
            text = text.replace(mark, read_text(link))
    return OLD_MARK.sub("", LEFT_MARKS.sub("", MARK.sub(name_mark, text))).strip()


def name_mark(match: re.Match[str]) -> str:
    """What stands for a mark: the name of a thing or a page, else nothing."""
    named = NAMED.get(match[1])
    if named and (found := named.match(match[2].lstrip("\ue202").split("\ue202")[0])):
        blank = match[0][0] if match[0][0] in " \t" else ""
        return blank + found[1].replace('\\"', '"')
    return ""
