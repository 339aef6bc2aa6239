"""What the admin's first page shows: today, thirty days, the queue and the workers, by a fixed number of queries."""

from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Min, Q
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from inference import workers
from inference.models import Generation
from inference.models.usage import UsageDay, day_start
from inference.redis.client import UNAVAILABLE_ERRORS
from inference.usage.charts import Series
from inference.usage.report import Period, Report
from inference.worker_state import WorkerState

CHART_DAYS, TOP_ROWS, MAX_QUEUE_GROUPS = 30, 8, 200
PHASES = {
    "starting": _("starting"),
    "loading": _("loading"),
    "warming": _("warming up"),
    "ready": _("ready"),
    "failed": _("broken"),
    "stopped": _("stopped"),
}


class WorkerCard:
    """A worker as the admin shows it."""

    def __init__(self, state: WorkerState) -> None:
        self.state = state
        self.phase = _("ending") if state.draining else PHASES[state.engine.phase]
        self.started = datetime.fromtimestamp(state.started, UTC)

    @property
    def tone(self) -> str:
        """The class of its dot."""
        if self.state.paused or self.state.draining:
            return "busy"
        return {"ready": "good", "failed": "fault", "stopped": ""}.get(self.state.engine.phase, "busy")


def worker_cards() -> list[WorkerCard] | None:
    """The live workers; None where Redis cannot be reached."""
    try:
        return [WorkerCard(state) for state in workers.list_workers()]
    except UNAVAILABLE_ERRORS:
        return None


def queue_summary() -> dict[str, Any]:
    """How many wait and run, and since when the first has been waiting."""
    waiting = Q(status=Generation.Status.QUEUED)
    return Generation.objects.open().aggregate(
        waiting=Count("id", filter=waiting),
        running=Count("id", filter=~waiting),
        oldest=Min("created_at", filter=waiting),
    )


def queue_groups() -> list[dict[str, Any]]:
    """The same by owner and model; those who wait longest first."""
    waiting = Q(status=Generation.Status.QUEUED)
    rows = Generation.objects.open().values("owner_id", "owner__username", "model").order_by()
    counted = rows.annotate(
        waiting=Count("id", filter=waiting),
        running=Count("id", filter=~waiting),
        oldest=Min("created_at", filter=waiting),
    )
    return [dict(row) for row in counted.order_by("oldest", "owner__username", "model")[:MAX_QUEUE_GROUPS]]


def link_failed(period: Period) -> str:
    """The address of the list of calls that failed in a period; a call belongs to the day (UTC) on which it ended."""
    begin, end = day_start(period.first), day_start(period.last + timedelta(days=1))
    query = {"status__exact": "failed", "finished_at__gte": begin, "finished_at__lt": end}
    return f"{reverse('admin:inference_generation_changelist')}?{urlencode(query)}"


class Dashboard:
    """Each property is one query at most, and made once."""

    def __init__(self) -> None:
        self.report = Report(UsageDay.objects.all(), Period.last_days(CHART_DAYS))
        self.shown = worker_cards()
        self.away = self.shown is None
        self.workers = self.shown or []

    @cached_property
    def today(self) -> dict[str, Any]:
        today = self.report.period.last
        return UsageDay.objects.between(today, today).sum_totals()

    @cached_property
    def month(self) -> dict[str, Any]:
        return self.report.totals

    @property
    def tokens_today(self) -> int:
        tokens: int = self.today["prompt_tokens"] + self.today["completion_tokens"]
        return tokens

    @cached_property
    def users(self) -> dict[str, int]:
        today = Q(day=self.report.period.last)
        return self.report.usage.aggregate(
            month=Count("user_id", distinct=True), today=Count("user_id", distinct=True, filter=today)
        )

    @cached_property
    def people(self) -> Series:
        """How many people used anything, by day."""
        found = self.report.usage.order_by().values_list("day").annotate(Count("user_id", distinct=True))
        counts = dict.fromkeys(self.report.period.days, 0) | dict(found)
        return Series(gettext("users"), list(counts.values()))

    @property
    def pictures(self) -> list[dict[str, Any]]:
        people = self.report.picture("people", gettext("Active users per day"), [self.people])
        return [*self.report.pictures, people]

    @property
    def failed_today(self) -> str:
        return link_failed(Period(self.report.period.last, self.report.period.last))

    @property
    def failed_month(self) -> str:
        return link_failed(self.report.period)

    @property
    def active(self) -> int:
        return self.users["today"]

    @property
    def active_month(self) -> int:
        return self.users["month"]

    @cached_property
    def queue(self) -> dict[str, Any]:
        return queue_summary()

    @property
    def speed(self) -> float:
        return round(sum(worker.state.tokens_per_second for worker in self.workers), 1)

    @cached_property
    def top_users(self) -> list[dict[str, Any]]:
        return self.report.usage.top("user", TOP_ROWS)

    @cached_property
    def top_models(self) -> list[dict[str, Any]]:
        return self.report.usage.top("model", TOP_ROWS)

    @cached_property
    def top_keys(self) -> list[dict[str, Any]]:
        return self.report.usage.filter(key__isnull=False).top("key", TOP_ROWS)
