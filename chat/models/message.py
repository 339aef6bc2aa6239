"""Messages: questions and answers, and the versions of each."""

import uuid
from collections.abc import Collection
from typing import ClassVar

from django.contrib.postgres.expressions import ArraySubquery
from django.db import models
from django.db.models import Case, OuterRef, Q, When
from django.db.models.expressions import RawSQL
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat.rendering.stored import mark_html
from inference.models import Generation
from inference.queue.outcome import strip_nul
from jarvis.lib.sql import read_sql

DESCENDANTS_SQL = read_sql(__file__, "descendants")


class MessageQuerySet(models.QuerySet["Message"]):
    def for_user(self, user_id: int) -> "MessageQuerySet":
        return self.filter(conversation__owner_id=user_id, conversation__deleted_at=None)

    def with_text(self) -> "MessageQuerySet":
        """Messages that have a text: questions, and answers that have come, whole or stopped."""
        return self.exclude(text="")

    def store_html(self, generation: uuid.UUID, text: str, html: str) -> None:
        """Keep the HTML of an answer that has ended, if that is its text."""
        self.filter(generation_id=generation, text=strip_nul(text)).update(html=mark_html(html))

    def open_conversations(self, user_ids: Collection[int]) -> dict[int, frozenset[uuid.UUID]]:
        """The conversations of each of these people in which answers wait or grow now."""
        open_ones = Generation.objects.open().filter(owner_id__in=user_ids, message__isnull=False)
        found: dict[int, set[uuid.UUID]] = {}
        for user_id, conversation in open_ones.values_list("owner_id", "message__conversation_id"):
            found.setdefault(user_id, set()).add(conversation)
        return {user_id: frozenset(conversations) for user_id, conversations in found.items()}

    def with_versions(self) -> "MessageQuerySet":
        """Each with `versions`, the ids of all messages in its place, its own among them, oldest first.

        An answer and the one that continues it count as one version, under the id of the latter.
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
    conversation = models.ForeignKey("chat.Conversation", models.CASCADE, related_name="messages")
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
    created_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[MessageQuerySet] = MessageQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "client_key"], condition=Q(client_key__isnull=False), name="asked_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.pk}"

    @property
    def prefix(self) -> str:
        """What an answer begins with that its generation did not write: the text of the one that it continues.

        Without blanks at its end, since models write better after a word than after a blank.
        """
        return self.continues.text.rstrip() if self.continues is not None else ""

    def newest_below(self) -> int:
        """The id of the newest message that follows this one in any version, or its own. Nothing follows that one."""
        ids = Message.objects.filter(id__in=RawSQL(DESCENDANTS_SQL, [self.pk]))
        newest: int = ids.order_by("-id").values_list("id", flat=True)[0]
        return newest

    @property
    def is_last(self) -> bool:
        """Whether nothing follows it yet."""
        return not self.children.exists()
