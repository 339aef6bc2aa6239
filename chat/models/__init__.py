"""Conversations, what was said in them, and the links that show them."""

from chat.models.conversation import MAX_FOLDER_CHARS, Conversation, ConversationQuerySet
from chat.models.message import Message, MessageQuerySet
from chat.models.search import SearchEntry, SearchWord
from chat.models.share import Share, ShareQuerySet, new_token

__all__ = [
    "MAX_FOLDER_CHARS",
    "Conversation",
    "ConversationQuerySet",
    "Message",
    "MessageQuerySet",
    "SearchEntry",
    "SearchWord",
    "Share",
    "ShareQuerySet",
    "new_token",
]
