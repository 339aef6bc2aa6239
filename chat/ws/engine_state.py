"""The state of each model, from its workers, and what of that a window is told."""

from collections.abc import Iterable

from msgspec import structs

from accounts.authentication import Caller
from accounts.models import Scope
from chat.frames import ModelState, State
from inference.redis.client import UNAVAILABLE_ERRORS
from inference.redis.workers import worker_states
from inference.worker_state import WorkerState

PHASES = ("ready", "warming", "loading", "starting", "paused", "failed", "stopped")  # the best worker's is shown

ModelStates = tuple[ModelState, ...]
UNTOLD: ModelStates = (ModelState("", ""),)  # before the first look

UNKNOWN = State("unknown", "Redis cannot be reached. Answers wait until it is back.")
ABSENT = State("absent", "No worker is running. Questions wait in the queue until one is.")


async def live_workers() -> list[WorkerState] | None:
    """The workers that are there; None where Redis cannot be reached."""
    try:
        return await worker_states()
    except UNAVAILABLE_ERRORS:
        return None


def summarise_models(workers: Iterable[WorkerState] | None) -> ModelStates | None:
    """The models that have a worker, each as its most advanced one has it; the most advanced model first."""
    if workers is None:
        return None
    best: dict[str, ModelState] = {}
    for state in sorted(map(read_model, workers), key=rank):
        best.setdefault(state.model, state)
    return tuple(best.values())


def read_model(worker: WorkerState) -> ModelState:
    engine = worker.engine
    phase = "paused" if worker.paused and engine.phase == "ready" else engine.phase
    progress = None if engine.progress is None else round(engine.progress, 2)
    return ModelState(engine.model, phase, progress, engine.detail)


def rank(state: ModelState) -> tuple[int, str]:
    return PHASES.index(state.phase), state.model


def make_state(models: ModelStates | None, caller: Caller) -> State:
    """What a caller is told: of the models that are open to it, and details only if it may read what staff sees."""
    sees_details = caller.has_scope(Scope.ADMIN_READ)
    if models is None:
        return UNKNOWN if sees_details else structs.replace(UNKNOWN, detail="")
    mine = [model for model in models if not model.model or caller.can_use_model(model.model)]
    if not sees_details:
        mine = [structs.replace(model, detail="") for model in mine]
    if not mine:
        return ABSENT if sees_details else structs.replace(ABSENT, detail="")
    best = mine[0]
    ready = sorted(model.model for model in mine if model.phase == "ready")
    return State(best.phase, best.detail, best.progress, best.model, ready, mine)
