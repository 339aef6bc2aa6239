"""Is it alive, is it ready, and how is it: three different answers."""

import asyncio
import time
from typing import Any

from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, HttpResponse

from accounts.authentication import Caller
from inference.models import Generation, LanguageModel
from inference.redis.client import UNAVAILABLE_ERRORS
from inference.redis.workers import worker_states
from inference.worker_state import WorkerState
from jarvis.lib.database import in_database
from jarvis.lib.disk import is_data_full
from jarvis.lib.http import json_response
from jarvis.lib.timestamps import now_iso

STARTED_AT = time.time()
MAX_READY_SECONDS = 3.0  # a readiness check that takes longer says no


async def alive(request: HttpRequest) -> HttpResponse:
    """Liveness: this process answers. It names nothing."""
    return json_response({"status": "ok", "timestamp": now_iso()})


async def ready(request: HttpRequest) -> HttpResponse:
    """Readiness: 200 when a question would be answered now, else 503 with the parts that are missing."""
    try:
        async with asyncio.timeout(MAX_READY_SECONDS):
            missing = await find_missing_parts()
    except TimeoutError:
        missing = ["time"]
    body = {"status": "unavailable" if missing else "ok", "missing": missing, "timestamp": now_iso()}
    return json_response(body, 503 if missing else 200)


async def find_missing_parts() -> list[str]:
    missing = ["disk"] if is_data_full() else []
    try:
        await in_database(ping)
    except DatabaseError:
        missing.append("database")
    try:
        if not any(state.engine.phase == "ready" for state in await worker_states()):
            missing.append("model")
    except UNAVAILABLE_ERRORS:
        missing.append("redis")
    return missing


def ping() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


async def status(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Everything about the state of things, for who is known."""
    now = time.time()
    try:
        workers = await worker_states()
        redis = "ok"
    except UNAVAILABLE_ERRORS:
        workers, redis = [], "away"
    models, queued, running = await in_database(count_calls, caller)
    states = [worker_detail(state, now) for state in workers]
    phases = {state.engine.model: state.engine.phase for state in workers}
    body: dict[str, Any] = {
        "status": "ok" if any(state.engine.phase == "ready" for state in workers) else "unavailable",
        "timestamp": now_iso(),
        "uptime_seconds": round(now - STARTED_AT, 1),
        "models": [{**model, "state": phases.get(model["name"], "not served")} for model in models],
        "workers": states,
        "tokens_per_second": round(sum(state.tokens_per_second for state in workers), 1),
        "queue": {"queued": queued, "running": running},
        "redis": redis,
    }
    return json_response(body)


def count_calls(caller: Caller) -> tuple[list[dict[str, Any]], int, int]:
    fields = ("name", "source", "kind", "default", "max_model_len")
    models: list[dict[str, Any]] = [dict(row) for row in LanguageModel.objects.open_to(caller).values(*fields)]
    open_rows = Generation.objects.open()
    queued = open_rows.queued().count()
    return models, queued, open_rows.count() - queued


def worker_detail(state: WorkerState, now: float) -> dict[str, Any]:
    engine = state.engine
    return {
        "name": state.name,
        "host": state.host,
        "uptime_seconds": round(now - state.started, 1),
        "running": state.running,
        "slots": engine.slots,
        "draining": state.draining,
        "paused": state.paused,
        "tokens_per_second": state.tokens_per_second,
        "memory": {"total": state.memory_total, "available": state.memory_available},
        "engine": {
            "phase": engine.phase,
            "detail": engine.detail,
            "progress": engine.progress,
            "model": engine.model,
            "max_model_len": engine.max_model_len,
            "adopted": engine.adopted,
            "uptime_seconds": round(now - engine.since, 1),
        },
        "gpus": state.gpus,
    }
