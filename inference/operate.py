"""What an operator does with workers, from sync code: see them, pause them, resume them."""

from django.contrib.auth.models import User

from accounts.audit import record
from inference import submit, wire
from inference.models import PausedPlace
from inference.states import WorkerState


def workers() -> list[WorkerState]:
    """The live workers; raises one of `wire.AWAY` where Redis cannot be reached."""
    return wire.worker_states_now()


def pause(worker: WorkerState, by: User) -> None:
    """Have a worker finish what it runs and take nothing new. Others go on; what waits, waits for them."""
    PausedPlace.objects.get_or_create(place=worker.place, defaults={"by": by.get_username()})
    told("worker.paused", worker)


def resume(worker: WorkerState) -> None:
    PausedPlace.objects.filter(place=worker.place).delete()
    told("worker.resumed", worker)


def told(event: str, worker: WorkerState) -> None:
    record(event, obj=("inference.worker", worker.id, worker.place))
    submit.ring_now("orders")
