"""What usage is shown as: a period, figures, series for charts, tables, and the CSV of all of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from inference.models.usage import UsageDay, UsageDayQuerySet
from inference.usage import charts
from inference.usage.charts import Series
from jarvis.lib.config import config
from jarvis.lib.database import read_in_pages
from jarvis.lib.query import parse_whole_number

PERIODS = (7, 30, 90, 365)
HEADER = (
    "day", "user", "model", "key", "calls", "failed", "stopped", "tokens in", "of these cached", "tokens out",
    f"cost ({config.currency})",
)  # fmt: skip


@dataclass(frozen=True)
class Period:
    """Days, both included."""

    first: date
    last: date

    @classmethod
    def last_days(cls, days: int) -> "Period":
        """So many days, today the last."""
        today = timezone.now().date()
        return cls(today - timedelta(days=days - 1), today)

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]


class Report:
    """Usage of a period: of one person, or of all. Each part costs one query, made when it is asked for."""

    def __init__(self, usage: UsageDayQuerySet, period: Period) -> None:
        self.period = period
        self.usage = usage.between(period.first, period.last)
        self.currency = config.currency

    @cached_property
    def totals(self) -> dict[str, Any]:
        return self.usage.sum_totals()

    @cached_property
    def by_day(self) -> list[dict[str, Any]]:
        return list(self.usage.sum_by(["day", "model"]))

    @cached_property
    def tokens(self) -> list[Series]:
        """Tokens in and out of each day, by model."""
        return self.series(lambda row: row["sum_prompt_tokens"] + row["sum_completion_tokens"])

    @cached_property
    def calls(self) -> list[Series]:
        """Calls of each day by how they ended."""
        days = self.period.days
        ends: dict[str, dict[date, int]] = {name: dict.fromkeys(days, 0) for name in ("calls", "stopped", "failed")}
        for row in self.by_day:
            for name, counts in ends.items():
                counts[row["day"]] += row[f"sum_{name}"]
        done = [ends["calls"][d] - ends["stopped"][d] - ends["failed"][d] for d in days]
        return [
            Series(_("answered"), done),
            Series(_("stopped"), list(ends["stopped"].values())),
            Series(_("failed"), list(ends["failed"].values())),
        ]

    @cached_property
    def costs(self) -> list[Series]:
        """Cost of each day, by model; empty where nothing has a price."""
        return self.series(lambda row: row["sum_cost"]) if self.totals["cost"] else []

    def series(self, value: Any) -> list[Series]:
        days = self.period.days
        found: dict[str, dict[date, Any]] = {}
        for row in self.by_day:
            found.setdefault(row["model"], dict.fromkeys(days, 0))[row["day"]] += value(row)
        return charts.largest_series([Series(name, list(of.values())) for name, of in found.items()], _("other models"))

    def chart(self, id: str, title: str, series: list[Series], unit: str = "") -> SafeString:
        days = self.period.days
        told = ", ".join(f"{one.name}: {charts.format_figure(sum(one.values))}{unit}" for one in series) or _("nothing")
        span = f"{date_format(days[0], 'j M Y')} – {date_format(days[-1], 'j M Y')}"
        labels = [date_format(day, "j M") for day in days]
        return charts.draw_bars(id, title, f"{span}. {told}.", labels, series, unit=unit)

    @property
    def pictures(self) -> list[dict[str, Any]]:
        """Charts with their legends and their tables, ready for `inference/charts.html`."""
        found = [
            self.picture("tokens", _("Tokens per day, by model"), self.tokens),
            self.picture("calls", _("Calls per day"), self.calls),
        ]
        if self.costs:
            found.append(self.picture("costs", _("Cost per day, by model"), self.costs, f" {self.currency}"))
        return found

    def picture(self, id: str, title: str, series: list[Series], unit: str = "") -> dict[str, Any]:
        legend = [one.name for one in series]
        svg = self.chart(id, title, series, unit)
        return {"id": id, "title": title, "svg": svg, "legend": legend, "rows": self.rows(series), "unit": unit}

    def rows(self, series: list[Series]) -> list[tuple[date, list[str]]]:
        """The chart as a table: days with anything on them, the newest first."""
        rows = [
            (day, [one.values[index] for one in series])
            for index, day in enumerate(self.period.days)
            if any(one.values[index] for one in series)
        ]
        return [(day, [charts.format_figure(value) for value in values]) for day, values in reversed(rows)]


def csv_rows(usage: QuerySet[UsageDay]) -> Iterator[Sequence[Any]]:
    """Usage in HEADER's columns, read from the database in pieces."""
    rows = usage.select_related("user", "key").order_by("day", "user_id", "model", "key_id")
    for row in read_in_pages(rows):
        key = f"{row.key.label} ({row.key.prefix})" if row.key is not None else ""
        names = row.day.isoformat(), row.user.get_username(), row.model, key
        counts = row.calls, row.failed, row.stopped, row.prompt_tokens, row.cached_tokens, row.completion_tokens
        yield *names, *counts, format_plain(row.cost)


def format_plain(value: Decimal) -> str:
    """Without an exponent and without zeros that say nothing."""
    return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"


def parse_period(query: Mapping[str, Any]) -> tuple[int, Period]:
    """The period that an address asks for, `?days=30`; 30 days for anything that is not offered."""
    given = parse_whole_number(str(query.get("days", "")), max(PERIODS))
    days = given if given is not None and given in PERIODS else 30
    return days, Period.last_days(days)
