"""What a caller may use: pure figures, and how those of key, account, groups and site become one set."""

from collections.abc import Iterable
from typing import Protocol

import msgspec


class LimitRow(Protocol):
    """A row that limits somebody. None: it says nothing; 0: no limit."""

    requests_per_minute: int | None
    tokens_per_minute: int | None
    parallel: int | None
    tokens_per_month: int | None


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """How much one subject (`user:7`, `key:3`, `group:2`, `address:192.0.2.7`) may use; 0: as much as it likes.

    `requests` and `tokens` are of any 60 seconds, `parallel` counts calls that have not ended, `budget` is the tokens
    of a calendar month in UTC.
    """

    subject: str
    requests: int = 0
    tokens: int = 0
    parallel: int = 0
    budget: int = 0

    @property
    def is_limited(self) -> bool:
        return bool(self.requests or self.tokens or self.parallel or self.budget)


LIMIT_NAMES = ("requests", "tokens", "parallel", "budget")


def limit_values(row: LimitRow) -> tuple[int | None, ...]:
    """In the order of NAMES."""
    return row.requests_per_minute, row.tokens_per_minute, row.parallel, row.tokens_per_month


def strictest_limit(values: Iterable[int | None]) -> int | None:
    """The least of those that limit; 0 where somebody says that there is no limit, None where nobody says anything."""
    said = [value for value in values if value is not None]
    return min((value for value in said if value), default=0) if said else None


def collect_allowances(
    user: int,
    own: Iterable[LimitRow],
    shared: Iterable[tuple[int, LimitRow]],
    key: tuple[int, LimitRow] | None,
    site: tuple[int, ...],
) -> tuple[Allowance, ...]:
    """All that holds for calls of a user with a key: each is counted apart, and the tightest wins.

    `own`: rows of the user and of groups whose figures hold for each member. `shared`: groups whose members use their
    figures together, by id. `site` holds for a user about whom nobody else says anything.
    """
    made = [make_allowance(f"group:{id}", limit_values(row)) for id, row in shared]
    if key is not None:
        made.append(make_allowance(f"key:{key[0]}", limit_values(key[1])))
    said_elsewhere = [limit_values(row) for _, row in shared] + ([limit_values(key[1])] if key else [])
    values = []
    for place, default in enumerate(site):
        value = strictest_limit(limit_values(row)[place] for row in own)
        if value is None and all(row[place] is None for row in said_elsewhere):
            value = default
        values.append(value)
    return tuple(allowance for allowance in [make_allowance(f"user:{user}", values), *made] if allowance.is_limited)


def make_allowance(subject: str, values: Iterable[int | None]) -> Allowance:
    return Allowance(subject=subject, **{name: value or 0 for name, value in zip(LIMIT_NAMES, values, strict=True)})
