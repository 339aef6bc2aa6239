"""What conversations are searched by. Nothing here is written by hand: triggers of the migration that made it note what
is new, and `chat.search.index` fills it in."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class SearchEntry(models.Model):
    """The terms of a message, or, where there is none, of a conversation's title. Goes with it, by the database."""

    id = models.BigAutoField(primary_key=True)
    owner_id = models.IntegerField(help_text="The conversation's owner.")
    conversation = models.ForeignKey("chat.Conversation", models.DO_NOTHING, related_name="+")
    message = models.OneToOneField("chat.Message", models.DO_NOTHING, null=True, related_name="+")
    words = SearchVectorField(help_text="By `jarvis.lib.search`; empty until the text has been cut.")
    stale = models.BooleanField(default=True, help_text="The text has changed since it was cut.")

    class Meta:
        verbose_name = _("search entry")
        verbose_name_plural = _("search entries")
        indexes = [
            GinIndex(fields=["words"], name="words_of_entries"),
            models.Index(fields=["owner_id", "id"], name="stale_entries", condition=Q(stale=True)),
            models.Index(fields=["owner_id", "message"], name="newest_entries"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["conversation"], condition=Q(message=None), name="title_entry"),
        ]

    def __str__(self) -> str:
        return f"entry {self.pk}"


class SearchWord(models.Model):
    """A word that somebody's conversations have, to find it where a search has a slip."""

    id = models.BigAutoField(primary_key=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.DO_NOTHING, related_name="+", db_index=False)
    word = models.CharField(max_length=60)
    trigrams = ArrayField(models.CharField(max_length=3))

    class Meta:
        verbose_name = _("search word")
        verbose_name_plural = _("search words")
        indexes = [GinIndex(fields=["trigrams"], name="trigrams_of_words")]
        constraints = [models.UniqueConstraint(fields=["owner", "word"], name="word_once")]

    def __str__(self) -> str:
        return f"word {self.pk}"
