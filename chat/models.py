"""Conversations and what was said in them."""

import uuid
from collections.abc import Collection
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db import models
from django.db.models import Case, OuterRef, Q, When
from django.db.models.expressions import RawSQL

from inference.models import Generation

TITLE_CHARS = 60
FOLDER_CHARS = 60
LONGEST_PATH = 1_000_000_000  # messages: no limit

# From a message up to the first one. It stops as soon as it has enough, however long the conversation is.
PATH = """
WITH RECURSIVE path(id, parent_id, place) AS (
    SELECT id, parent_id, 1 FROM chat_message WHERE id = ({first})
    UNION ALL
    SELECT m.id, m.parent_id, path.place + 1
    FROM chat_message m JOIN path ON m.id = path.parent_id
    WHERE path.place < %s
) SELECT id FROM path
"""
LAST = "coalesce(%s, (SELECT max(id) FROM chat_message WHERE conversation_id = %s))"
ABOVE = "SELECT parent_id FROM chat_message WHERE id = %s AND conversation_id = %s"

# A message and all that follows it, in every version.
BELOW = """
WITH RECURSIVE below(id) AS (
    SELECT %s::bigint
    UNION ALL
    SELECT m.id FROM chat_message m JOIN below ON m.parent_id = below.id
) SELECT id FROM below
"""


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def of(self, user_id: int) -> "ConversationQuerySet":
        return self.filter(owner_id=user_id)


class Conversation(models.Model):
    class TitleSource(models.TextChoices):
        WORDS = "words", "first words of the first question"
        MODEL = "model", "made by the model"
        OWNER = "owner", "written by the owner"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="conversations")
    title = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=200, blank=True, help_text="Empty: the default model.")
    system_prompt = models.TextField(blank=True, help_text="Empty: the owner's, else the site's.")
    temperature = models.FloatField(null=True, blank=True, help_text="Empty: the owner's, else the model's own.")
    title_source = models.CharField(max_length=10, choices=TitleSource, default=TitleSource.WORDS)
    folder = models.CharField(max_length=FOLDER_CHARS, blank=True)
    leaf = models.ForeignKey(
        "chat.Message",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="Last message of what is shown.",
    )
    pinned_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True, help_text="Gone from every list; removed for good later.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[ConversationQuerySet] = ConversationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [models.Index(fields=["owner", "-updated_at"], name="conversations_of_owner")]

    def __str__(self) -> str:
        return self.title or str(self.id)

    @staticmethod
    def title_from(text: str) -> str:
        """A title from the first words of a question."""
        words = " ".join(text.split())
        return words if len(words) <= TITLE_CHARS else words[:TITLE_CHARS].rsplit(" ", 1)[0] + "…"

    def path(self, limit: int | None = None, before: int | None = None, leaf: int | None = None) -> "MessageQuerySet":
        """The messages that are shown, newest first: the last one and what led to it.

        At most `limit` of them; with `before`, those that led to that message of this conversation; with `leaf`, as if
        that message were the last. One query, whose cost is that of the messages it gives. Add `.with_versions()` and
        `.select_related("generation")` as needed.
        """
        first, values = (ABOVE, [before, self.pk]) if before is not None else (LAST, [leaf or self.leaf_id, self.pk])
        values.append(limit or LONGEST_PATH)
        path = RawSQL(PATH.format(first=first), values)
        return Message.objects.filter(id__in=path).order_by("-id")

    def add(self, role: str, text: str = "", **fields: Any) -> "Message":
        """Write a message after the last one that is shown. The next is written after this one."""
        parent = fields.pop("parent", None) or self.path(limit=1).first()
        self.leaf = self.messages.create(role=role, text=text, parent=parent, **fields)
        self.save(update_fields=["leaf", "updated_at"])
        return self.leaf


class MessageQuerySet(models.QuerySet["Message"]):
    def of(self, user_id: int) -> "MessageQuerySet":
        return self.filter(conversation__owner_id=user_id)

    def said(self) -> "MessageQuerySet":
        """Messages that have a text: questions, and answers that have come, whole or stopped."""
        return self.exclude(text="")

    def growing(self, user_ids: Collection[int]) -> dict[int, frozenset[uuid.UUID]]:
        """The conversations of each of these people in which answers wait or grow now."""
        open_ones = Generation.objects.open().filter(owner_id__in=user_ids, message__isnull=False)
        found: dict[int, set[uuid.UUID]] = {}
        for user_id, conversation in open_ones.values_list("owner_id", "message__conversation_id"):
            found.setdefault(user_id, set()).add(conversation)
        return {user_id: frozenset(conversations) for user_id, conversations in found.items()}

    def with_versions(self) -> "MessageQuerySet":
        """Each with `versions`, the ids of what was said in its place, itself among them, oldest first.

        An answer that another one continues is not told apart from it.
        """
        others = Message.objects.filter(continued_by=None).order_by("id").values("id")
        beside = others.filter(parent=OuterRef("parent"))
        first = others.filter(parent=None, conversation=OuterRef("conversation"))
        return self.annotate(versions=Case(When(parent=None, then=ArraySubquery(first)), default=ArraySubquery(beside)))


class Message(models.Model):
    """A question or an answer. Versions of one have the same parent; a child's id is above its parent's.

    The parent of a question is the answer before it, that of an answer its question.
    """

    class Role(models.TextChoices):
        USER = "user"
        ASSISTANT = "assistant"

    id = models.BigAutoField(primary_key=True)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages")
    parent = models.ForeignKey(
        "self",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="children",
        help_text="What it follows; none: the first.",
    )
    role = models.CharField(max_length=10, choices=Role)
    text = models.TextField(blank=True, help_text="Of an answer: empty until it has ended.")
    html = models.TextField(blank=True, help_text="The text, rendered and sanitised once; empty: not rendered yet.")
    generation = models.OneToOneField(
        "inference.Generation", models.SET_NULL, null=True, blank=True, related_name="message"
    )
    continues = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="continued_by",
        help_text="Of an answer: the stopped one whose text it begins with.",
    )
    client_key = models.UUIDField(null=True, help_text="Made by the page, so that a question sent twice is asked once.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[MessageQuerySet] = MessageQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "client_key"], condition=Q(client_key__isnull=False), name="asked_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.pk}"

    @property
    def begun(self) -> str:
        """What an answer begins with that its generation did not write: the text of the one that it continues.

        Without blanks at its end, since models write better after a word than after a blank.
        """
        return self.continues.text.rstrip() if self.continues is not None else ""

    def newest_below(self) -> int:
        """The id of the newest message that follows this one in any version, or its own. Nothing follows that one."""
        ids = Message.objects.filter(id__in=RawSQL(BELOW, [self.pk]))
        newest: int = ids.order_by("-id").values_list("id", flat=True)[0]
        return newest

    @property
    def ending(self) -> bool:
        """Whether nothing follows it yet."""
        return not self.children.exists()


class Share(models.Model):
    """A link under which anybody may read a conversation as it was when the link was made, until it is withdrawn."""

    token = models.CharField(max_length=43, unique=True, help_text="256 random bits in base64.")
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="shares")
    leaf = models.ForeignKey(Message, models.CASCADE, related_name="+", help_text="Last message that it shows.")
    with_name = models.BooleanField(default=False, help_text="Whether the owner's name is shown.")
    created_at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.conversation_id} {self.created_at:%Y-%m-%d}"
