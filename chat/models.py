"""Conversations and what was said in them."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

TITLE_CHARS = 60
FOLDER_CHARS = 60


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


class MessageQuerySet(models.QuerySet["Message"]):
    def of(self, user_id: int) -> "MessageQuerySet":
        return self.filter(conversation__owner_id=user_id)

    def said(self) -> "MessageQuerySet":
        """Messages that have a text: questions, and answers that have come, whole or stopped."""
        return self.exclude(text="")


class Message(models.Model):
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
