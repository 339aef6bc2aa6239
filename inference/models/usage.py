"""Usage per day, user, key and model: sums of the ledger, made again from its rows whenever these have grown."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import Max, Sum
from django.utils.translation import gettext_lazy as _

from jarvis.lib.sql import read_sql

FIGURES = ("calls", "failed", "stopped", "prompt_tokens", "completion_tokens", "cached_tokens", "cost")
GROUPS = ("day", "model", "key", "user")  # what usage may be summed by

ROLL_UP_SQL = read_sql(__file__, "roll_up")
STALE_DAYS_SQL = read_sql(__file__, "stale_days")


def day_start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


class UsageDayQuerySet(models.QuerySet["UsageDay"]):
    def for_user(self, user_id: int) -> "UsageDayQuerySet":
        return self.filter(user_id=user_id)

    def between(self, first: date, last: date) -> "UsageDayQuerySet":
        """Both days included."""
        return self.filter(day__gte=first, day__lte=last)

    def sum_totals(self) -> dict[str, Any]:
        """Each figure, summed; zeros where there is nothing."""
        found = self.aggregate(**{f"sum_{name}": Sum(name) for name in FIGURES}, made_at=Max("made_at"))
        return {name: found[f"sum_{name}"] or 0 for name in FIGURES} | {"made_at": found["made_at"]}

    def sum_by(self, groups: Sequence[str]) -> "models.QuerySet[UsageDay, dict[str, Any]]":
        """Figures summed by some of GROUPS, in the order of these; each as `sum_…`."""
        names = [{"user": "user__username", "key": "key__label"}.get(group, group) for group in groups]
        ids = [f"{group}_id" for group in groups if group in ("user", "key")]
        extra = ["key__prefix"] if "key" in groups else []
        sums = {f"sum_{name}": Sum(name) for name in FIGURES}
        rows: models.QuerySet[UsageDay, dict[str, Any]]
        rows = self.order_by().values(*names, *ids, *extra).annotate(**sums).order_by(*names, *ids)
        return rows

    def top(self, group: str, count: int) -> list[dict[str, Any]]:
        """Those with most tokens, of one group."""
        tokens = Sum("prompt_tokens") + Sum("completion_tokens")
        return list(self.sum_by([group]).annotate(tokens=tokens).order_by("-tokens")[:count])

    def find_stale_days(self, since: date) -> list[date]:
        """Days on which the sums do not hold as many calls as the ledger, late rows included."""
        with connection.cursor() as cursor:
            cursor.execute(STALE_DAYS_SQL, {"day": since, "begin": day_start(since)})
            return [day for (day,) in cursor.fetchall()]

    def lock_days(self, days: Iterable[date]) -> None:
        """Keep `roll_up` of these days waiting until the end of the transaction under way."""
        with connection.cursor() as cursor:
            for day in sorted(days):
                cursor.execute("SELECT pg_advisory_xact_lock(hashtext('usage'), %s)", [day.toordinal()])

    def transfer(self, user_id: int, heir_id: int) -> None:
        """Add the sums of one account to those of another, which has no keys. Hold the days first."""
        days = self.for_user(user_id).values("day")
        both = self.filter(user_id__in=(user_id, heir_id), day__in=days)
        sums = {f"sum_{name}": Sum(name) for name in FIGURES}
        rows: list[Any] = [*both.order_by().values("day", "model").annotate(**sums, made=Max("made_at"))]
        both.delete()
        UsageDay.objects.bulk_create(
            UsageDay(
                day=row["day"],
                model=row["model"],
                user_id=heir_id,
                made_at=row["made"],
                **{name: row[f"sum_{name}"] for name in FIGURES},
            )
            for row in rows
        )

    def roll_up(self, day: date) -> int:
        """Make the sums of a day again; how many that is. All or nothing; safe to repeat, and to run twice at once."""
        begin = day_start(day)
        with transaction.atomic(), connection.cursor() as cursor:
            self.lock_days([day])
            self.filter(day=day).delete()
            cursor.execute(ROLL_UP_SQL, {"day": day, "begin": begin, "end": begin + timedelta(days=1)})
            return int(cursor.rowcount)


class UsageDay(models.Model):
    """What one user has used of one model by one key (or none) on one day (UTC)."""

    day = models.DateField(_("day"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="usage", verbose_name=_("user"))
    key = models.ForeignKey(
        "accounts.ApiKey", models.RESTRICT, null=True, related_name="usage", verbose_name=_("API key")
    )
    model = models.CharField(_("model"), max_length=200)
    calls = models.PositiveIntegerField(_("calls"))
    failed = models.PositiveIntegerField(_("failed"))
    stopped = models.PositiveIntegerField(_("stopped"))
    prompt_tokens = models.PositiveBigIntegerField(_("tokens in"))
    completion_tokens = models.PositiveBigIntegerField(_("tokens out"))
    cached_tokens = models.PositiveBigIntegerField(_("of tokens in, cached"))
    cost = models.DecimalField(_("cost"), max_digits=24, decimal_places=12)
    made_at = models.DateTimeField(_("counted"))

    objects: ClassVar[UsageDayQuerySet] = UsageDayQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("usage of a day")
        verbose_name_plural = _("usage by day")
        constraints = [
            models.UniqueConstraint(
                fields=["day", "user", "key", "model"], name="one_sum_for_each", nulls_distinct=False
            )
        ]
        indexes = [models.Index(fields=["user", "day"], name="usage_of_user")]

    def __str__(self) -> str:
        return f"{self.day} {self.model}"
