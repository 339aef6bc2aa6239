"""Which processes make up Jarvis, and how each is started."""

import asyncio
import os
import socket
import sys

from inference.redis.client import UNAVAILABLE_ERRORS
from inference.redis.workers import worker_states
from inference.worker_state import WorkerState
from jarvis.launch import port
from jarvis.launch.child import ChildPlan
from jarvis.launch.embedded import EmbeddedPostgres, EmbeddedRedis, Service
from jarvis.lib.config import BASE, Config
from jarvis.lib.log_file import LogFile

CELERY_CONCURRENCY = 2
COMMON = {
    "PYTHONUNBUFFERED": "1",  # their logs are files, and come line by line
    "PYTHONDONTWRITEBYTECODE": "",  # empty is off: bytecode halves the time of a start
    "DJANGO_SETTINGS_MODULE": "jarvis.settings",
}
DEV_SETTINGS = {"DJANGO_SETTINGS_MODULE": "jarvis.launch.dev_settings"}
CODE_FOLDERS = [str(app.parent) for app in sorted(BASE.glob("*/__init__.py")) if app.parent.name != "tests"]


def _log(config: Config, name: str) -> LogFile:
    return LogFile(config.var / "log" / f"{name}.log")


def _python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def service_plans(config: Config) -> list[ChildPlan]:
    """Postgres and Redis, as far as no other ones are given."""
    services: list[Service] = []
    if not config.database_url:
        services.append(EmbeddedPostgres(config.var / "postgres", config.run_dir))
    if not config.redis_url:
        services.append(EmbeddedRedis(config.var / "redis", config.run_dir))
    return [service_plan(service, _log(config, service.name)) for service in services]


def service_plan(service: Service, log: LogFile) -> ChildPlan:
    """How one embedded server is kept running."""

    async def ready(_: int) -> bool:
        return await asyncio.to_thread(service.ready)

    return ChildPlan(
        name=service.name,
        command=service.command,
        log=log,
        prepare=service.prepare,
        ready=ready,
        stop_signal=service.stop_signal,
        stop_seconds=20,
        is_essential=True,
    )


def web_plans(config: Config, fd: int | None, *, dev: bool = False) -> list[ChildPlan]:
    """The web processes. `fd` is the listening socket; without one the server opens the port itself.

    `dev`: they start anew when the code changes, and show their errors.
    """
    own_port = fd is None
    count = 1 if own_port else config.web_processes
    arguments = [] if own_port else ["--fd", str(fd)]
    if dev:
        arguments += ["--reload", *CODE_FOLDERS]

    async def ready(_: int) -> bool:
        return await port.answers(config.web_host, config.web_port)

    return [
        ChildPlan(
            name="web" if count == 1 else f"web {number}",
            command=lambda: _python("-m", "jarvis.launch.web", *arguments),
            log=_log(config, "web" if count == 1 else f"web-{number}"),
            ready=ready,
            stop_seconds=8,
            is_essential=True,
            pass_fds=() if fd is None else (fd,),
            environment=COMMON | (DEV_SETTINGS if dev else {}),
        )
        for number in range(1, count + 1)
    ]


def background_plans(config: Config) -> list[ChildPlan]:
    """The worker that holds the engine, and Celery."""
    schedule = config.run_dir / "celery-beat"
    celery = ("-m", "celery", "--quiet", "-A", "jarvis")
    work = ("worker", f"--concurrency={CELERY_CONCURRENCY}", "--without-gossip", "--without-mingle")
    return [
        ChildPlan(
            name="worker",
            command=lambda: _python(str(BASE / "manage.py"), "gpu_worker"),
            log=_log(config, "worker"),
            ready=engine_ready,
            tells_phase=True,
            stop_seconds=config.drain_seconds + 20,  # it stops its engine after draining
            hurried_stop_seconds=20,  # it stops its engine in any case: killed, it would leave it for the next worker
            environment=COMMON,
        ),
        ChildPlan(
            name="celery",
            command=lambda: _python(*celery, *work, "--hostname", f"celery-{os.getpid()}@%h"),
            log=_log(config, "celery"),
            environment=COMMON,
        ),
        ChildPlan(
            name="beat",
            command=lambda: _python(*celery, "beat", "--schedule", str(schedule), "--pidfile="),
            log=_log(config, "beat"),
            environment=COMMON,
        ),
    ]


async def worker_state(pid: int) -> WorkerState | None:
    """What the worker that is this process of this machine says of itself."""
    try:
        states = await worker_states()
    except UNAVAILABLE_ERRORS:
        return None
    return next((state for state in states if state.pid == pid and state.host == socket.gethostname()), None)


async def engine_ready(pid: int) -> bool:
    """Whether that worker's engine can be used."""
    state = await worker_state(pid)
    return state is not None and state.engine.phase == "ready"
