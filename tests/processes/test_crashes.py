"""SIGKILL to each process in the middle of 20 answers: each comes whole, once, and is stored and billed once."""

import asyncio
import contextlib
import os
import shutil
import signal
import time

import aiohttp
import pytest

from inference.models import UsageDay
from inference.tasks import roll_up
from tests.support.fake_engine import numbered
from tests.support.stack import TOKENS, Stack, Stream, Watcher

pytestmark = [pytest.mark.processes, pytest.mark.timeout(120)]

CALLS = 20
PATIENCE = 40.0  # seconds for all answers, after the kill


class Scene:
    """Calls under way through both web processes, and a watcher of all answers on each of the two."""

    def __init__(self, stack: Stack, http: aiohttp.ClientSession) -> None:
        self.stack = stack
        self.http = http
        self.streams = [Stream(stack, http) for _ in range(CALLS)]
        self.watchers: list[Watcher] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.calls: list[asyncio.Task[None]] = []

    @property
    def ids(self):
        return [stream.id for stream in self.streams]

    async def open_watchers(self) -> None:
        """One on each web process. The kernel chooses, and takes others than the first only for many at once."""
        async with asyncio.timeout(PATIENCE):
            while len(self.watchers) < 2:
                opened = [Watcher(self.stack, self.http) for _ in range(12)]
                await asyncio.gather(*(watcher.open() for watcher in opened))
                for watcher in opened:
                    if watcher.web and watcher.web not in [other.web for other in self.watchers]:
                        self.watchers.append(watcher)
                        self.tasks.append(asyncio.create_task(watcher.run()))
                    else:
                        await watcher.close()

    def call(self) -> None:
        self.calls = [asyncio.create_task(stream.run()) for stream in self.streams]

    async def begin(self) -> None:
        await self.open_watchers()
        self.call()
        await self.follow()

    async def follow(self) -> None:
        for stream in self.streams:
            await asyncio.wait_for(stream.known.wait(), PATIENCE)
            assert stream.id is not None, stream.fault
            for watcher in self.watchers:
                await watcher.follow(stream.id)

    async def until(self, tokens: float) -> None:
        """Wait until the answers have come so far, on average."""
        async with asyncio.timeout(PATIENCE):
            while min(watcher.tokens() for watcher in self.watchers) < tokens:
                await asyncio.sleep(0.01)
        for watcher in self.watchers:
            watcher.listen()

    async def finish(self) -> None:
        """Wait for all answers, on all ways."""
        async with asyncio.timeout(PATIENCE):
            for watcher in self.watchers:
                await watcher.all_ended(self.ids)
            await asyncio.gather(*self.calls)

    def check_rows(self) -> None:
        """Stored once, billed once: one row for each call, exact, with the engine's own count."""
        rows = self.stack.rows()
        assert sorted(row["id"] for row in rows) == sorted(self.ids)
        assert {row["status"] for row in rows} == {"done"}
        assert {row["text"] for row in rows} == {numbered(TOKENS)}
        assert {(row["prompt_tokens"], row["completion_tokens"]) for row in rows} == {(5, TOKENS)}
        assert {row["finish_reason"] for row in rows} == {"length"}
        assert billed_by_day(self.stack) == (CALLS, 5 * CALLS, TOKENS * CALLS)

    def check_watchers(self, clears: int = 0) -> None:
        """Every watcher has each token of each answer once."""
        for watcher in self.watchers:
            assert {watcher.shown[id] for id in self.ids} == {numbered(TOKENS)}
            assert {watcher.ends[id]["status"] for id in self.ids} == {"done"}
            assert max(watcher.cleared.values()) <= clears

    def check_streams(self, streams=None) -> None:
        """The scripts that stayed connected got one text, with no token twice, and the right bill."""
        for stream in self.streams if streams is None else streams:
            assert stream.fault is None
            assert (stream.text, stream.reason) == (numbered(TOKENS), "length")
            assert stream.usage is not None
            assert stream.usage["completion_tokens"] == TOKENS

    @property
    def silence(self) -> float:
        return max(watcher.silence for watcher in self.watchers)


def billed_by_day(stack: Stack) -> tuple[int, ...]:
    """Calls, tokens in and tokens out, as people are shown them."""

    def count() -> tuple[int, ...]:
        roll_up(), roll_up()
        sums = UsageDay.objects.sum_totals()
        return tuple(sums[name] for name in ("calls", "prompt_tokens", "completion_tokens"))

    return stack.on_its_database(count)


@contextlib.asynccontextmanager
async def scene(stack: Stack):
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(sock_connect=5)) as http:
        made = Scene(stack, http)
        try:
            yield made
        finally:
            for task in (*made.tasks, *made.calls):
                task.cancel()
            await asyncio.gather(*made.tasks, *made.calls, return_exceptions=True)
            for watcher in made.watchers:
                await watcher.close()


@pytest.fixture
def note(record_property):
    """Write a figure down, and show it with -s."""

    def write(what: str, seconds: float) -> None:
        record_property(what, round(seconds, 2))
        print(f"\n{what}: {seconds:.2f} s", flush=True)

    return write


async def test_nothing_dies(stack, note):
    async with scene(stack) as all:
        await all.begin()
        began = time.monotonic()
        await all.until(50)
        await all.finish()
        note("undisturbed, longest silence", all.silence)
        note("undisturbed, all answers", time.monotonic() - began)
        all.check_rows()
        all.check_watchers()
        all.check_streams()


@pytest.mark.alone
@pytest.mark.parametrize("name", ["worker", "engine", "celery", "redis", "postgres"])
async def test_the_death_of_a_process_is_not_seen_in_any_answer(stack, note, name):
    engine = stack.engine()
    async with scene(stack) as all:
        await all.begin()
        await all.until(60)
        stack.kill(name)
        await all.finish()
        note(f"{name} killed, longest silence", all.silence)
        all.check_rows()
        all.check_watchers()
        all.check_streams()
    if name == "worker":
        assert stack.engine() == engine  # lived on, and was taken over
        assert {row["attempt"] for row in stack.rows()} == {2}
        assert all.silence < 3 + START
    if name in ("postgres", "celery"):
        assert all.silence < 1


START = 5.0  # seconds that a Python process may take to start beside everything else on two cores


async def test_the_death_of_a_web_process_takes_no_answer_with_it(stack, note):
    async with scene(stack) as all:
        await all.begin()
        webs = [await asyncio.to_thread(stack.web_of, stream.local) for stream in all.streams]
        victim = max(webs, key=webs.count)  # the kernel chooses, and may give all streams to one
        assert victim
        await all.until(60)
        os.kill(victim, signal.SIGKILL)
        await all.finish()
        all.check_rows()
        all.check_watchers()
        note("web killed, longest silence of a watcher that comes back", all.silence)
        assert sorted(watcher.comebacks for watcher in all.watchers) == [0, 1]
        assert [stream.fault is not None for stream in all.streams] == [web == victim for web in webs]
        all.check_streams([stream for stream in all.streams if not stream.fault])


@pytest.mark.parametrize("victims", [["worker"], ["engine"], ["engine", "worker"]], ids=" and ".join)
async def test_calls_that_come_while_the_model_is_taken_over_or_started_again_are_not_refused(stack, victims):
    streams, calls = [], []

    async def keep_calling(http):
        while True:
            streams.append(Stream(stack, http, max_tokens=5))
            calls.append(asyncio.create_task(streams[-1].run()))
            await asyncio.sleep(0.1)

    async with scene(stack) as all:
        calling = asyncio.create_task(keep_calling(all.http))
        await asyncio.sleep(1)
        for name in victims:
            stack.kill(name)
        called = len(calls)
        async with asyncio.timeout(PATIENCE):
            while len(calls) < called + 50 or not await asyncio.to_thread(stack.ready):
                await asyncio.sleep(0.2)
            calling.cancel()
            await asyncio.gather(*calls)  # each asserts that its status is 200
    assert {(stream.text, stream.reason, stream.fault) for stream in streams} == {(numbered(5), "length", None)}


async def test_worker_and_engine_die_together(stack, note):
    async with scene(stack) as all:
        await all.begin()
        await all.until(60)
        stack.kill("engine")
        stack.kill("worker")
        await all.finish()
        note("worker and engine killed, longest silence", all.silence)
        all.check_rows()
        all.check_watchers()
        all.check_streams()


async def test_redis_comes_back_without_its_data(stack, note):
    async with scene(stack) as all:
        await all.begin()
        await all.until(60)
        os.kill(stack.pid("redis"), signal.SIGSTOP)
        try:
            for what in (stack.var / "redis").iterdir():
                shutil.rmtree(what) if what.is_dir() else what.unlink()
        finally:
            stack.kill("redis")
        await all.finish()
        note("redis killed and its data deleted, longest silence", all.silence)
        all.check_rows()
        all.check_watchers()
        all.check_streams()


async def test_the_worker_dies_before_it_claims(stack, note):
    async with scene(stack) as all:
        await all.open_watchers()
        killed = stack.kill("worker")
        all.call()
        await all.follow()
        await all.finish()
        note("worker killed before the claim, all answers", time.monotonic() - killed)
        all.check_rows()
        all.check_watchers()
        all.check_streams()


async def test_the_worker_dies_after_the_rows_are_saved_and_before_their_ends_are_published(stack, note):
    async with scene(stack) as all:
        await all.begin()
        await all.until(150)
        redis = stack.pid("redis")
        os.kill(redis, signal.SIGSTOP)  # nothing can be published from here on
        try:
            async with asyncio.timeout(PATIENCE):
                while not await asyncio.to_thread(stack.ended, CALLS):
                    await asyncio.sleep(0.02)
            stack.kill("worker")
        finally:
            os.kill(redis, signal.SIGCONT)
        await all.finish()
        note("saved but not published, longest silence", all.silence)
        all.check_rows()
        assert {row["attempt"] for row in stack.rows()} == {1}
        all.check_watchers(clears=1)
        all.check_streams()


async def test_the_worker_dies_again_and_again(stack, note):
    async with scene(stack) as all:
        await all.begin()
        for tokens in (20, 80, 140):
            await all.until(tokens)
            stack.kill("worker")
        await all.finish()
        all.check_rows()
        all.check_watchers()
        all.check_streams()
        assert {row["attempt"] for row in stack.rows()} == {4}
