"""Which models are offered and which can answer now, as known a moment ago."""

import asyncio
import time
from hashlib import sha256
from typing import Any

import msgspec
from django.db import Error as DatabaseError

from accounts.authentication import Caller
from inference.models import LanguageModel, open_models, resolve_model
from inference.openai.chunks import model_object
from inference.redis.client import UNAVAILABLE_ERRORS
from inference.redis.workers import find_ready_lately, worker_states
from inference.worker_state import EngineState
from jarvis.lib import api_errors
from jarvis.lib.database import in_database
from jarvis.lib.disk import explain_outage
from jarvis.lib.event_loops import PerLoop

MAX_AGE_SECONDS = 0.5  # seconds that a look at Postgres and Redis serves all calls of this process


class Catalogue(msgspec.Struct):
    """`offered`: model objects by name, the default first. `engines`: what live workers say of theirs.

    `ready_lately`: names of models that were ready within the last `model_wait_seconds`. `fingerprints`: of the models
    as they are set up, by name.
    """

    offered: dict[str, dict[str, Any]]
    fingerprints: dict[str, str]
    engines: list[EngineState]
    ready_lately: set[str]
    seen: float

    def models_for(self, caller: Caller) -> list[dict[str, Any]]:
        """The models that a caller may know of."""
        return [self.offered[name] for name in open_models(caller, self.offered)]

    def get_model(self, name: str, caller: Caller) -> dict[str, Any]:
        """Raises ApiError 404 for a model that is not offered, and in the same words for one that is hidden."""
        return self.offered[resolve_model(caller, self.offered, name)]

    def context_window(self, name: str) -> int:
        """The model's context in tokens; 0 where it is not known."""
        return int(self.offered[name].get("max_model_len", 0))

    def check_ready(self, name: str) -> None:
        """Raise ApiError 404 for a model that is not offered, 503 for one that does not take calls.

        A model that was ready lately takes them into the queue: its engine is being taken over or started again. It
        does not where all workers that have it say that its start has failed for good.
        """
        if name not in self.offered:
            raise api_errors.model_not_found(name)
        engines = [engine for engine in self.engines if engine.model == name]
        if any(engine.phase == "ready" for engine in engines):
            return
        if name not in self.ready_lately or (engines and all(engine.given_up for engine in engines)):
            raise api_errors.model_loading(name)


_looks: "PerLoop[asyncio.Task[Catalogue]]" = PerLoop(lambda: asyncio.create_task(load_catalogue()))


async def get_catalogue() -> Catalogue:
    """The catalogue, at most MAX_AGE_SECONDS old. Raises ApiError 503 where Postgres or Redis is away.

    Calls that come while somebody looks wait for that look.
    """
    task = _looks.get()
    if task.done() and is_stale(task):
        task = _looks.renew()
    try:
        return await asyncio.shield(task)
    except DatabaseError:
        raise api_errors.server_overloaded(explain_outage("The database cannot be reached.")) from None
    except UNAVAILABLE_ERRORS:
        raise api_errors.server_overloaded(explain_outage("Redis cannot be reached.")) from None


def is_stale(task: "asyncio.Task[Catalogue]") -> bool:
    return task.cancelled() or task.exception() is not None or time.monotonic() - task.result().seen > MAX_AGE_SECONDS


async def load_catalogue() -> Catalogue:
    states, models = await asyncio.gather(worker_states(), in_database(read_models))
    offered = {m.name: model_object(m.name, int(m.created_at.timestamp()), m.max_model_len or None) for m in models}
    ready_lately = await find_ready_lately(list(offered))
    fingerprints = {m.name: make_fingerprint(m) for m in models}
    return Catalogue(offered, fingerprints, [state.engine for state in states], ready_lately, time.monotonic())


def read_models() -> list[LanguageModel]:
    return list(LanguageModel.objects.offered())


def make_fingerprint(model: LanguageModel) -> str:
    """OpenAI's `system_fingerprint`: another one where the set-up differs, so that a seed may give another answer."""
    setup = (model.name, model.source, model.kind, model.engine_args, model.max_model_len)
    return f"fp_{sha256(msgspec.json.encode(setup)).hexdigest()[:10]}"
