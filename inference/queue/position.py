"""Where a generation stands in the queue, and how long it may wait there.

The order is that of `inference.models.claim`, so a place is what the next claims will make of it. The wait is reckoned
from what was measured: each slot is busy for the average time of the latest answers of that model, one after the other.

A full queue says in the same measure when it may have room again.
"""

import time
from collections.abc import Collection, Iterable
from uuid import UUID

import msgspec
from django.db import connection

from inference.models import MAX_ATTEMPTS
from inference.models.claim import LINE_SQL, ORDER_SQL
from inference.worker_state import WorkerState
from jarvis.lib.sql import read_sql

AVERAGED_ANSWERS = 50  # answers of which the average is taken
MIN_WAIT_SECONDS, MAX_WAIT_SECONDS = 1.0, 120.0  # seconds that a full queue asks people to wait
UNKNOWN_WAIT_SECONDS = 2.0
CACHE_SECONDS = 1.0  # seconds for which a refusal is not reckoned anew
MAX_CACHED_OWNERS = 1000  # remembered at most

_free: dict[int | None, tuple[float, float]] = {}  # until when what is known of an owner's places, or of all, holds

PLACES_SQL = read_sql(__file__, "places", line=LINE_SQL, order=ORDER_SQL)
POSITIONS_SQL = read_sql(__file__, "positions", places=PLACES_SQL)
SOONEST_SQL = read_sql(__file__, "soonest_place", places=PLACES_SQL)


class QueuePosition(msgspec.Struct, frozen=True):
    """`position` 1 is the next to be served; `wait_seconds` is None where nothing is known to reckon with."""

    position: int
    wait_seconds: float | None


def find_positions(ids: Collection[UUID], workers: Iterable[WorkerState]) -> dict[UUID, QueuePosition]:
    """The places of those among `ids` that wait in the queue; one query for all, none where there are no ids."""
    if not ids:
        return {}
    slots = count_slots(workers)
    values = {"ids": list(ids), "models": None, "attempts": MAX_ATTEMPTS, "latest": AVERAGED_ANSWERS}
    with connection.cursor() as cursor:
        cursor.execute(POSITIONS_SQL, values)
        rows = cursor.fetchall()
    return {
        id: QueuePosition(position, estimate_wait(position, slots.get(model, 0), running, seconds))
        for id, model, position, running, seconds in rows
    }


def count_slots(workers: Iterable[WorkerState]) -> dict[str, int]:
    """How many generations of each model run at once, with the workers that can take any."""
    slots: dict[str, int] = {}
    for worker in workers:
        if worker.engine.phase == "ready" and not (worker.draining or worker.paused):
            slots[worker.engine.model] = slots.get(worker.engine.model, 0) + worker.slots
    return slots


def estimate_wait(position: int, slots: int, running: int, seconds: float | None) -> float | None:
    """Seconds until a generation begins that has `position` in the queue of a model with so many slots.

    An answer takes `seconds` on average, so with all slots busy one ends each `seconds / slots`.
    """
    if slots < 1 or seconds is None:
        return None
    return max(0, position - max(0, slots - running)) * seconds / slots


def seconds_until_free(owner_id: int | None = None) -> float:
    """Seconds until the next of an owner's calls, or of all, leaves the queue; or UNKNOWN_WAIT_SECONDS.

    Remembered for a moment, since those who are refused come often and must cost little.
    """
    now = time.monotonic()
    until, wait = _free.get(owner_id, (0.0, 0.0))
    if until > now:
        return wait
    values = {"models": None, "attempts": MAX_ATTEMPTS, "latest": AVERAGED_ANSWERS, "owner": owner_id}
    with connection.cursor() as cursor:
        cursor.execute(SOONEST_SQL, values)
        (seconds,) = cursor.fetchone()
    wait = UNKNOWN_WAIT_SECONDS if seconds is None else min(max(seconds, MIN_WAIT_SECONDS), MAX_WAIT_SECONDS)
    if len(_free) >= MAX_CACHED_OWNERS:
        _free.clear()
    _free[owner_id] = (now + CACHE_SECONDS, wait)
    return wait
