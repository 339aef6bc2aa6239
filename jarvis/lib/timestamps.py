"""Times as the API writes them: UTC, ISO 8601, milliseconds."""

from datetime import UTC, datetime

from django.utils import timezone


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now_iso() -> str:
    return iso(timezone.now())
