"""Workers from sync code: see them, pause them, resume them; and what they make of a place in the queue."""

import structlog
from django.contrib.auth.models import User

from accounts.audit import record_event
from inference.models import Generation, PausedPlace
from inference.queue import submit
from inference.queue.position import QueuePosition, find_positions
from inference.redis.client import UNAVAILABLE_ERRORS
from inference.redis.workers import worker_states_sync
from inference.worker_state import WorkerState

log = structlog.get_logger(__name__)


def list_workers() -> list[WorkerState]:
    """The live workers; raises one of UNAVAILABLE_ERRORS where Redis cannot be reached."""
    return worker_states_sync()


def find_position(row: Generation) -> QueuePosition | None:
    """Where a generation stands in the queue; None where it does not wait. Without Redis the wait is not known."""
    if row.ended:
        return None
    try:
        alive = list_workers()
    except UNAVAILABLE_ERRORS as error:
        log.warning("redis.away", error=str(error))
        alive = []
    return find_positions([row.pk], alive).get(row.pk)


def pause_worker(worker: WorkerState, by: User) -> None:
    """Have a worker finish what it runs and take nothing new. Others go on; what waits, waits for them."""
    PausedPlace.objects.get_or_create(place=worker.place, defaults={"by": by.get_username()})
    record_order("worker.paused", worker)


def resume_worker(worker: WorkerState) -> None:
    PausedPlace.objects.filter(place=worker.place).delete()
    record_order("worker.resumed", worker)


def record_order(event: str, worker: WorkerState) -> None:
    record_event(event, obj=("inference.worker", worker.id, worker.place))
    submit.ring_doorbell_sync("orders")
