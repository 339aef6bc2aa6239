"""Conversations and what was said in them."""

import secrets
import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db import models, transaction
from django.db.models import Case, Count, Exists, OuterRef, Q, When
from django.db.models.expressions import RawSQL
from django.urls import reverse
from django.utils import timezone

from inference.models import Generation

MAX_TITLE_CHARS = 60
MAX_FOLDER_CHARS = 60
RESTORE_PERIOD = timedelta(days=1)  # in which it can be brought back
TOKEN_BYTES = 32
MAX_PATH_MESSAGES = 1_000_000_000  # messages: no limit

# From a message up to the first one. It stops as soon as it has enough, however long the conversation is.
PATH_SQL = """
WITH RECURSIVE path(id, parent_id, place) AS (
    SELECT id, parent_id, 1 FROM chat_message WHERE id = ({first})
    UNION ALL
    SELECT m.id, m.parent_id, path.place + 1
    FROM chat_message m JOIN path ON m.id = path.parent_id
    WHERE path.place < %s
) SELECT id FROM path
"""
LAST_MESSAGE_SQL = "coalesce(%s, (SELECT max(id) FROM chat_message WHERE conversation_id = %s))"
PARENT_SQL = "SELECT parent_id FROM chat_message WHERE id = %s AND conversation_id = %s"

# A message and all that follows it, in every version.
NEWEST_BELOW_SQL = """
WITH RECURSIVE below(id) AS (
    SELECT %s::bigint
    UNION ALL
    SELECT m.id FROM chat_message m JOIN below ON m.parent_id = below.id
) SELECT id FROM below
"""

WITH_WORDS_SQL = """
chat_conversation.words @@ %s::tsquery
OR chat_conversation.id IN (SELECT conversation_id FROM chat_message WHERE words @@ %s::tsquery)
"""


class ConversationQuerySet(models.QuerySet["Conversation"]):
    # -- a person's collection

    def for_user(self, user_id: int) -> "ConversationQuerySet":
        """A person's conversations, but for those that were deleted."""
        return self.filter(owner_id=user_id, deleted_at=None)

    def for_user_with_deleted(self, user_id: int) -> "ConversationQuerySet":
        """Also those that were deleted and are still there."""
        return self.filter(owner_id=user_id)

    def newest_first(self) -> "ConversationQuerySet":
        return self.order_by("-updated_at", "-id")

    def older_than(self, at: datetime, id: uuid.UUID) -> "ConversationQuerySet":
        """Those that come after a given one in the order `newest`."""
        return self.filter(updated_at__lte=at).exclude(updated_at=at, id__gte=id)

    def outside_folders(self) -> "ConversationQuerySet":
        """Those that a list shows under their date: not pinned, in no folder, not archived."""
        return self.filter(archived_at=None, pinned_at=None, folder="")

    def pinned(self) -> "ConversationQuerySet":
        return self.filter(archived_at=None, pinned_at__isnull=False).order_by("-pinned_at")

    def in_folder(self, folder: str) -> "ConversationQuerySet":
        """Those that a list shows in a folder."""
        return self.filter(archived_at=None, pinned_at=None, folder=folder)

    def archived(self) -> "ConversationQuerySet":
        return self.filter(archived_at__isnull=False)

    def count_folders(self) -> list[tuple[str, int]]:
        """Names of folders by the alphabet, each with how many conversations a list shows in it."""
        shown = Count("id", filter=Q(archived_at=None, pinned_at=None))
        return list(self.exclude(folder="").order_by("folder").values_list("folder").annotate(count=shown))

    def past_restore(self) -> "ConversationQuerySet":
        """Deleted so long ago that they cannot be brought back."""
        return self.filter(deleted_at__lt=timezone.now() - RESTORE_PERIOD)

    def silent_since(self, moment: datetime) -> "ConversationQuerySet":
        """Those in which nothing was said from then on, and nothing is being said."""
        answering = Generation.objects.open().filter(message__conversation=OuterRef("pk"))
        return self.filter(~Exists(answering), updated_at__lt=moment)

    @transaction.atomic
    def destroy(self) -> dict[str, int]:
        """Delete for good with all that they hold, and empty the ledger's rows of them; how many rows of each kind."""
        chosen = list(self.select_for_update().values_list("id", flat=True))
        held = Q(message__conversation__in=chosen) | Q(
            id__in=self.model.objects.filter(id__in=chosen).values("titled_by")
        )
        Generation.objects.filter(held).forget_content()
        return Conversation.objects.filter(id__in=chosen).delete()[1]

    def with_words(self, query: str) -> "ConversationQuerySet":
        """Those in whose title or texts a tsquery finds something (`chat.search.compile_query`)."""
        if not query:
            return self.none()
        return self.filter(RawSQL(WITH_WORDS_SQL, [query, query], models.BooleanField()))

    def with_ready_title(self) -> "ConversationQuerySet":
        """Those whose title the model has found, or given up, and that have not been given it."""
        ended = self.filter(title_source=Conversation.TitleSource.WORDS, titled_by__finished_at__isnull=False)
        return ended.select_related("titled_by").filter(deleted_at=None)

    def without_title(self) -> "ConversationQuerySet":
        """Those whose first answer has come lately and that still have the first words for their title."""
        lately = timezone.now() - timedelta(hours=1)
        words = Conversation.TitleSource.WORDS
        fresh = self.filter(
            title_source=words, titled_by=None, deleted_at=None, imported_from="", updated_at__gt=lately
        )
        answers = Message.objects.filter(conversation=OuterRef("pk"), generation__status=Generation.Status.DONE)
        return fresh.filter(Exists(answers), deleted_at=None, imported_from="")


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
    folder = models.CharField(max_length=MAX_FOLDER_CHARS, blank=True)
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
    titled_by = models.OneToOneField(
        "inference.Generation",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="What makes its title.",
    )
    imported_from = models.CharField(max_length=100, blank=True, help_text="Where it had which id: `chatgpt:…`.")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True, help_text="When something was last said in it.")

    objects: ClassVar[ConversationQuerySet] = ConversationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [
            models.Index(fields=["owner", "-updated_at", "-id"], name="conversations_of_owner"),
            models.Index(
                fields=["owner", "-updated_at", "-id"],
                name="dated_conversations",
                condition=Q(deleted_at=None, archived_at=None, pinned_at=None, folder=""),
            ),
            models.Index(fields=["deleted_at"], name="deleted_conversations", condition=Q(deleted_at__isnull=False)),
            models.Index(
                fields=["updated_at"],
                name="conversations_to_title",
                condition=Q(title_source="words", titled_by=None, deleted_at=None, imported_from=""),
            ),
            models.Index(
                fields=["titled_by"],
                name="titles_to_give",
                condition=Q(title_source="words", titled_by__isnull=False, deleted_at=None),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "imported_from"],
                condition=~Q(imported_from="") & Q(deleted_at=None),
                name="imported_once",
            ),
        ]

    def __str__(self) -> str:
        """Its title; where that was not fetched, as in the admin, which is told nothing of what is said, its id."""
        fetched = "title" not in self.get_deferred_fields()
        return (fetched and self.title) or str(self.id)

    @staticmethod
    def make_title(text: str) -> str:
        """A title from the first words of a question."""
        words = " ".join(text.split())
        return words if len(words) <= MAX_TITLE_CHARS else words[:MAX_TITLE_CHARS].rsplit(" ", 1)[0] + "…"

    def path(self, limit: int | None = None, before: int | None = None, leaf: int | None = None) -> "MessageQuerySet":
        """The messages that are shown, newest first: the last one and what led to it.

        At most `limit` of them; with `before`, those that led to that message of this conversation; with `leaf`, as if
        that message were the last. One query, whose cost is that of the messages it gives. Add `.with_versions()` and
        `.select_related("generation")` as needed.
        """
        first, values = (
            (PARENT_SQL, [before, self.pk])
            if before is not None
            else (LAST_MESSAGE_SQL, [leaf or self.leaf_id, self.pk])
        )
        values.append(limit or MAX_PATH_MESSAGES)
        path = RawSQL(PATH_SQL.format(first=first), values)
        return Message.objects.filter(id__in=path).order_by("-id")

    def add_message(self, role: str, text: str = "", **fields: Any) -> "Message":
        """Write a message after the last one that is shown. The next is written after this one."""
        parent = fields.pop("parent", None) or self.path(limit=1).first()
        self.leaf = self.messages.create(role=role, text=text, parent=parent, **fields)
        self.save(update_fields=["leaf", "updated_at"])
        return self.leaf

    def arrange(self, **given: Any) -> None:
        """Change what its owner may: title, folder, pinned, archived, model, system_prompt, temperature."""
        if "title" in given:
            given["title_source"] = self.TitleSource.OWNER
        for mark in ("pinned", "archived"):
            if (wanted := given.pop(mark, None)) is not None and wanted != getattr(self, mark):
                given[f"{mark}_at"] = timezone.now() if wanted else None
        for name, value in given.items():
            setattr(self, name, value)
        self.save(update_fields=given.keys())

    @property
    def pinned(self) -> bool:
        return self.pinned_at is not None

    @property
    def archived(self) -> bool:
        return self.archived_at is not None

    @property
    def deleted(self) -> bool:
        return self.deleted_at is not None

    def delete_softly(self) -> list[uuid.UUID]:
        """Take it out of every list; the generations that still run in it, for their caller to stop."""
        self.deleted_at = timezone.now()
        self.save(update_fields=["deleted_at"])
        return list(Generation.objects.open().filter(message__conversation=self).values_list("id", flat=True))

    def create_share(self, *, with_name: bool = False) -> "Share | None":
        """A link to what is shown of it now; none where nothing was said."""
        last = self.path(limit=1).first()
        return None if last is None else self.shares.create(leaf=last, with_name=with_name)

    def restore(self) -> None:
        """Undo `delete_softly`. Where the same was imported again meanwhile, this one no longer stands for it."""
        twin = Conversation.objects.for_user(self.owner_id).filter(imported_from=self.imported_from)
        if self.imported_from and twin.exists():
            self.imported_from = ""
        self.deleted_at = None
        self.save(update_fields=["deleted_at", "imported_from"])


class MessageQuerySet(models.QuerySet["Message"]):
    def for_user(self, user_id: int) -> "MessageQuerySet":
        return self.filter(conversation__owner_id=user_id, conversation__deleted_at=None)

    def with_text(self) -> "MessageQuerySet":
        """Messages that have a text: questions, and answers that have come, whole or stopped."""
        return self.exclude(text="")

    def open_conversations(self, user_ids: Collection[int]) -> dict[int, frozenset[uuid.UUID]]:
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
    created_at = models.DateTimeField(default=timezone.now)

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
    def prefix(self) -> str:
        """What an answer begins with that its generation did not write: the text of the one that it continues.

        Without blanks at its end, since models write better after a word than after a blank.
        """
        return self.continues.text.rstrip() if self.continues is not None else ""

    def newest_below(self) -> int:
        """The id of the newest message that follows this one in any version, or its own. Nothing follows that one."""
        ids = Message.objects.filter(id__in=RawSQL(NEWEST_BELOW_SQL, [self.pk]))
        newest: int = ids.order_by("-id").values_list("id", flat=True)[0]
        return newest

    @property
    def is_last(self) -> bool:
        """Whether nothing follows it yet."""
        return not self.children.exists()


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

    def __str__(self) -> str:
        return f"{self.conversation_id} {self.created_at:%Y-%m-%d}"

    def get_absolute_url(self) -> str:
        return reverse("shared", args=[self.token])

    def messages(self) -> "list[Message]":
        """What the link shows, in order."""
        fields = ("role", "text", "html", "generation_id")
        return list(self.conversation.path(leaf=self.leaf_id).with_text().only(*fields))[::-1]
