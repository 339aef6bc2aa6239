"""Conversations: a person's collection of them, and the messages of each that are shown."""

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models, transaction
from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.expressions import RawSQL
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat.models.message import Message, MessageQuerySet
from inference.models import Generation
from jarvis.lib.sql import read_sql

if TYPE_CHECKING:
    from chat.models.share import Share

MAX_TITLE_CHARS = 60
MAX_FOLDER_CHARS = 60
MAX_PATH_MESSAGES = 1_000_000_000  # no limit
RESTORE_PERIOD = timedelta(days=1)  # how long a deleted conversation can be restored

PATH_SQL = read_sql(__file__, "path")
WITH_WORDS_SQL = read_sql(__file__, "with_words")


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
        """Those that come after a given one in the order of `newest_first`."""
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
        """Those without a message from then on, and without an open generation."""
        answering = Generation.objects.open().filter(message__conversation=OuterRef("pk"))
        return self.filter(~Exists(answering), updated_at__lt=moment)

    @transaction.atomic
    def destroy(self) -> dict[str, int]:
        """Delete for good, with messages and links, and empty their rows of the ledger; how many rows of each model."""
        chosen = list(self.select_for_update().values_list("id", flat=True))
        rows = Q(message__conversation__in=chosen) | Q(
            id__in=self.model.objects.filter(id__in=chosen).values("titled_by")
        )
        Generation.objects.filter(rows).forget_content()
        return Conversation.objects.filter(id__in=chosen).delete()[1]

    def with_words(self, query: str) -> "ConversationQuerySet":
        """Those in whose title or texts a tsquery finds something (`chat.search.write_query`)."""
        if not query:
            return self.none()
        return self.filter(RawSQL(WITH_WORDS_SQL, [query], models.BooleanField()))

    def without_owners_title(self) -> "ConversationQuerySet":
        """Those that still have the first words for their title."""
        return self.filter(title_source=Conversation.TitleSource.WORDS, deleted_at=None)

    def with_ready_title(self) -> "ConversationQuerySet":
        """Those whose title generation has ended, and whose title is still the first words."""
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
        WORDS = "words", _("first words of the first question")
        MODEL = "model", _("made by the model")
        OWNER = "owner", _("written by the owner")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="conversations", verbose_name=_("owner")
    )
    title = models.CharField(_("title"), max_length=200, blank=True)
    model = models.CharField(_("model"), max_length=200, blank=True, help_text=_("Empty: the default model."))
    system_prompt = models.TextField(_("instructions"), blank=True, help_text=_("Empty: the owner's, else the site's."))
    temperature = models.FloatField(
        _("temperature"), null=True, blank=True, help_text=_("Empty: the owner's, else the model's own.")
    )
    title_source = models.CharField(
        _("source of the title"), max_length=10, choices=TitleSource, default=TitleSource.WORDS
    )
    folder = models.CharField(_("folder"), max_length=MAX_FOLDER_CHARS, blank=True)
    leaf = models.ForeignKey(
        "chat.Message",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("last message"),
        help_text=_("Last message of what is shown."),
    )
    pinned_at = models.DateTimeField(_("pinned"), null=True, blank=True)
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True)
    deleted_at = models.DateTimeField(
        _("deleted"), null=True, blank=True, help_text=_("Gone from every list; removed for good later.")
    )
    titled_by = models.OneToOneField(
        "inference.Generation",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("titled by"),
        help_text=_("What makes its title."),
    )
    imported_from = models.CharField(
        _("imported from"), max_length=100, blank=True, help_text=_("Where it had which id: `chatgpt:…`.")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    updated_at = models.DateTimeField(
        _("last changed"), auto_now=True, help_text=_("When something was last said in it.")
    )

    objects: ClassVar[ConversationQuerySet] = ConversationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
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
        """Its title; its id where the title was deferred, as in the admin, which shows no content."""
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
        path = RawSQL(PATH_SQL, [before, before, self.pk, leaf or self.leaf_id, self.pk, limit or MAX_PATH_MESSAGES])
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
        """A link to the messages that are shown now; None where there are none."""
        last = self.path(limit=1).first()
        return None if last is None else self.shares.create(leaf=last, with_name=with_name)

    def restore(self) -> None:
        """Undo `delete_softly`. Where the same was imported again meanwhile, this one no longer stands for it."""
        twin = Conversation.objects.for_user(self.owner_id).filter(imported_from=self.imported_from)
        if self.imported_from and twin.exists():
            self.imported_from = ""
        self.deleted_at = None
        self.save(update_fields=["deleted_at", "imported_from"])
