"""Links under which anybody may read a conversation."""

import secrets
from typing import ClassVar

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from chat.models.conversation import Conversation
from chat.models.message import Message

TOKEN_BYTES = 32


class ShareQuerySet(models.QuerySet["Share"]):
    def open(self) -> "ShareQuerySet":
        """Links that show something now."""
        return self.filter(withdrawn_at=None, conversation__deleted_at=None, conversation__owner__is_active=True)

    def for_user(self, user_id: int) -> "ShareQuerySet":
        return self.filter(conversation__owner_id=user_id)


def new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


class Share(models.Model):
    """A link under which anybody may read a conversation as it was when the link was made, until it is withdrawn."""

    token = models.CharField(max_length=43, unique=True, default=new_token, help_text="256 random bits in base64.")
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="shares")
    leaf = models.ForeignKey(Message, models.CASCADE, related_name="+", help_text="Last message that it shows.")
    with_name = models.BooleanField(default=False, help_text="Whether the owner's name is shown.")
    created_at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[ShareQuerySet] = ShareQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("shared link")
        verbose_name_plural = _("shared links")

    def __str__(self) -> str:
        return f"{self.conversation_id} {self.created_at:%Y-%m-%d}"

    def get_absolute_url(self) -> str:
        return reverse("shared", args=[self.token])

    def messages(self) -> "list[Message]":
        """What the link shows, in order."""
        fields = ("role", "text", "html", "generation_id")
        return list(self.conversation.path(leaf=self.leaf_id).with_text().only(*fields))[::-1]
