"""Answers as HTML while they grow: each is rendered once in a process, for all sockets that show it.

Rendering is done on the event loop in small pieces: a thread that computes would make the loop wait for the
interpreter's lock at every turn. What is long, or looks slow, is rendered in another process, for which a thread waits.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import UUID

import structlog
from django.db import Error as DatabaseError

from chat import frames
from chat.models import Message
from chat.render_process import RendererAway, TooSlow, is_cheap, render_slice, render_text
from chat.rendering.incremental import Draft
from chat.rendering.stored import footnote_scope
from chat.ws.replay import make_boundary, text_of_event
from inference.log.events import START, Begin, Cursor, End, Event
from inference.log.follow import Follower, LogReader
from jarvis.lib.database import in_database, log_failure
from jarvis.lib.event_loops import PerLoop

log = structlog.get_logger(__name__)

MIN_RENDER_INTERVAL_SECONDS = 0.2  # between two renderings of one answer
MAX_HOLD_SECONDS = 0.2  # for which text that may be markup waits for a rendering; then it is shown as it is
MAX_RENDER_SHARE = 0.25  # of the event loop's time that rendering takes at most, when many answers grow
MAX_FRAME_HTML_CHARS = 16_000  # in one frame, unless one block has more

_answers: "PerLoop[dict[UUID, LiveHtml]]" = PerLoop(dict)
_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rendering")


async def stream_html_frames(generation: UUID, prefix: str = "") -> AsyncGenerator[frames.FromServer]:
    """The frames for one who looks at an answer, from its first block to its end. It begins with the prefix."""
    live = LiveHtml.for_generation(generation, prefix)
    viewer = Viewer(live)
    live.viewers.add(viewer)
    try:
        while True:
            await viewer.news.wait()
            viewer.news.clear()
            if live.error is not None:
                raise RuntimeError("The renderer of this answer has died; follow it again.") from live.error
            for frame in viewer.news_frames():
                yield frame
            if viewer.has_ended:
                return
    finally:
        live.remove_viewer(viewer)


class LiveHtml:
    """One answer, as it looks now. It lives while anybody looks at it, and to its end once that has come."""

    def __init__(self, generation: UUID, prefix: str = "") -> None:
        self.generation = generation
        self.prefix = prefix
        self.draft = self.new_draft()
        self.has_begun = False
        self.clears = 0  # times at which the answer began again from nothing
        self.block_revision = 0  # changes when finished blocks are replaced
        self.open_revision = 0  # changes when `draft.open` does
        self.end: frames.FromServer | None = None
        self.error: BaseException | None = None
        self.viewers: set[Viewer] = set()
        self.next_render_at = self.shown_at = 0.0
        self.task = asyncio.create_task(self.run())
        self.task.add_done_callback(self.handle_task_end)

    @classmethod
    def for_generation(cls, generation: UUID, prefix: str = "") -> "LiveHtml":
        answers = _answers.get()
        if generation not in answers:
            answers[generation] = cls(generation, prefix)
        return answers[generation]

    def new_draft(self) -> Draft:
        draft = Draft()
        if self.prefix:
            draft.add(self.prefix)
        return draft

    def remove_viewer(self, viewer: "Viewer") -> None:
        self.viewers.discard(viewer)
        if not self.viewers:
            self.unregister()
            if self.end is None:
                self.task.cancel()

    def handle_task_end(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.error = error
            self.unregister()
            self.wake_viewers()

    def unregister(self) -> None:
        """Who comes from now on begins anew."""
        answers = _answers.get()
        if answers.get(self.generation) is self:
            del answers[self.generation]

    def wake_viewers(self) -> None:
        for viewer in self.viewers:
            viewer.news.set()

    async def run(self) -> None:
        hub, follower = LogReader.for_this_loop(), Follower(self.generation, START)
        await hub.add_follower(follower)
        try:
            end: tuple[Cursor, End] | None = None
            while end is None:
                for cursor, entry in await follower.take_batch(self.seconds_until_due()):
                    end = (cursor, entry) if isinstance(entry, End) else None
                    self.apply_event(entry)
                if end is None:
                    await self.show_changes()
        finally:
            hub.remove_follower(follower)
        await self.finish(*end)

    def apply_event(self, entry: Event) -> None:
        if isinstance(entry, Begin):
            if not self.has_begun or entry.clear:
                self.has_begun = True
                self.wake_viewers()
            if entry.clear and self.draft.text:
                self.draft = self.new_draft()
                self.clears += 1
        elif text := text_of_event(entry):
            self.draft.add(text)

    def seconds_until_due(self) -> float | None:
        """Seconds until there is something to show without any news."""
        times = [self.next_render_at] if self.draft.is_ripe else []
        times += [self.shown_at + MAX_HOLD_SECONDS] if self.draft.has_hidden_text else []
        return max(0.0, min(times) - self.now()) if times else None

    async def show_changes(self) -> None:
        now = self.now()
        if self.draft.is_ripe and now >= self.next_render_at:
            await self.render()
        elif self.draft.release_text(everything=now >= self.shown_at + MAX_HOLD_SECONDS):
            if not self.draft.has_hidden_text:
                self.shown_at = now
            self.wake_viewers()

    async def render(self) -> None:
        while True:
            work = partial(self.draft.render_new, render_slice)
            try:
                if is_cheap(self.draft.next_source):
                    took = measure_cpu_seconds(work)
                else:
                    took = await asyncio.get_running_loop().run_in_executor(_thread, measure_cpu_seconds, work)
            except (TooSlow, RendererAway):
                took = 0.0
                self.draft.give_up()
            self.open_revision += 1
            self.wake_viewers()
            if not self.draft.has_much_new:
                break
            await asyncio.sleep(0)
        answers = len(_answers.get())
        self.shown_at = self.now()
        self.next_render_at = self.shown_at + max(MIN_RENDER_INTERVAL_SECONDS, took * answers / MAX_RENDER_SHARE)

    async def finish(self, cursor: Cursor, end: End) -> None:
        """Render what is left, show it, and store the HTML with the message."""
        while self.draft.has_much_new:
            await self.render()
        is_final = await self.finish_draft()
        self.open_revision += 1
        self.end = make_boundary(self.generation, cursor, end)
        self.wake_viewers()
        if not is_final:
            return  # it is rendered when the page is opened
        try:
            await in_database(Message.objects.store_html, self.generation, self.draft.text, "".join(self.draft.blocks))
        except DatabaseError as error:
            log_failure(log, error)  # it is rendered again when the page is opened

    async def finish_draft(self) -> bool:
        """Render what is left; whether that is worth keeping."""
        is_final, work = True, partial(self.draft.finish, footnote_scope(self.generation), render_text)
        try:
            if is_cheap(self.draft.last_source):
                changed = work()
            else:
                changed = await asyncio.get_running_loop().run_in_executor(_thread, work)
        except (TooSlow, RendererAway) as error:
            is_final = isinstance(error, TooSlow)
            self.draft.give_up()
            changed = work()
        self.block_revision += changed
        return is_final

    @staticmethod
    def now() -> float:
        return asyncio.get_running_loop().time()


def measure_cpu_seconds(work: Callable[[], None]) -> float:
    """Do it; the seconds of computing that it took, whatever else the machine did."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


class Viewer:
    """One socket that shows an answer, and how much of it was sent there."""

    def __init__(self, live: LiveHtml) -> None:
        self.live = live
        self.news = asyncio.Event()
        self.news.set()
        self.has_begun = self.has_ended = False
        self.clears, self.block_revision = live.clears, live.block_revision
        self.blocks = 0
        self.open_revision = -1
        self.tail = 0

    def news_frames(self) -> Iterator[frames.FromServer]:
        live = self.live
        if live.has_begun and (not self.has_begun or self.clears != live.clears):
            yield frames.Began(live.generation, clear=self.clears != live.clears)
            self.has_begun = True
        if (self.clears, self.block_revision) != (live.clears, live.block_revision):
            self.clears, self.block_revision = live.clears, live.block_revision
            self.blocks, self.open_revision = 0, -1
        yield from self.html_frames()
        if live.end is not None:
            self.has_ended = True
            yield live.end

    def html_frames(self) -> Iterator[frames.Html]:
        """What is new, in frames of a bearable length; the last one has what is open."""
        draft = self.live.draft
        while True:
            first, blocks, size = self.blocks, list[str](), 0
            for block in draft.blocks[first:]:
                if blocks and size + len(block) > MAX_FRAME_HTML_CHARS:
                    break
                blocks.append(block)
                size += len(block)
            self.blocks = first + len(blocks)
            if self.blocks < len(draft.blocks):
                yield frames.Html(self.live.generation, first, blocks)
                continue
            changed = self.open_revision != self.live.open_revision
            sent = 0 if changed else self.tail
            self.open_revision, self.tail = self.live.open_revision, len(draft.tail)
            if blocks or changed or len(draft.tail) > sent:
                yield frames.Html(
                    self.live.generation, first, blocks, draft.open if changed else None, draft.tail[sent:]
                )
            return
