"""Answers as HTML while they grow: each is rendered once in a process, for all sockets that show it.

Rendering is done on the event loop in small pieces: a thread that computes would make the loop wait for the
interpreter's lock at every turn. Only a long piece goes to a thread, and holds nobody up for longer than that.
"""

import asyncio
import time
import weakref
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import structlog
from django.db import Error as DatabaseError

from chat import frames
from chat.pages.messages import keep, scope_of
from chat.rendering.incremental import Draft
from inference.log.events import START, Begin, Cursor, End, Entry
from inference.log.follow import Follower, Hub
from jarvis.lib.database import in_database, log_failure

log = structlog.get_logger(__name__)

PAUSE = 0.2  # seconds between two renderings of one answer, at least
HOLD = 0.2  # seconds for which text that may be markup waits for a rendering; then it is shown as it is
SHARE = 0.25  # of the event loop's time that rendering takes at most, when many answers grow
INLINE = 3_000  # characters that are rendered on the event loop; more are in a thread
FRAME = 16_000  # characters of HTML in one frame, unless one block has more

_answers: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[UUID, Live]]" = weakref.WeakKeyDictionary()
_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rendering")


async def shown(generation: UUID, begun: str = "") -> AsyncGenerator[frames.FromServer]:
    """The frames for one who looks at an answer, from its first block to its end. It goes on with what was `begun`."""
    live = Live.of(generation, begun)
    viewer = Viewer(live)
    live.viewers.add(viewer)
    try:
        while True:
            await viewer.news.wait()
            viewer.news.clear()
            if live.fault is not None:
                raise RuntimeError("The renderer of this answer has died; follow it again.") from live.fault
            for frame in viewer.news_frames():
                yield frame
            if viewer.ended:
                return
    finally:
        live.leave(viewer)


class Live:
    """One answer, as it looks now. It lives while anybody looks at it, and to its end once that has come."""

    def __init__(self, generation: UUID, prefix: str = "") -> None:
        self.generation = generation
        self.prefix = prefix
        self.draft = self.fresh()
        self.begun = False
        self.clears = 0  # times at which the answer began again from nothing
        self.edition = 0  # changes when finished blocks are replaced
        self.drawn = 0  # changes when `draft.open` does
        self.end: frames.FromServer | None = None
        self.fault: BaseException | None = None
        self.viewers: set[Viewer] = set()
        self.due = self.shown_at = 0.0
        self.task = asyncio.create_task(self.run())
        self.task.add_done_callback(self.over)

    @classmethod
    def of(cls, generation: UUID, prefix: str = "") -> "Live":
        answers = _answers.setdefault(asyncio.get_running_loop(), {})
        if generation not in answers:
            answers[generation] = cls(generation, prefix)
        return answers[generation]

    def fresh(self) -> Draft:
        draft = Draft()
        if self.prefix:
            draft.add(self.prefix)
        return draft

    def leave(self, viewer: "Viewer") -> None:
        self.viewers.discard(viewer)
        if not self.viewers:
            self.forget()
            if self.end is None:
                self.task.cancel()

    def over(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fault = error
            self.forget()
            self.wake()

    def forget(self) -> None:
        """Who comes from now on begins anew."""
        answers = _answers[asyncio.get_running_loop()]
        if answers.get(self.generation) is self:
            del answers[self.generation]

    def wake(self) -> None:
        for viewer in self.viewers:
            viewer.news.set()

    async def run(self) -> None:
        hub, follower = Hub.here(), Follower(self.generation, START)
        await hub.add(follower)
        try:
            end: tuple[Cursor, End] | None = None
            while end is None:
                for cursor, entry in await follower.take(self.patience()):
                    end = (cursor, entry) if isinstance(entry, End) else None
                    self.hear(entry)
                if end is None:
                    await self.show()
        finally:
            hub.remove(follower)
        await self.finish(*end)

    def hear(self, entry: Entry) -> None:
        if isinstance(entry, Begin):
            if not self.begun or entry.clear:
                self.begun = True
                self.wake()
            if entry.clear and self.draft.text:
                self.draft = self.fresh()
                self.clears += 1
        elif text := frames.text_of(entry):
            self.draft.add(text)

    def patience(self) -> float | None:
        """Seconds until there is something to show without any news."""
        times = [self.due] if self.draft.ripe else []
        times += [self.shown_at + HOLD] if self.draft.held else []
        return max(0.0, min(times) - self.now()) if times else None

    async def show(self) -> None:
        now = self.now()
        if self.draft.ripe and now >= self.due:
            await self.draw()
        elif self.draft.release(everything=now >= self.shown_at + HOLD):
            if not self.draft.held:
                self.shown_at = now
            self.wake()

    async def draw(self) -> None:
        while True:
            if self.draft.weight > INLINE:
                took = await asyncio.get_running_loop().run_in_executor(_thread, timed, self.draft.draw)
            else:
                took = timed(self.draft.draw)
            self.drawn += 1
            self.wake()
            if not self.draft.much_is_new:
                break
            await asyncio.sleep(0)
        answers = len(_answers[asyncio.get_running_loop()])
        self.shown_at = self.now()
        self.due = self.shown_at + max(PAUSE, took * answers / SHARE)

    async def finish(self, cursor: Cursor, end: End) -> None:
        """Render what is left, tell it, and keep all of it with the message."""
        while self.draft.much_is_new:
            await self.draw()
        scope = scope_of(self.generation)
        if await asyncio.get_running_loop().run_in_executor(_thread, self.draft.finish, scope):
            self.edition += 1
        self.drawn += 1
        self.end = frames.began_or_ended(self.generation, cursor, end)
        self.wake()
        try:
            await in_database(keep, self.generation, self.draft.text, "".join(self.draft.blocks))
        except DatabaseError as error:
            log_failure(log, error)  # it is rendered again when the page is opened

    @staticmethod
    def now() -> float:
        return asyncio.get_running_loop().time()


def timed(work: Callable[[], None]) -> float:
    """Do it; the seconds of computing that it took, whatever else the machine did."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


class Viewer:
    """What one socket has been told of an answer."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.news = asyncio.Event()
        self.news.set()
        self.begun = self.ended = False
        self.clears, self.edition = live.clears, live.edition
        self.blocks = 0
        self.drawn = -1
        self.tail = 0

    def news_frames(self) -> Iterator[frames.FromServer]:
        live = self.live
        if live.begun and (not self.begun or self.clears != live.clears):
            yield frames.Began(live.generation, clear=self.clears != live.clears)
            self.begun = True
        if (self.clears, self.edition) != (live.clears, live.edition):
            self.clears, self.edition = live.clears, live.edition
            self.blocks, self.drawn = 0, -1
        yield from self.parts()
        if live.end is not None:
            self.ended = True
            yield live.end

    def parts(self) -> Iterator[frames.Html]:
        """What is new, in frames of a bearable length; the last one has what is open."""
        draft = self.live.draft
        while True:
            first, blocks, size = self.blocks, list[str](), 0
            for block in draft.blocks[first:]:
                if blocks and size + len(block) > FRAME:
                    break
                blocks.append(block)
                size += len(block)
            self.blocks = first + len(blocks)
            if self.blocks < len(draft.blocks):
                yield frames.Html(self.live.generation, first, blocks)
                continue
            changed = self.drawn != self.live.drawn
            told = 0 if changed else self.tail
            self.drawn, self.tail = self.live.drawn, len(draft.tail)
            if blocks or changed or len(draft.tail) > told:
                yield frames.Html(
                    self.live.generation, first, blocks, draft.open if changed else None, draft.tail[told:]
                )
            return
