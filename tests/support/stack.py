"""All of Jarvis as `manage.py run` starts it, with the fake engine in the place of vLLM, and clients that watch it die.

Postgres, Redis, two web processes, the worker with its engine, Celery and beat: real processes that the supervisor
brings back. Nothing of Jarvis runs in the test's own process, which sees only what clients and the database see.
"""

import asyncio
import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import aiohttp
import msgspec
import psutil
import psycopg
from django.db import connections

from inference.engine.process.state_file import EngineRecord
from jarvis.lib.config import BASE
from tests.support.launched import Jarvis, until

T = TypeVar("T")
TOKENS = 200
RATE = 80.0  # tokens per second
FAKE = BASE / "tests" / "support" / "fake_engine.py"


class Stack(Jarvis):
    """One Jarvis in a folder of its own, with a user and a key."""

    def __init__(self, folder: Path, **settings: str) -> None:
        model = folder / "fake"
        model.mkdir()
        (model / "config.json").write_text('{"model_type": "fake"}')
        engine = shlex.join([sys.executable, str(FAKE), f"--rate={RATE}"])
        mine = {
            "JARVIS_MODEL": str(model),
            "JARVIS_ENGINE_URL": "",
            "JARVIS_ENGINE_COMMAND": engine,
            "JARVIS_WEB_PROCESSES": "2",
            "JARVIS_LOG_FORMAT": "json",
        }
        super().__init__(folder / "var", None, **mine | settings)
        self.key = ""

    def begin(self, patience: float = 120) -> None:
        """Start everything and wait until a question would be answered."""
        self.start()
        until(self.ready, patience)
        self.manage("createuser", "alice", "--password-stdin", stdin="a long enough word\n")
        self.key = self.manage("apikey", "create", "--user", "alice", "--name", "crash").strip()

    def manage(self, *arguments: str, stdin: str = "") -> str:
        command = [sys.executable, str(BASE / "manage.py"), *arguments]
        done = subprocess.run(command, env=self.environment, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.said()
        return self.answers("/health/ready") and bool(self.pid("celery", "worker", "redis", "postgres"))

    def pid(self, *names: str) -> int:
        """The pid of a child, 0 unless all that are named are there; the last one's."""
        children = self.children()
        return all(name in children for name in names) and children[names[-1]].pid

    def web_of(self, local: int) -> int:
        """The pid of the web process that serves the connection from this port, 0 where none does."""
        return server_of(local, [who.pid for name, who in self.children().items() if name.startswith("web")])

    def engine(self) -> int:
        """The engine's pid, 0 while there is none."""
        with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
            return msgspec.json.decode((self.var / "run" / "engine.json").read_bytes(), type=EngineRecord).pid
        return 0

    def kill(self, name: str) -> float:
        """SIGKILL to a child or the engine; when that was."""
        pid = self.engine() if name == "engine" else self.pid(name)
        assert pid, f"{name} is not there"
        os.kill(pid, signal.SIGKILL)
        return time.monotonic()

    @property
    def database(self) -> str:
        return f"postgresql://jarvis@/jarvis?host={self.var}/run/postgres"

    def rows(self) -> list[dict[str, Any]]:
        """All generations; none while Postgres is away."""
        with contextlib.suppress(psycopg.Error), psycopg.connect(self.database, connect_timeout=2) as connection:
            cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
            return cursor.execute("SELECT * FROM inference_generation ORDER BY created_at").fetchall()
        return []

    def on_its_database(self, work: Callable[[], T]) -> T:
        """What Django's code gives in this process, on the stack's database: a shell would take seconds to start."""

        def call() -> T:
            mine = connections["default"]
            theirs = mine.copy()
            theirs.settings_dict |= {"NAME": "jarvis", "USER": "jarvis", "HOST": f"{self.var}/run/postgres"}
            theirs.settings_dict["OPTIONS"].pop("pool", None)  # it would be shared, by the name of the connection
            connections["default"] = theirs
            try:
                return work()
            finally:
                theirs.close()
                connections["default"] = mine

        with ThreadPoolExecutor(1) as thread:  # Django's connections belong to threads
            return thread.submit(call).result()

    def clear(self) -> None:
        with psycopg.connect(self.database) as connection:
            connection.execute("TRUNCATE inference_generation CASCADE")

    def ended(self, count: int) -> bool:
        rows = self.rows()
        return len(rows) >= count and all(row["status"] not in ("queued", "running") for row in rows)

    def said_by(self, name: str) -> str:
        """The end of a process's log, for the message of a failed test."""
        with contextlib.suppress(FileNotFoundError):
            return (self.var / "log" / f"{name}.log").read_text()[-6000:]
        return ""


def server_of(port: int, pids: list[int]) -> int:
    """Which of the web processes holds the other end of a connection from a local port."""
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            if any(c.raddr and c.raddr.port == port for c in psutil.Process(pid).net_connections("tcp")):
                return pid
    return 0


class Watcher:
    """A websocket that follows answers, and comes back from its cursors when its web process has died."""

    def __init__(self, stack: Stack, http: aiohttp.ClientSession) -> None:
        self.stack = stack
        self.http = http
        self.socket: aiohttp.ClientWebSocketResponse | None = None
        self.web = 0
        self.cursors: dict[UUID, str] = {}
        self.shown: dict[UUID, str] = {}
        self.cleared: dict[UUID, int] = {}
        self.ends: dict[UUID, dict[str, Any]] = {}
        self.news = asyncio.Event()
        self.heard = 0.0  # when the last text came
        self.silence = 0.0  # the longest time without any since `listen`
        self.comebacks = 0

    async def open(self) -> None:
        url = f"http://127.0.0.1:{self.stack.port}/ws/chat/"
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                self.socket = await self.http.ws_connect(url, headers={"x-api-key": self.stack.key})
                break
            await asyncio.sleep(0.1)
        self.web = self.stack.web_of(self.socket.get_extra_info("sockname")[1])

    async def close(self) -> None:
        if self.socket is not None:
            await self.socket.close()

    async def follow(self, generation: UUID) -> None:
        self.cursors.setdefault(generation, "0-0")
        self.shown.setdefault(generation, "")
        self.cleared.setdefault(generation, 0)
        assert self.socket is not None
        frame = {"type": "follow", "generation": str(generation), "after": self.cursors[generation]}
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):
            await self.socket.send_json(frame)

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            assert self.socket is not None
            async for message in self.socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self.take(json.loads(message.data))
            self.comebacks += 1
            await asyncio.sleep(0.05)
            await self.open()
            for generation in [id for id in self.cursors if id not in self.ends]:
                await self.follow(generation)

    def take(self, frame: dict[str, Any]) -> None:
        kind, id = frame["type"], UUID(frame["generation"]) if frame.get("generation") else None
        if kind == "error" and frame.get("reply_to") and frame["code"] == "unavailable":
            again = UUID(frame["reply_to"])
            asyncio.get_running_loop().call_later(0.2, lambda: asyncio.ensure_future(self.follow(again)))
        assert kind != "error" or frame["code"] == "unavailable", frame
        if id is None:
            return
        if kind == "begin" and frame["clear"]:
            self.shown[id] = ""
            self.cleared[id] += 1
        elif kind == "delta":
            self.shown[id] += frame["text"]
            self.cursors[id] = frame["cursor"]
            self.listen(max(self.silence, time.monotonic() - self.heard))
        elif kind == "end":
            self.ends[id] = frame
        self.news.set()

    def listen(self, silence: float = 0.0) -> None:
        self.heard, self.silence = time.monotonic(), silence

    def tokens(self) -> float:
        """How far the answers have come, on average."""
        return sum(text.count(" ") for text in self.shown.values()) / max(1, len(self.shown))

    async def all_ended(self, ids: list[UUID]) -> None:
        while not all(id in self.ends for id in ids):
            self.news.clear()
            await self.news.wait()


class Stream:
    """One call of /v1/chat/completions with `stream`, as a script makes it; it does not come back."""

    def __init__(self, stack: Stack, http: aiohttp.ClientSession, **fields: Any) -> None:
        self.stack = stack
        self.http = http
        question = {"messages": [{"role": "user", "content": "count please"}], "max_tokens": TOKENS, "stream": True}
        self.body = {"model": "fake", "stream_options": {"include_usage": True}, **question, **fields}
        self.id: UUID | None = None
        self.known = asyncio.Event()
        self.text = ""
        self.usage: dict[str, Any] | None = None
        self.reason: str | None = None
        self.fault: str | None = None
        self.local = 0  # the port that it calls from
        self.times: list[float] = []  # when text came

    @property
    def silence(self) -> float:
        """The longest time between two texts, in seconds."""
        return max((b - a for a, b in pairwise(self.times)), default=0.0)

    @property
    def tokens(self) -> int:
        return self.text.count(" ")

    async def run(self) -> None:
        url, headers = f"http://127.0.0.1:{self.stack.port}/v1/chat/completions", {"x-api-key": self.stack.key}
        try:
            async with self.http.post(url, json=self.body, headers=headers) as response:
                assert response.status == 200, await response.text()
                if response.connection is not None and response.connection.transport is not None:
                    self.local = response.connection.transport.get_extra_info("sockname")[1]
                async for line in response.content:
                    self.take(line)
        except (aiohttp.ClientError, OSError) as error:
            self.fault = f"{type(error).__name__}: {error}"
        finally:
            self.known.set()

    def take(self, line: bytes) -> None:
        if not line.startswith(b"data: {"):
            return
        event = json.loads(line[6:])
        if "error" in event:
            self.fault = event["error"]["message"]
            return
        if self.id is None:
            self.id = UUID(event["id"].removeprefix("chatcmpl-"))
            self.known.set()
        self.usage = event.get("usage") or self.usage
        for choice in event["choices"]:
            if text := choice["delta"].get("content"):
                self.text += text
                self.times.append(time.monotonic())
            self.reason = choice["finish_reason"] or self.reason


@contextlib.contextmanager
def running(folder: Path, patience: float = 120, **settings: str) -> Iterator[Stack]:
    stack = Stack(folder, **settings)
    try:
        stack.begin(patience)
        yield stack
    finally:
        stack.stop()
