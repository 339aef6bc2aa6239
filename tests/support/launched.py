"""`manage.py run` as a process with a folder and a port of its own."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from jarvis.lib import processes
from jarvis.lib.config import BASE

NAMES = {"postgres", "redis", "web", "worker", "celery", "beat"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Jarvis:
    """One `manage.py run` with a folder and a port of its own."""

    def __init__(self, var: Path, output: Path | None = None, **settings: str) -> None:
        self.var = var
        self.port = int(settings.get("JARVIS_WEB_PORT") or free_port())
        kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        self.environment = kept | {
            "JARVIS_VAR": str(var),
            "JARVIS_WEB_PORT": str(self.port),
            "JARVIS_WEB_PROCESSES": "1",
            "JARVIS_ENGINE_URL": "http://127.0.0.1:9",  # nothing listens there: the worker waits for it
            **settings,
        }
        self.output = output or var.with_suffix(".out")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> "Jarvis":
        command = [sys.executable, str(BASE / "manage.py"), "run", *arguments]
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(command, env=self.environment, stdout=output, stderr=output)
        return self

    def said(self) -> str:
        return self.output.read_text()

    def ends(self) -> int:
        assert self.process is not None
        return self.process.wait(60)

    def children(self) -> dict[str, processes.Identity]:
        record = self.var / "run" / "children.json"
        with contextlib.suppress(FileNotFoundError):
            return {name: processes.Identity(*who) for name, who in json.loads(record.read_text()).items()}
        return {}

    def up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.said()
        return self.children().keys() == NAMES and "celery    running" in self.said() and self.answers()

    def answers(self, path: str = "/health", patience: float = 5) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=patience) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.ends()


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)
