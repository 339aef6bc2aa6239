"""What is shown of a conversation, page by page, with the HTML of each answer."""

import time
from collections.abc import Iterable

from chat.models import Conversation, Message
from chat.render_process import render_whole
from chat.rendering.markdown import render_plain
from chat.rendering.stored import footnote_scope, is_current, mark_html

MAX_PAGE_MESSAGES = 50
MAX_RENDER_SECONDS = 1.0  # that a page spends on answers without HTML; the rest is shown plain
GENERATION_FIELDS = ("status", "error_code", "finish_reason", "model")


def select_messages(
    conversation: Conversation, before: int | None = None, limit: int = MAX_PAGE_MESSAGES, leaf: int | None = None
) -> list[Message]:
    """The messages that are shown before a message, or the last ones: newest first, `limit` at most."""
    fields = [f"generation__{name}" for name in GENERATION_FIELDS]
    path = conversation.path(limit, before, leaf).with_versions().select_related("generation")
    return list(path.only("role", "text", "html", "created_at", "client_key", "conversation_id", "parent_id", *fields))


def message_page(
    conversation: Conversation, before: int | None = None, leaf: int | None = None, limit: int = MAX_PAGE_MESSAGES
) -> tuple[list[Message], int | None]:
    """The messages of a page, oldest first and rendered, and the one before which the page before it ends."""
    messages = select_messages(conversation, before, limit + 1, leaf)
    earlier = messages[limit - 1].pk if len(messages) > limit else None
    messages = messages[:limit][::-1]
    fill_html(messages)
    return messages, earlier


def page_around(hit: Message, conversation: Conversation) -> tuple[list[Message], int | None, bool]:
    """A page that reaches up to a message, such as a hit of a search, and whether that is in another version than the
    one that is shown: then on the way to the newest message that follows it."""
    ids = list(conversation.path().values_list("id", flat=True))
    elsewhere = hit.pk not in ids
    leaf = hit.newest_below() if elsewhere else None
    if leaf:
        ids = list(conversation.path(leaf=leaf).values_list("id", flat=True))
    return *message_page(conversation, leaf=leaf, limit=max(MAX_PAGE_MESSAGES, ids.index(hit.pk) + 5)), elsewhere


def fill_html(messages: Iterable[Message]) -> None:
    """Render and store the HTML of answers that have none, such as imported ones and those that nobody has opened."""
    until = time.monotonic() + MAX_RENDER_SECONDS
    made = []
    for message in messages:
        if message.role != Message.Role.ASSISTANT or not message.text or is_current(message.html):
            continue
        left = until - time.monotonic()
        scope = footnote_scope(message.generation_id) if message.generation_id else f"{message.pk}"
        html, is_final = render_whole(message.text, scope, left) if left > 0 else (render_plain(message.text), False)
        message.html = mark_html(html) if is_final else html
        if is_final:
            made.append(message)
    if made:
        Message.objects.bulk_update(made, ["html"])
