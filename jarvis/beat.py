"""Celery's beat for a Jarvis that runs on several machines: each of them has one, and no task is sent twice."""

from typing import Any

import structlog
from celery.beat import PersistentScheduler, ScheduleEntry

from inference.redis.client import UNAVAILABLE_ERRORS
from inference.redis.schedule import claim_run

log = structlog.get_logger(__name__)


class SharedScheduler(PersistentScheduler):  # type: ignore[misc]
    """Sends a task when it is due and no other beat has sent it since this one last looked: Redis decides.

    The first who comes takes it, so where one of them dies nothing has to be taken over: the next one comes first.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._last: dict[str, float] = {}  # by Redis's clock
        super().__init__(*args, **kwargs)

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        last = self._last.get(entry.name, entry.last_run_at.timestamp())
        try:
            granted, self._last[entry.name] = claim_run(entry.name, last)
        except UNAVAILABLE_ERRORS as error:  # Redis is the broker too: nothing could be sent
            log.warning("beat.redis_away", task=entry.task, error=str(error))
            return
        if granted:
            super().apply_entry(entry, producer=producer)
