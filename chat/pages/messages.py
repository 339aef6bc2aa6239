"""What is shown of a conversation, page by page, and the HTML that is kept with each answer."""

import time
from collections.abc import Iterable
from uuid import UUID

from chat.models import Conversation, Message
from chat.rendering.markdown import plain, render
from inference.queue.outcome import clean

PAGE = 50  # messages
MARK = (
    "<!--1-->"  # before HTML that is kept: which version of the renderer made it. Raise it with every change of that.
)
PATIENCE = 1.0  # seconds that a page spends on rendering what has never been looked at; the rest is shown plain
GENERATION_FIELDS = ("status", "error_code", "error_message", "finish_reason", "model")


def shown(
    conversation: Conversation, before: int | None = None, limit: int = PAGE, leaf: int | None = None
) -> list[Message]:
    """The messages that are shown before a message, or the last ones: newest first, `limit` at most."""
    fields = [f"generation__{name}" for name in GENERATION_FIELDS]
    path = conversation.path(limit, before, leaf).with_versions().select_related("generation")
    return list(path.only("role", "text", "html", "created_at", "client_key", "conversation_id", "parent_id", *fields))


def page(
    conversation: Conversation, before: int | None = None, leaf: int | None = None, limit: int = PAGE
) -> tuple[list[Message], int | None]:
    """The messages of a page, oldest first and rendered, and the one before which the page before it ends."""
    messages = shown(conversation, before, limit + 1, leaf)
    earlier = messages[limit - 1].pk if len(messages) > limit else None
    messages = messages[:limit][::-1]
    fill(messages)
    return messages, earlier


def page_with(hit: Message, conversation: Conversation) -> tuple[list[Message], int | None, bool]:
    """A page that reaches up to a message, such as a hit of a search, and whether that is in another version than the
    one that is shown: then on the way to the newest message that follows it."""
    ids = list(conversation.path().values_list("id", flat=True))
    elsewhere = hit.pk not in ids
    leaf = hit.newest_below() if elsewhere else None
    if leaf:
        ids = list(conversation.path(leaf=leaf).values_list("id", flat=True))
    return *page(conversation, leaf=leaf, limit=max(PAGE, ids.index(hit.pk) + 5)), elsewhere


def fill(messages: Iterable[Message]) -> None:
    """Give answers that have no HTML theirs, and keep it: of imported ones, say, or those that nobody has looked at."""
    until = time.monotonic() + PATIENCE
    made = []
    for message in messages:
        if message.role != Message.Role.ASSISTANT or not message.text or message.html.startswith(MARK):
            continue
        if time.monotonic() < until:
            scope = scope_of(message.generation_id) if message.generation_id else f"{message.pk}"
            message.html = MARK + render(message.text, scope)
            made.append(message)
        else:
            message.html = plain(message.text)
    if made:
        Message.objects.bulk_update(made, ["html"])


def keep(generation: UUID, text: str, html: str) -> None:
    """Keep the HTML of an answer that has ended, if that is its text."""
    Message.objects.filter(generation_id=generation, text=clean(text)).update(html=MARK + html)


def scope_of(generation: UUID) -> str:
    """What tells the footnotes of an answer from those of others on its page."""
    return generation.hex[:12]
