"""The commands about limits: reserve what a call may use, settle what it has used, learn what Redis does not know."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from accounts.limit_rules import Allowance
from inference.redis.client import Script, limit_reply_time, shared_client
from inference.redis.keys import HOLDS, HOLDS_KNOWN, budget_key, hold_key, open_calls_key, rate_key

HOLD_SECONDS = 30  # after which the row of a call is looked at
KNOWN_SECONDS = 7 * 24 * 3600

RESERVE, SETTLE, DUE, LEARN = map(Script.load, ("reserve", "settle", "due", "learn"))


class LimitedCall(msgspec.Struct, omit_defaults=True):
    """One call before its limits, as `reserve.lua` reads it. Tokens: `likely` for the rate, `most` for the budget."""

    id: str
    subjects: list[dict[str, Any]]
    likely: int
    most: int
    lease: int  # in milliseconds
    hold: str | None = None  # its key, where something is to be given back at the end
    restored: bool = False
    second: int | None = None  # in which it was counted

    @classmethod
    def for_limits(
        cls, id: UUID, limits: Iterable[Allowance], likely: int, most: int, month: datetime
    ) -> "LimitedCall":
        subjects: list[dict[str, Any]] = []
        for limit in limits:
            subject: dict[str, Any] = {}
            if limit.requests:
                subject["requests"] = (rate_key(limit.subject, "requests"), limit.requests)
            if limit.tokens:
                subject["tokens"] = (rate_key(limit.subject, "tokens"), limit.tokens)
            if limit.parallel or limit.budget:
                subject["open"] = open_calls_key(limit.subject)
            if limit.parallel:
                subject["parallel"] = limit.parallel
            if limit.budget:
                subject |= {"budget": limit.budget, "used": budget_key(limit.subject, month)}
            subjects.append(subject)
        holds = any("open" in subject or "tokens" in subject for subject in subjects)
        return cls(str(id), subjects, likely, most, HOLD_SECONDS * 1000, hold_key(id) if holds else None)

    def as_restored(self) -> "LimitedCall":
        """The same for a Redis that has lost it: it counts as under way, and is refused nothing."""
        kept = [{name: s[name] for name in ("open", "used") if name in s} for s in self.subjects]
        return msgspec.structs.replace(self, subjects=[s for s in kept if s], restored=True)


@limit_reply_time
async def reserve_calls(calls: Sequence[LimitedCall]) -> list[list[int]]:
    """Check the limits of calls, and count those that pass; `reserve.lua` says what is given for each."""
    replies = await RESERVE.run((HOLDS_KNOWN, HOLDS), [msgspec.json.encode(call) for call in calls])
    return [list(map(int, reply)) for reply in replies]


@limit_reply_time
async def settle_call(generation: UUID, tokens: int) -> None:
    """Count what a call has used, and give back what it held beyond that. Safe to repeat."""
    await SETTLE.run((hold_key(generation), HOLDS), (str(generation), tokens, 0))


@limit_reply_time
async def release_call(generation: UUID, call: LimitedCall | None = None) -> None:
    """Undo `reserve_calls` for a call that was not accepted after all."""
    given = (msgspec.json.encode(call),) if call else ()
    await SETTLE.run((hold_key(generation), HOLDS), (str(generation), 0, 1, *given))


@limit_reply_time
async def due_holds() -> list[UUID]:
    """Calls whose end nobody has told for long; who asks first has some time to look for each."""
    return [UUID(id.decode()) for id in await DUE.run((HOLDS,), (HOLD_SECONDS * 1000,))]


@limit_reply_time
async def mark_holds_known() -> None:
    await shared_client().set(HOLDS_KNOWN, 1, ex=KNOWN_SECONDS)


@limit_reply_time
async def begin_learning(subject: str, month: datetime, token: str) -> list[UUID] | None:
    """The calls under way that count for a budget by themselves; None where somebody else is learning it."""
    reply = await LEARN.run((budget_key(subject, month), open_calls_key(subject)), (token,))
    return None if reply is None else [UUID(id.decode()) for id in reply]


@limit_reply_time
async def store_budget(subject: str, month: datetime, token: str, tokens: int) -> None:
    """Say how many tokens of a budget had been used, not counting the calls that `begin_learning` gave."""
    await LEARN.run((budget_key(subject, month), open_calls_key(subject)), (token, tokens))
