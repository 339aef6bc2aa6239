"""Mixed load without an accident, with memory watched: `make soak ARGS="--steady --minutes 60"`.

Calls of /v1 (whole, streamed, streamed and left), `/api/chat`, histories, pages and sockets, so many a second. Each
minute it prints the memory of each process (PSS), that of Redis, and the connections to Postgres. It ends with what is
wrong: a process that has grown by more than MAX_GROWTH since its tenth minute (or the first third of a shorter run).
"""

import asyncio
import itertools
import shlex
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import aiohttp
import psutil
import psycopg
from redis import Redis

from tests.support.stack import FAKE, Stack

CALLS_PER_SECOND = 15.0
WARM_UP_MINUTES = 10.0
MAX_GROWTH = 0.05  # of the memory after the warm-up
SOCKETS = 24
TOKENS = 40
STEADY_SETTINGS = {
    "JARVIS_ENGINE_COMMAND": shlex.join([sys.executable, str(FAKE), "--rate=1000", f"--answer-tokens={TOKENS}"]),
    "JARVIS_WEB_RATE_LIMIT_REQUESTS": "0",
    "JARVIS_WEB_RATE_LIMIT_ADDRESS": "0",
    "JARVIS_WEB_RATE_LIMIT_PAGES": "0",
    "JARVIS_WEB_RATE_LIMIT_FILES": "0",
}
WATCHED = ("web", "worker", "celery", "beat", "redis")


class SteadyLoad:
    """Callers of every kind, in turn, at a steady rate."""

    def __init__(self, stack: Stack, http: aiohttp.ClientSession) -> None:
        self.stack = stack
        self.http = http
        self.base = f"http://127.0.0.1:{stack.port}"
        self.headers = {"x-api-key": stack.key}
        self.results: Counter[str] = Counter()
        self.tasks: set[asyncio.Task[None]] = set()
        self.callers: list[Callable[[], Awaitable[None]]] = [
            self.ask_whole,
            self.ask_streamed,
            self.leave_stream,
            self.ask_chat,
            self.read_history,
            self.open_page,
        ]

    async def run(self, until: float) -> None:
        """Call until the time, then wait for those under way."""
        sockets = [await self.http.ws_connect(f"{self.base}/ws/chat/", headers=self.headers) for _ in range(SOCKETS)]
        for number, caller in enumerate(itertools.cycle(self.callers)):
            if time.monotonic() > until:
                break
            task = asyncio.create_task(self.count(caller))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
            if number % 30 == 0:  # and sockets come and go
                await sockets.pop(0).close()
                sockets.append(await self.http.ws_connect(f"{self.base}/ws/chat/", headers=self.headers))
            await asyncio.sleep(1 / CALLS_PER_SECOND)
        await asyncio.gather(*self.tasks)
        for socket in sockets:
            await socket.close()

    async def count(self, caller: Callable[[], Awaitable[None]]) -> None:
        try:
            await caller()
            self.results["ok"] += 1
        except (aiohttp.ClientError, TimeoutError, AssertionError) as error:
            self.results[f"{caller.__name__}: {type(error).__name__} {error}"[:120]] += 1

    def post_chat(self, **fields: object) -> "aiohttp.client._RequestContextManager":
        body = {"model": "fake", "messages": [{"role": "user", "content": "count please"}], "max_tokens": TOKENS}
        return self.http.post(f"{self.base}/v1/chat/completions", json=body | fields, headers=self.headers)

    async def ask_whole(self) -> None:
        async with self.post_chat() as response:
            assert response.status == 200, response.status
            await response.read()

    async def ask_streamed(self) -> None:
        async with self.post_chat(stream=True) as response:
            assert (await response.read()).endswith(b"data: [DONE]\n\n")

    async def leave_stream(self) -> None:
        async with self.post_chat(stream=True) as response:
            await response.content.readline()
            response.close()

    async def ask_chat(self) -> None:
        body = {"message": "count please"}
        async with self.http.post(f"{self.base}/api/chat", json=body, headers=self.headers) as response:
            assert response.status == 200, response.status
            await response.read()

    async def read_history(self) -> None:
        async with self.http.get(f"{self.base}/api/history?limit=50", headers=self.headers) as response:
            assert response.status == 200, response.status
            await response.read()

    async def open_page(self) -> None:
        async with self.http.get(f"{self.base}/sign-in/") as response:
            assert response.status == 200, response.status
            await response.read()


def measure(stack: Stack) -> dict[str, float]:
    """MB of PSS of each process, with its own children; MB that Redis uses; connections to Postgres."""
    found: dict[str, float] = {}
    for name, who in stack.children().items():
        if name.startswith(WATCHED):
            process = psutil.Process(who.pid)
            family = [process, *(process.children(recursive=True) if name == "celery" else [])]
            found[name] = sum(one.memory_full_info().pss for one in family) / 1e6
    assert stack.process is not None
    found["supervisor"] = psutil.Process(stack.process.pid).memory_full_info().pss / 1e6
    with Redis(unix_socket_path=str(stack.var / "run" / "redis.sock")) as redis:
        found["Redis says"] = redis.info("memory")["used_memory"] / 1e6
    with psycopg.connect(stack.database) as connection:
        row = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE usename IS NOT NULL").fetchone()
        found["connections"] = 0 if row is None else row[0]
    return found


async def soak_steadily(stack: Stack, minutes: float) -> list[str]:
    """Load for so long; what has grown, in sentences."""
    began, rows = time.monotonic(), list[tuple[float, dict[str, float]]]()
    until, warm = began + 60 * minutes, min(WARM_UP_MINUTES, minutes / 3)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as http:
        load = SteadyLoad(stack, http)
        running = asyncio.create_task(load.run(until))
        while not running.done():
            await asyncio.wait([running], timeout=60 if minutes > 5 else 20)
            rows.append(((time.monotonic() - began) / 60, await asyncio.to_thread(measure, stack)))
            print_row(*rows[-1], heading=len(rows) == 1)
        await running
    print(dict(load.results))
    first = next(row for minute, row in rows if minute >= warm)
    return [*find_growth(first, rows[-1][1]), *(f"{n} x {what}" for what, n in load.results.items() if what != "ok")]


def print_row(minute: float, row: dict[str, float], *, heading: bool) -> None:
    if heading:
        print("minute " + " ".join(f"{name:>12}" for name in row))
    print(f"{minute:6.1f} " + " ".join(f"{value:12.1f}" for value in row.values()), flush=True)


def find_growth(first: dict[str, float], last: dict[str, float]) -> list[str]:
    """What has grown by more than MAX_GROWTH, and by more than a few MB, which any allocator keeps or gives back."""
    return [
        f"{name} grew from {first[name]:.1f} to {value:.1f}"
        for name, value in last.items()
        if value > first.get(name, 0) * (1 + MAX_GROWTH) + 2
    ]
