"""All sockets of a web process: one task looks after who may stay, one hears what other windows ask."""

import asyncio
import math
import weakref
from collections import deque
from typing import Any
from uuid import UUID

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import Error as DatabaseError

from accounts.models import Scope
from accounts.socket_auth import Pass, void
from chat.frames import Growing, Queue, State, encode
from chat.models import Message
from inference.queue.position import Place, places
from inference.redis import wire
from inference.worker_state import WorkerState
from jarvis.lib.database import in_database, log_failure

log = structlog.get_logger(__name__)

TICK = 0.8  # seconds: a pass that is void closes its sockets within one
GROUP = "chat"
VOID = 4401  # close code: the sign-in or key is no longer valid
BROKE = 1011  # close code: a fault of the server, come again
NOTICES = 64  # kept at most for a socket that does not read
PHASES = ("ready", "warming", "loading", "starting", "failed", "stopped")  # the best worker's is shown

_sockets: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Sockets]" = weakref.WeakKeyDictionary()


class Window:
    """What is waiting to be sent to one socket, beside the answers that it follows."""

    def __init__(self, opened_by: Pass) -> None:
        self.opened_by = opened_by
        self.notices: deque[str] = deque(maxlen=NOTICES)
        self.state: State | None = None
        self.closes: int | None = None  # the code with which the socket is to close
        self.waiting: dict[UUID, Place | None] = {}  # generations that it follows and that wait: the place told last
        self.growing: frozenset[UUID] = frozenset()  # the person's conversations in which answers grow, as told last
        self.news = asyncio.Event()

    def show(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self.news.set()

    def show_place(self, generation: UUID, place: Place) -> None:
        if generation in self.waiting and self.waiting[generation] != place:
            self.waiting[generation] = place
            self.notice(encode(Queue(generation, place.position, rounded(place.wait_seconds))))

    def show_growing(self, conversations: frozenset[UUID]) -> None:
        if conversations != self.growing:
            self.growing = conversations
            self.notice(encode(Growing(sorted(conversations))))

    def notice(self, frame: str) -> None:
        self.notices.append(frame)
        self.news.set()

    def end(self, code: int) -> None:
        self.closes = code
        self.news.set()


class Sockets:
    """The windows of one event loop. The tasks live while there are any."""

    def __init__(self) -> None:
        self.windows: set[Window] = set()
        self.tasks: list[asyncio.Task[None]] = []
        self.state: State | None = None

    @classmethod
    def here(cls) -> "Sockets":
        return _sockets.setdefault(asyncio.get_running_loop(), cls())

    def add(self, window: Window) -> None:
        self.windows.add(window)
        if not self.tasks:
            self.tasks = [asyncio.create_task(self.tick_on()), asyncio.create_task(self.listen())]
            for task in self.tasks:
                task.add_done_callback(self.died)
        elif self.state is not None:
            window.show(self.state)

    def remove(self, window: Window) -> None:
        self.windows.discard(window)
        if not self.windows:
            self.rest()

    def rest(self) -> None:
        for task in self.tasks:
            task.cancel()
        self.tasks, self.state = [], None

    def died(self, task: asyncio.Task[None]) -> None:
        """A task never ends by itself. If it does, no socket stays open unwatched: all close, and come again."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.critical("sockets.died", exc_info=error)
        self.rest()
        for window in self.windows:
            window.end(BROKE)
        self.windows = set()

    async def tick_on(self) -> None:
        while True:
            workers = await live_workers()
            self.state = state_of(workers)
            for window in self.windows:
                window.show(self.state)
            await self.check()
            await self.tell_progress(workers or [])
            await asyncio.sleep(TICK)

    async def check(self) -> None:
        """Close the sockets whose pass has become void."""
        windows = list(self.windows)
        try:
            gone = await in_database(void, {window.opened_by for window in windows})
        except DatabaseError as error:
            log_failure(log, error)
            return
        for window in windows:
            if window.opened_by in gone:
                window.end(VOID)

    async def tell_progress(self, workers: list[WorkerState]) -> None:
        """Tell each window its place in the queue, and where answers grow; a query each for all windows together."""
        windows = list(self.windows)
        people = {window.opened_by.caller.user_id for window in windows}
        waiting = {generation for window in windows for generation in window.waiting}
        try:
            growing = await in_database(Message.objects.growing, people)
            found = await in_database(places, waiting, workers)
        except DatabaseError as error:
            log_failure(log, error)
            return
        for window in windows:
            if (caller := window.opened_by.caller).may(Scope.HISTORY):
                window.show_growing(growing.get(caller.user_id, frozenset()))
            for generation in found.keys() & window.waiting.keys():
                window.show_place(generation, found[generation])

    async def listen(self) -> None:
        """Hand on what `announce` tells, from whichever process."""
        layer = get_channel_layer()
        while True:
            try:
                channel = await layer.new_channel()
                await layer.group_add(GROUP, channel)
                while True:
                    self.hear(await layer.receive(channel))
            except wire.AWAY as error:
                log.warning("redis.away", error=str(error))
                await asyncio.sleep(TICK)

    def hear(self, message: dict[str, Any]) -> None:
        for window in self.windows:
            caller = window.opened_by.caller
            if caller.user_id == message["user"] and caller.may(Scope.HISTORY):
                window.notice(message["frame"])


async def announce(user_id: int, frame: str) -> None:
    """Send a frame to all open windows of a person. Where Redis is away none hears it, until it is loaded again."""
    try:
        async with asyncio.timeout(TICK):
            await get_channel_layer().group_send(GROUP, {"type": "chat", "user": user_id, "frame": frame})
    except (TimeoutError, *wire.AWAY) as error:
        log.warning("redis.away", error=str(error))


def announce_now(user_id: int, frame: str) -> None:
    """The same for sync code, such as a REST resource or a task of Celery."""
    async_to_sync(announce)(user_id, frame)


async def live_workers() -> list[WorkerState] | None:
    """The workers that are there; None where Redis cannot tell."""
    try:
        return await wire.worker_states()
    except wire.AWAY:
        return None


def state_of(workers: list[WorkerState] | None) -> State:
    """The engine as people are shown it; of several workers the one that is furthest."""
    if workers is None:
        return State("unknown", "Redis cannot be reached. Answers wait until it is back.")
    if not workers:
        return State("absent", "No worker is running. Questions wait in the queue until one is.")
    best = min(workers, key=lambda worker: PHASES.index(worker.engine.phase)).engine
    progress = None if best.progress is None else round(best.progress, 2)
    ready = sorted({worker.engine.model for worker in workers if worker.engine.phase == "ready"})
    return State(best.phase, best.detail, progress, best.model, ready)


def rounded(seconds: float | None) -> int | None:
    """A wait as people are told it: no more exact than it is, so that it does not change with each look."""
    if seconds is None:
        return None
    step = 1 if seconds < 10 else 5 if seconds < 60 else 30
    return math.ceil(seconds / step) * step
