"""All sockets of a web process: one task checks passes and publishes states, one delivers frames of other windows."""

import asyncio
import math
from collections import deque
from typing import Any
from uuid import UUID

import structlog
from channels.layers import get_channel_layer
from django.db import Error as DatabaseError

from accounts.models import Scope
from accounts.socket_auth import Pass, find_void_passes
from chat.frames import Growing, Queue, encode_frame
from chat.models import Message
from chat.notify import CHANNEL_GROUP
from chat.ws.engine_state import UNTOLD, ModelStates, live_workers, summarise_models
from inference.queue.position import QueuePosition, find_positions
from inference.redis.client import UNAVAILABLE_ERRORS
from inference.worker_state import WorkerState
from jarvis.lib.database import in_database, log_failure
from jarvis.lib.event_loops import PerLoop

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.8  # a void pass closes its sockets within a second
CLOSE_UNAUTHENTICATED = 4401  # close code: the sign-in or key is no longer valid
CLOSE_SERVER_ERROR = 1011  # close code: a fault of the server, come again
MAX_NOTICES = 64  # that are kept for a socket that does not read

_connections: "PerLoop[Connections]" = PerLoop(lambda: Connections())


class Window:
    """What is waiting to be sent to one socket, beside the answers that it follows."""

    def __init__(self, access: Pass) -> None:
        self.access = access
        self.notices: deque[str] = deque(maxlen=MAX_NOTICES)
        self.models: ModelStates | None = UNTOLD
        self.close_code: int | None = None  # the code with which the socket is to close
        self.waiting: dict[
            UUID, QueuePosition | None
        ] = {}  # queued generations that it follows, with the position sent last
        self.growing: frozenset[UUID] = frozenset()  # conversations with open answers of the person, as sent last
        self.news = asyncio.Event()

    def set_models(self, models: ModelStates | None) -> None:
        if models != self.models:
            self.models = models
            self.news.set()

    def set_position(self, generation: UUID, place: QueuePosition) -> None:
        if generation in self.waiting and self.waiting[generation] != place:
            self.waiting[generation] = place
            self.add_notice(encode_frame(Queue(generation, place.position, round_wait(place.wait_seconds))))

    def set_growing(self, conversations: frozenset[UUID]) -> None:
        if conversations != self.growing:
            self.growing = conversations
            self.add_notice(encode_frame(Growing(sorted(conversations))))

    def add_notice(self, frame: str) -> None:
        self.notices.append(frame)
        self.news.set()

    def close(self, code: int) -> None:
        self.close_code = code
        self.news.set()


class Connections:
    """The windows of one event loop. The tasks live while there are any."""

    def __init__(self) -> None:
        self.windows: set[Window] = set()
        self.tasks: list[asyncio.Task[None]] = []
        self.models: ModelStates | None = UNTOLD

    @classmethod
    def for_this_loop(cls) -> "Connections":
        return _connections.get()

    def add_window(self, window: Window) -> None:
        self.windows.add(window)
        if not self.tasks:
            self.tasks = [asyncio.create_task(self.poll_state()), asyncio.create_task(self.receive_frames())]
            for task in self.tasks:
                task.add_done_callback(self.handle_task_end)
        else:
            window.set_models(self.models)

    def remove_window(self, window: Window) -> None:
        self.windows.discard(window)
        if not self.windows:
            self.stop_tasks()

    def stop_tasks(self) -> None:
        for task in self.tasks:
            task.cancel()
        self.tasks, self.models = [], UNTOLD

    def handle_task_end(self, task: asyncio.Task[None]) -> None:
        """A task never ends by itself. If it does, no socket stays open unwatched: all close, and come again."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.critical("sockets.died", exc_info=error)
        self.stop_tasks()
        for window in self.windows:
            window.close(CLOSE_SERVER_ERROR)
        self.windows = set()

    async def poll_state(self) -> None:
        while True:
            workers = await live_workers()
            self.models = summarise_models(workers)
            for window in self.windows:
                window.set_models(self.models)
            await self.close_void_windows()
            await self.publish_progress(workers or [])
            await asyncio.sleep(POLL_SECONDS)

    async def close_void_windows(self) -> None:
        """Close the sockets whose pass has become void."""
        windows = list(self.windows)
        try:
            gone = await in_database(find_void_passes, {window.access for window in windows})
        except DatabaseError as error:
            log_failure(log, error)
            return
        for window in windows:
            if window.access in gone:
                window.close(CLOSE_UNAUTHENTICATED)

    async def publish_progress(self, workers: list[WorkerState]) -> None:
        """Send each window its queue positions and conversations with open answers; a query each for all windows."""
        windows = list(self.windows)
        people = {window.access.caller.user_id for window in windows}
        waiting = {generation for window in windows for generation in window.waiting}
        try:
            growing = await in_database(Message.objects.open_conversations, people)
            found = await in_database(find_positions, waiting, workers)
        except DatabaseError as error:
            log_failure(log, error)
            return
        for window in windows:
            if (caller := window.access.caller).has_scope(Scope.HISTORY):
                window.set_growing(growing.get(caller.user_id, frozenset()))
            for generation in found.keys() & window.waiting.keys():
                window.set_position(generation, found[generation])

    async def receive_frames(self) -> None:
        """Deliver what `chat.notify` sends, from whichever process."""
        layer = get_channel_layer()
        while True:
            try:
                channel = await layer.new_channel()
                await layer.group_add(CHANNEL_GROUP, channel)
                while True:
                    self.deliver_frame(await layer.receive(channel))
            except UNAVAILABLE_ERRORS as error:
                log.warning("redis.away", error=str(error))
                await asyncio.sleep(POLL_SECONDS)

    def deliver_frame(self, message: dict[str, Any]) -> None:
        for window in self.windows:
            caller = window.access.caller
            if caller.user_id == message["user"] and caller.has_scope(Scope.HISTORY):
                window.add_notice(message["frame"])


def round_wait(seconds: float | None) -> int | None:
    """A wait, rounded up to what the estimate is worth, so that it does not change with each poll."""
    if seconds is None:
        return None
    step = 1 if seconds < 10 else 5 if seconds < 60 else 30
    return math.ceil(seconds / step) * step
