"""The catalogue: which models there are, which of them are offered, and what they cost."""

from collections.abc import Collection, Iterable
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.authentication import Caller
from inference.engine import arguments
from inference.engine.errors import EngineError
from jarvis.lib import api_errors
from jarvis.lib.config import config


def usable_arguments(text: str) -> None:
    """Validator: what the worker would refuse when it starts the engine."""
    try:
        arguments.split_arguments(text)
    except EngineError as error:
        raise ValidationError(str(error)) from error


def price(name: Any, text: Any) -> "models.DecimalField[Any, Any]":
    """A price in the site's currency (JARVIS_CURRENCY)."""
    return models.DecimalField(
        name, max_digits=12, decimal_places=6, null=True, blank=True, validators=[MinValueValidator(0)], help_text=text
    )


def open_models(caller: Caller, offered: Iterable[str]) -> list[str]:
    """Which of the offered models a caller may use, and know of; `LanguageModelQuerySet.open_to` says the same."""
    return [name for name in offered if caller.can_use_model(name)]


def resolve_model(caller: Caller, offered: Collection[str], wanted: str | None = None, *preferred: str) -> str:
    """The wanted model; where none is named the first of the preferred that is open to the caller, else the default.

    Raises ApiError 404 for a model that is not offered, in the same words for one that is hidden from the caller; 403
    where none is wanted and none is open to the caller; 503 where none has been offered yet.
    """
    names = open_models(caller, offered)
    if wanted:
        if wanted not in names:
            raise api_errors.model_not_found(wanted)
        return wanted
    if not names:
        raise api_errors.no_model_allowed() if offered else api_errors.model_loading("default")
    return next((name for name in preferred if name in names), names[0])


def find_model(caller: Caller, wanted: str | None = None, *preferred: str) -> str:
    """The same of what is offered now, for sync code."""
    offered = list(LanguageModel.objects.offered().values_list("name", flat=True))
    return resolve_model(caller, offered, wanted, *preferred)


class LanguageModelQuerySet(models.QuerySet["LanguageModel"]):
    def offered(self) -> "LanguageModelQuerySet":
        """Models that people may choose, the default first."""
        return self.filter(enabled=True).order_by("-default", "name")

    def open_to(self, caller: Caller) -> "LanguageModelQuerySet":
        """The offered models that a caller may use, the default first."""
        return self.offered() if caller.models is None else self.offered().filter(name__in=caller.models)

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
        LOCAL = "local", _("held by a worker")
        REMOTE = "remote", _("served elsewhere")

    name = models.CharField(_("name"), max_length=200, unique=True, help_text=_("What people and scripts call it."))
    source = models.CharField(
        _("source"), max_length=500, help_text=_("`guide`, a hub id, a folder, or a server's address.")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.LOCAL)
    engine_args = models.TextField(
        _("arguments"),
        blank=True,
        validators=[usable_arguments],
        help_text=_("More arguments for vLLM's server, as on its command line. Taken when the engine next starts."),
    )
    max_model_len = models.PositiveIntegerField(
        _("window"), default=0, help_text=_("Context window in tokens; 0: not known yet.")
    )
    price_input = price(_("price of input"), _("For a million prompt tokens. Empty: no price."))
    price_output = price(_("price of output"), _("For a million tokens of answers. Empty: no price."))
    price_cached = price(
        _("price of cached input"),
        _("For a million prompt tokens that the engine had in its cache. Empty: the price of other prompt tokens."),
    )
    goes_on = models.BooleanField(
        _("continues"),
        default=True,
        editable=False,
        help_text=_("With an answer that broke off, from its text; not every server can."),
    )
    default = models.BooleanField(_("default"), default=False)
    enabled = models.BooleanField(_("offered"), default=True)
    registered = models.BooleanField(
        _("registered"), default=False, editable=False, help_text=_("Entered by a worker, not a person.")
    )
    created_at = models.DateTimeField(_("added"), auto_now_add=True)

    objects: ClassVar[LanguageModelQuerySet] = LanguageModelQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("language model")
        verbose_name_plural = _("language models")
        constraints = [
            models.UniqueConstraint(fields=["default"], condition=Q(default=True), name="one_default_model"),
        ]

    def __str__(self) -> str:
        return self.name
