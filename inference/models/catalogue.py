"""The catalogue: which models there are, which of them are offered, and what they cost."""

from collections.abc import Collection
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models, transaction
from django.db.models import Q

from inference.engine import arguments
from inference.engine.errors import EngineError
from jarvis.lib.config import config


def usable_arguments(text: str) -> None:
    """Validator: what the worker would refuse when it starts the engine."""
    try:
        arguments.split_arguments(text)
    except EngineError as error:
        raise ValidationError(str(error)) from error


def price(what: str, empty: str = "no price") -> "models.DecimalField[Any, Any]":
    """A price in the site's currency (JARVIS_CURRENCY)."""
    text = f"For a million {what}. Empty: {empty}."
    return models.DecimalField(
        max_digits=12, decimal_places=6, null=True, blank=True, validators=[MinValueValidator(0)], help_text=text
    )


class LanguageModelQuerySet(models.QuerySet["LanguageModel"]):
    def offered(self, open_to: Collection[str] | None = None) -> "LanguageModelQuerySet":
        """Models that people may choose, the default first; of those named alone, where some are."""
        offered = self.filter(enabled=True).order_by("-default", "name")
        return offered if open_to is None else offered.filter(name__in=open_to)

    @transaction.atomic
    def register_served(
        self, name: str, max_model_len: int = 0, alive: Collection[str] = (), goes_on: bool = True
    ) -> None:
        """Offer a model that a worker serves or is about to, and make it the default where there is none.

        Models that were entered in this way before, and that no live worker serves, are no longer offered.
        """
        kind = LanguageModel.Kind.REMOTE if config.engine_url else LanguageModel.Kind.LOCAL
        source = config.engine_url or config.model
        self.filter(registered=True).exclude(name__in={name, *alive}).update(enabled=False, default=False)
        known = {"source": source, "kind": kind, "max_model_len": max_model_len, "enabled": True, "goes_on": goes_on}
        self.update_or_create(name=name, defaults=known, create_defaults={**known, "registered": True})
        if not self.filter(default=True, enabled=True).exists():
            self.filter(default=True).update(default=False)
            self.filter(name=name).update(default=True)


class LanguageModel(models.Model):
    class Kind(models.TextChoices):
        LOCAL = "local", "held by a worker"
        REMOTE = "remote", "served elsewhere"

    name = models.CharField(max_length=200, unique=True, help_text="What people and scripts call it.")
    source = models.CharField(max_length=500, help_text="`guide`, a hub id, a folder, or a server's address.")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.LOCAL)
    engine_args = models.TextField(
        blank=True,
        validators=[usable_arguments],
        help_text="More arguments for vLLM's server, as on its command line. Taken when the engine next starts.",
    )
    max_model_len = models.PositiveIntegerField(default=0, help_text="Context window in tokens; 0: not known yet.")
    price_input = price("prompt tokens")
    price_output = price("tokens of answers")
    price_cached = price("prompt tokens that the engine had in its cache", empty="the price of other prompt tokens")
    goes_on = models.BooleanField(
        default=True, editable=False, help_text="With an answer that broke off, from its text; not every server can."
    )
    default = models.BooleanField(default=False)
    enabled = models.BooleanField(default=True)
    registered = models.BooleanField(default=False, editable=False, help_text="Entered by a worker, not a person.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[LanguageModelQuerySet] = LanguageModelQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["default"], condition=Q(default=True), name="one_default_model"),
        ]

    def __str__(self) -> str:
        return self.name
