"""Limits: what a call may use is reserved before anything is queued, and settled when it has ended.

One script in Redis (`reserve.lua`) checks and counts in one step, so parallel calls cannot pass together where one
may. The end of a generation's log settles what it held (`publish`). Whoever dies in between: after HOLD_SECONDS
the row of the call is looked at, and Postgres says what became of it.
"""

import asyncio
import math
import secrets
import time
from collections.abc import Callable, Collection, Coroutine, Iterable
from datetime import datetime
from functools import partial
from typing import Any, NoReturn
from uuid import UUID

import structlog
from django.db import Error as DatabaseError
from django.utils import timezone

from accounts.authentication import Caller, build_caller
from accounts.limit_rules import Allowance
from inference.models import Generation
from inference.openai.request import ChatRequest
from inference.redis.client import UNAVAILABLE_ERRORS
from inference.redis.limits import (
    LimitedCall,
    begin_learning,
    due_holds,
    mark_holds_known,
    release_call,
    reserve_calls,
    settle_call,
    store_budget,
)
from jarvis.lib import api_errors
from jarvis.lib.config import config
from jarvis.lib.database import in_database, log_failure
from jarvis.lib.disk import explain_outage
from jarvis.lib.event_loops import PerLoop

log = structlog.get_logger(__name__)

PASSED, REQUESTS, TOKENS, PARALLEL, BUDGET, UNKNOWN, LOST = range(7)  # as reserve.lua says it
MAX_CALLS_PER_SCRIPT = 64  # calls that one run of the script checks at most, so that Redis is not held up
MAX_TRIES = 20
BYTES_PER_TOKEN = 3  # of ordinary text, so that the estimate is rather high
UNNAMED_ANSWER_TOKENS = 4096  # that an answer may have at most which is counted, where neither call nor site says
TEMPLATE_TOKENS = 512  # tokens that a model's chat template may add around everything
MAX_CACHED_REFUSALS = 10_000  # refusals remembered at most
SUBJECT_WORDS = {"user": "You", "group": "Your group", "key": "This key", "environment": "This key"}

_batchers: "PerLoop[ReservationBatcher]" = PerLoop(lambda: ReservationBatcher())
_refused: dict[Allowance, float] = {}  # until when no more requests can pass


class Reservation:
    """What a call has counted. `headers` are for its answer."""

    def __init__(self, call: LimitedCall | None = None, headers: dict[str, str] | None = None) -> None:
        self.call = call
        self.headers = headers or {}

    @property
    def reserved(self) -> int:
        return self.call.most if self.call and self.call.hold else 0

    async def release(self) -> None:
        """Undo it, for a call that was not accepted after all: it counts for nothing."""
        if self.call is None:
            return
        try:
            await release_call(UUID(self.call.id), self.call)
        except UNAVAILABLE_ERRORS as error:
            log.warning("redis.away", error=str(error))  # its lease runs out


async def reserve_call(
    caller: Caller, id: UUID, likely: int = 0, most: int = 0, limit_name: str | None = None
) -> Reservation:
    """Count a call against all limits of its caller: `likely` tokens against rates, `most` against budgets.

    `limit_name`: what the caller may lower, so that it takes less.

    Raises ApiError: 429 where a limit refuses it, which then counts for nothing; 503 where Redis or Postgres is away.
    """
    if not caller.limits:
        return Reservation()
    refuse_again(caller)
    try:
        for _ in range(MAX_TRIES):
            month = month_start()
            call = LimitedCall.for_limits(id, caller.limits, likely, most, month)
            verdict, place, wait, call.second, _, *shown = await ReservationBatcher.for_this_loop().reserve(call)
            if verdict == PASSED:
                return Reservation(call, rate_limit_headers(shown))
            limit = caller.limits[place - 1]
            if verdict == LOST:
                await restore_calls()
            elif verdict == UNKNOWN:
                await learn_budget(limit.subject, month)
            else:
                raise_refusal(verdict, limit, wait, shown, likely, most, limit_name)
    except DatabaseError as error:
        log_failure(log, error)
        raise api_errors.server_overloaded(explain_outage("The database cannot be reached.")) from None
    except UNAVAILABLE_ERRORS as error:
        log.warning("redis.away", error=str(error))
        raise api_errors.server_overloaded(explain_outage("Redis cannot be reached.")) from None
    raise api_errors.server_overloaded("The limits could not be looked up.")


def estimate_tokens(request: ChatRequest, size: int, window: int = 0) -> tuple[int, int]:
    """Tokens that a request of `size` bytes is likely to take, and those that it can take at most.

    Of the answer both count all that it may have: how long it gets nobody knows, and calls in parallel could otherwise
    use many times what is left. Of the question the first is an estimate; the second is no less than it can be, since a
    token has a byte at least. `window`: the model's, which neither can exceed; 0 where it is not known.
    """
    answer = request.max_tokens or default_answer_tokens()
    question = size + TEMPLATE_TOKENS
    if window:
        answer, question = min(answer, window), min(question, window)
    answers = answer * request.fields.get("n", 1)
    return min(question, size // BYTES_PER_TOKEN) + answers, question + answers


def limit_answer(request: ChatRequest, caller: Caller) -> ChatRequest:
    """The request with a limit of its answer where tokens are limited and it names none.

    All that an answer may have is reserved: the whole window for each would leave room for nobody else.
    """
    return request.with_limit(default_answer_tokens()) if counts_tokens(caller) else request


def default_answer_tokens() -> int:
    return config.max_answer_tokens or UNNAMED_ANSWER_TOKENS


def counts_tokens(caller: Caller) -> bool:
    return any(limit.tokens or limit.budget for limit in caller.limits)


def month_start() -> datetime:
    return timezone.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def raise_refusal(
    verdict: int,
    limit: Allowance,
    wait: int,
    shown: list[int],
    likely: int = 0,
    most: int = 0,
    limit_name: str | None = None,
) -> NoReturn:
    who = SUBJECT_WORDS.get(limit.subject.partition(":")[0], "Your address")
    headers = rate_limit_headers(shown)
    if verdict == BUDGET:
        text = f"{who} may use {limit.budget} tokens a month. "
        advice = f": lower `{limit_name}`" if limit_name else ""
        text += f"{wait} are left, and this may take {most}{advice}." if wait > 0 else "They are used up."
        raise api_errors.insufficient_quota(text, limit_name if wait > 0 else None).with_headers(headers)
    text = {
        REQUESTS: f"{who} may ask {limit.requests} times a minute.",
        TOKENS: f"{who} may use {limit.tokens} tokens a minute, and this may take {likely}.",
        PARALLEL: f"{who} may have {limit.parallel} calls at a time.",
    }[verdict]
    if verdict == REQUESTS:
        if len(_refused) >= MAX_CACHED_REFUSALS:
            _refused.clear()
        _refused[limit] = time.monotonic() + wait / 1000
    raise api_errors.rate_limit_exceeded(wait / 1000, text).with_headers(headers)


def refuse_again(caller: Caller) -> None:
    """Refuse at once, without asking anybody, what cannot pass yet. Raises ApiError 429."""
    if not _refused:
        return
    for limit in caller.limits:
        if (until := _refused.get(limit)) is None:
            continue
        wait = math.ceil((until - time.monotonic()) * 1000)
        if wait > 0:
            raise_refusal(REQUESTS, limit, wait, [limit.requests, 0, wait, 0, 0, 0])
        del _refused[limit]


def rate_limit_headers(shown: list[int]) -> dict[str, str]:
    """The headers `x-ratelimit-*` from limit, remaining and milliseconds, first of requests, then of tokens."""
    headers = {}
    for name, (limit, remaining, reset) in (("requests", shown[:3]), ("tokens", shown[3:])):
        if limit:
            headers[f"x-ratelimit-limit-{name}"] = str(limit)
            headers[f"x-ratelimit-remaining-{name}"] = str(remaining)
            headers[f"x-ratelimit-reset-{name}"] = f"{reset}ms" if reset < 1000 else f"{math.ceil(reset / 1000)}s"
    return headers


class ReservationBatcher:
    """Calls that come at the same time are checked by one run of the script."""

    def __init__(self) -> None:
        self.waiting: list[tuple[LimitedCall, asyncio.Future[list[int]]]] = []
        self.task: asyncio.Task[None] | None = None
        self.shared_tasks: dict[str, asyncio.Task[Any]] = {}

    @classmethod
    def for_this_loop(cls) -> "ReservationBatcher":
        return _batchers.get()

    async def reserve(self, call: LimitedCall) -> list[int]:
        done: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self.waiting.append((call, done))
        if self.task is None:
            self.task = asyncio.create_task(self.run_batches())
        try:
            return await done
        except asyncio.CancelledError:
            if not done.cancelled() and done.exception() is None:  # it had a reply that nobody else looks at
                self.share_task(call.id, partial(self.undo, call, done.result()))
            raise

    async def run_batches(self) -> None:
        """Ask until nothing waits. Whatever goes wrong is told to those who wait, and stops nobody after them."""
        while self.waiting:
            batch, self.waiting = self.waiting[:MAX_CALLS_PER_SCRIPT], self.waiting[MAX_CALLS_PER_SCRIPT:]
            try:
                replies = await reserve_calls([call for call, _ in batch])
            except Exception as error:  # noqa: BLE001 - a task that died would leave all who come after it waiting
                for _, done in batch:
                    if not done.done():
                        done.set_exception(error)
                continue
            for reply, (call, done) in zip(replies, batch, strict=True):
                if not done.done():
                    done.set_result(reply)
                else:  # its client has left meanwhile
                    await self.undo(call, reply)
            if replies[-1][4]:
                self.share_task("sweep", sweep_holds)
        self.task = None

    async def undo(self, call: LimitedCall, reply: list[int]) -> None:
        """Give back what was counted for a call that nobody waits for any more."""
        if reply[0] == PASSED:
            call.second = reply[3]
            await Reservation(call).release()

    def share_task(self, name: str, work: Callable[[], Coroutine[Any, Any, Any]]) -> asyncio.Task[Any]:
        """The work under that name: what is under way, or a new one."""
        if (task := self.shared_tasks.get(name)) is None or task.done():
            self.shared_tasks[name] = task = asyncio.create_task(work())
            task.add_done_callback(
                lambda done: self.shared_tasks.pop(name, None) if self.shared_tasks.get(name) is done else None
            )
        return task

    async def run_shared(self, name: str, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Have it done, together with all others who need it now. Raises what it raises."""
        await asyncio.shield(self.share_task(name, work))


async def sweep_holds() -> int:
    """Look up the calls whose end nobody has told for long, and settle those that have ended; how many those are."""
    try:
        due = await due_holds()
        rows = await in_database(find_ends, due)
        over = [id for id in due if rows.get(id, 0) is not None]
        for id in over:
            if id in rows:
                await settle_call(id, rows[id] or 0)
            else:
                await release_call(id)
    except (DatabaseError, *UNAVAILABLE_ERRORS) as error:
        log.warning("limits.sweep_failed", error=str(error).strip())
        return 0
    if over:
        log.info("limits.swept", calls=len(over))
    return len(over)


def find_ends(ids: Collection[UUID]) -> dict[UUID, int | None]:
    """The tokens that calls have used, None of those that have not ended; those without a row are left out."""
    rows = Generation.objects.filter(id__in=ids).only("id", "status", "prompt_tokens", "completion_tokens")
    return {row.id: row.prompt_tokens + row.completion_tokens if row.ended else None for row in rows}


async def restore_calls() -> None:
    """Tell a Redis that has lost its data which calls are under way."""
    calls = await in_database(calls_under_way)
    for first in range(0, len(calls), MAX_CALLS_PER_SCRIPT):
        await reserve_calls(calls[first : first + MAX_CALLS_PER_SCRIPT])
    await mark_holds_known()
    log.info("limits.restored", calls=len(calls))


def calls_under_way() -> list[LimitedCall]:
    rows = list(Generation.objects.open().select_related("owner__limits", "key"))
    callers = {(row.owner_id, row.key_id): row for row in rows}
    limits = {pair: build_caller(row.owner, row.key).limits for pair, row in callers.items()}
    month = month_start()
    calls = (
        LimitedCall.for_limits(row.id, limits[row.owner_id, row.key_id], 0, row.reserved, month).as_restored()
        for row in rows
    )
    return [call for call in calls if call.subjects]


async def learn_budget(subject: str, month: datetime) -> None:
    """Learn from the ledger how much of a budget is used; or wait a moment for somebody else who does."""
    token = secrets.token_hex(8)
    under_way = await begin_learning(subject, month, token)
    if under_way is None:
        await asyncio.sleep(0.05)
        return
    await store_budget(subject, month, token, await in_database(count_spent, subject, month, under_way))


def count_spent(subject: str, month: datetime, without: Iterable[UUID]) -> int:
    return Generation.objects.ended().for_budget(subject, month).exclude(id__in=without).sum_tokens()
