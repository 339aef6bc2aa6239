"""The `Generation` table, which is queue, result and ledger in one."""

import uuid
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Sum
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from inference.models.claim import CLAIM_SQL

MAX_ENGINE_DEATHS = 6  # during one generation, whoever was to blame; see `inference.worker.quarantine`
MAX_ATTEMPTS = 20
MAX_LOST_WORKERS = 2  # after so many a generation has to show alone that it does not end workers


class GenerationQuerySet(models.QuerySet["Generation"]):
    def queued(self) -> "GenerationQuerySet":
        return self.filter(status=Generation.Status.QUEUED)

    def open(self) -> "GenerationQuerySet":
        return self.filter(status__in=Generation.OPEN)

    def ended(self) -> "GenerationQuerySet":
        return self.exclude(status__in=Generation.OPEN)

    def with_lease(self, worker: str, ids: Iterable[uuid.UUID]) -> "GenerationQuerySet":
        """Rows among `ids` whose lease this worker still has."""
        return self.filter(id__in=list(ids), worker=worker, status=Generation.Status.RUNNING)

    def claim(self, worker: str, models: list[str], limit: int, lease: timedelta) -> list["Generation"]:
        """Take up to `limit` rows for `worker`, those that lost their worker first, then fairly between owners.

        Each claimed row is a new attempt. Rows that nobody may try again are left to `fail_hopeless`.
        """
        return list(
            self.raw(
                CLAIM_SQL,
                {"worker": worker, "models": models, "limit": limit, "lease": lease, "attempts": MAX_ATTEMPTS},
            )
        )

    def renew(self, worker: str, ids: Collection[uuid.UUID], lease: timedelta) -> dict[uuid.UUID, bool]:
        """Extend the leases that the worker still has: {id: stop was asked for}. An id left out is lost."""
        if not ids:
            return {}
        self.with_lease(worker, ids).update(lease_until=Now() + lease)
        rows = self.with_lease(worker, ids).values_list("id", "stop_asked_at")
        return {id: asked_at is not None for id, asked_at in rows}

    def release(self, worker: str) -> int:
        """Give back all that a worker holds, to be claimed at once by whoever is free."""
        held = self.filter(worker=worker, status=Generation.Status.RUNNING)
        return held.update(lease_until=Now(), worker="", on_probation=False)

    def release_slot(self, place: str, worker: str) -> int:
        """Free the rows of workers that died in the place which `worker` holds now."""
        dead = self.filter(worker__startswith=f"{place}/", status=Generation.Status.RUNNING).exclude(worker=worker)
        return dead.update(lease_until=Now())

    def with_content(self) -> "GenerationQuerySet":
        """Ended rows that still hold what was said."""
        return self.ended().filter(request__isnull=False)

    def for_budget(self, subject: str, month: datetime) -> "GenerationQuerySet":
        """What counts for the budget of `user:7`, `key:3` or `group:2` in the month that begins so."""
        kind, _, id = subject.partition(":")
        whose = {"user": "owner", "key": "key", "group": "owner__groups"}[kind]
        end = (month + timedelta(days=32)).replace(day=1)
        return self.filter(**{whose: int(id)}, created_at__gte=month, created_at__lt=end)

    def sum_tokens(self) -> int:
        """What the rows have used of a budget: tokens. A budget of money would sum their cost here."""
        total: int | None = self.aggregate(total=Sum(F("prompt_tokens") + F("completion_tokens")))["total"]
        return total or 0

    def forget_content(self) -> int:
        """Empty the rows of what was said; who, when and how much stays for the ledger."""
        return self.update(request=None, text="", choices=None)

    def transfer_to(self, heir_id: int) -> None:
        """Hand rows to another account: their figures, without the key and without what was said.

        Those still open end here as stopped. Whatever a worker stores of them later finds no open row, and is lost.
        """
        stopped = {"status": Generation.Status.STOPPED, "finish_reason": "stop", "finished_at": Now()}
        self.open().update(**stopped, stop_asked_at=Now(), lease_until=None)
        self.update(owner=heir_id, key=None, request=None, text="", choices=None)

    def request_stop(self, id: uuid.UUID) -> bool:
        """Ask for a stop: a queued row ends at once (True), a running one when its worker hears of it (False)."""
        ended = self.filter(id=id, status=Generation.Status.QUEUED).update(
            status=Generation.Status.STOPPED, finish_reason="stop", finished_at=Now(), stop_asked_at=Now()
        )
        if not ended:
            self.filter(id=id, status=Generation.Status.RUNNING).update(stop_asked_at=Now())
        return bool(ended)


class Generation(models.Model):
    """One call of a model, from the accepted question to the stored answer, and its line in the ledger."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Answered")
        STOPPED = "stopped", _("Stopped")
        FAILED = "failed", _("Failed")

    OPEN = (Status.QUEUED, Status.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="generations", verbose_name=_("user")
    )
    key = models.ForeignKey(
        "accounts.ApiKey", models.SET_NULL, null=True, blank=True, related_name="generations", verbose_name=_("API key")
    )
    model = models.CharField(_("model"), max_length=200)
    door = models.CharField(_("way in"), max_length=10, help_text=_("Where it came in: chat, api or v1."))
    request_id = models.CharField(
        _("request id"), max_length=64, help_text=_("Follows the call through the logs of all processes.")
    )
    request = models.JSONField(
        _("request"), null=True, help_text=_("The validated OpenAI request; emptied by retention.")
    )

    priority = models.SmallIntegerField(
        _("priority"), default=0, help_text=_("Of the owner's groups; each step counts double.")
    )
    reserved = models.PositiveIntegerField(
        _("tokens reserved"), default=0, help_text=_("Tokens that it may take at most, as budgets count it.")
    )

    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.QUEUED)
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    worker = models.CharField(_("worker"), max_length=200, blank=True)
    lease_until = models.DateTimeField(_("held until"), null=True)
    stop_asked_at = models.DateTimeField(_("asked to stop"), null=True)
    engine_deaths = models.PositiveSmallIntegerField(_("ends of the engine"), default=0)
    lost_workers = models.PositiveSmallIntegerField(
        _("lost workers"), default=0, help_text=_("Workers that died while they held it.")
    )
    on_probation = models.BooleanField(
        _("on probation"), default=False, help_text=_("Alone with a worker, which it may be about to end.")
    )
    behind = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        related_name="followers",
        verbose_name=_("waits for"),
        help_text=_("It is not claimed while this one is open."),
    )

    text = models.TextField(_("text"), blank=True)
    choices = models.JSONField(
        _("choices"), null=True, help_text=_("OpenAI choices where the answer is more than plain text.")
    )
    finish_reason = models.CharField(_("reason for the end"), max_length=20, blank=True)
    error_code = models.CharField(_("error"), max_length=50, blank=True)
    error_message = models.TextField(_("error message"), blank=True)
    error_param = models.CharField(
        _("parameter at fault"),
        max_length=200,
        blank=True,
        help_text=_("The parameter of the request that it belongs to."),
    )

    prompt_tokens = models.PositiveIntegerField(_("tokens in"), default=0)
    completion_tokens = models.PositiveIntegerField(_("tokens out"), default=0)
    cached_tokens = models.PositiveIntegerField(_("of tokens in, cached"), default=0)
    reasoning_tokens = models.PositiveIntegerField(
        _("of tokens out, reasoning"),
        null=True,
        help_text=_("Of the completion tokens, as the engine counts them; none where it does not."),
    )
    cost = models.DecimalField(
        _("cost"),
        max_digits=24,
        decimal_places=12,
        null=True,
        help_text=_("By the model's prices when it ended, exact; none where the model had no price."),
    )
    created_at = models.DateTimeField(_("asked"), default=timezone.now)
    started_at = models.DateTimeField(_("started"), null=True)
    first_token_at = models.DateTimeField(_("first token"), null=True)
    finished_at = models.DateTimeField(_("ended"), null=True)

    objects: ClassVar[GenerationQuerySet] = GenerationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("call")
        verbose_name_plural = _("calls")
        indexes = [
            models.Index(
                fields=["status", "created_at"], name="open_generations", condition=Q(status__in=["queued", "running"])
            ),
            models.Index(fields=["owner", "-created_at"], name="generations_of_owner"),
            models.Index(
                fields=["model", "-finished_at"], name="ended_of_model", condition=Q(finished_at__isnull=False)
            ),
            models.Index(fields=["finished_at"], name="ended_generations"),
            models.Index(fields=["-created_at"], name="newest_generations"),
            models.Index(fields=["behind"], name="followers_of", condition=Q(behind__isnull=False)),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def ended(self) -> bool:
        return self.status not in self.OPEN

    def seconds_to(self, moment: datetime | None) -> float | None:
        """From when it was asked for to a moment of its life; None where that has not come."""
        return None if moment is None else round(max(0.0, (moment - self.created_at).total_seconds()), 3)

    @property
    def tokens_per_second(self) -> float | None:
        """How fast it was written, from the first token to the end; None for an answer too short to tell."""
        if self.first_token_at is None or self.finished_at is None or self.completion_tokens < 2:
            return None
        seconds = (self.finished_at - self.first_token_at).total_seconds()
        return round((self.completion_tokens - 1) / seconds, 1) if seconds > 0 else None
