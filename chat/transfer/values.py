"""Values of a file that somebody else's program wrote: what is of another type than it should be is mended or left."""

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from inference.queue.outcome import strip_nul

SURROGATE = re.compile("[\ud800-\udfff]")
BEGINNING = datetime.fromtimestamp(0, UTC)  # for a time that is none; whoever stores it mends it
# What a number is a count of, by its size: seconds, thousandths, millionths or billionths of one.
UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (math.inf, 1e9))


def clean_text(text: str) -> str:
    """A text that Postgres can keep: without NUL and halves of characters."""
    return strip_nul(SURROGATE.sub("\ufffd", text))


def read_text(value: Any) -> str:
    """A text, or a number as one; empty for anything else."""
    if isinstance(value, str):
        return clean_text(value)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def read_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def read_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def read_dicts(value: Any) -> Iterator[dict[str, Any]]:
    return (one for one in read_list(value) if isinstance(one, dict))


def read_moment(*values: Any) -> datetime:
    """The first of them that is a time: a number of seconds or parts of one, or an ISO text."""
    for value in values:
        if (moment := parse_moment(value)) is not None:
            return moment
    return BEGINNING


def parse_moment(value: Any) -> datetime | None:
    if isinstance(value, bool) or value in (None, ""):
        return None
    try:
        if isinstance(value, str) and not re.fullmatch(r"\s*[+-]?\d+(\.\d*)?\s*", value):
            moment = datetime.fromisoformat(value.strip())
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        number = float(value)
        divisor = next(by for limit, by in UNITS if abs(number) < limit)
        return datetime.fromtimestamp(number / divisor, UTC) if number else None
    except (TypeError, ValueError, OverflowError, OSError, StopIteration):
        return None
