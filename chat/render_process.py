"""Rendering that cannot hold up a web process: what is short is done here, the rest in a process beside it.

A text may cost far more than its length, and Python does nothing else meanwhile. So long texts, and those that look as
if, go to `chat.render_child`, one after another, which gives up what takes too long; what has not come by then is shown
as it was written. The process is started when it is first needed, and ends when it is not.
"""

import atexit
import contextlib
import os
import select
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import structlog

from chat.rendering.incremental import Slice, render_source
from chat.rendering.markdown import render_markdown, render_plain

MAX_LOCAL_CHARS = 3_000  # that take a few hundredths of a second, whatever they are
MAX_LOCAL_BRACKETS = 60  # each may begin a link, and is looked at again from all that come before it
MAX_CHILD_SECONDS = 20.0  # for a job, after which the process is given up: its own limit is far below
ROOT = Path(__file__).resolve().parent.parent
LENGTH = struct.Struct("!I")
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")

log = structlog.get_logger(__name__)


class TooSlow(Exception):
    """This text takes too long. It would again."""


class RendererAway(Exception):
    """The process could not be had. Another time it may."""


def is_cheap(text: str) -> bool:
    """Whether a text may be rendered where others wait for it."""
    return len(text) <= MAX_LOCAL_CHARS and text.count("[") <= MAX_LOCAL_BRACKETS


def render_slice(source: str) -> Slice:
    """As `render_source`, anywhere. Raises TooSlow and RendererAway."""
    return render_source(source) if is_cheap(source) else msgspec.convert(_child.call("source", source), Slice)


def render_text(text: str, scope: str, patience: float = MAX_CHILD_SECONDS) -> str:
    """As `render_markdown`, anywhere. Raises TooSlow and RendererAway."""
    return render_markdown(text, scope) if is_cheap(text) else _child.call("markdown", text, scope, patience=patience)


def render_whole(text: str, scope: str, patience: float = MAX_CHILD_SECONDS) -> tuple[str, bool]:
    """A whole text as HTML, and whether that is final: not so where it was not this text's fault that it is plain.

    `patience`: seconds for which it may wait for other texts.
    """
    try:
        return render_text(text, scope, patience), True
    except TooSlow:
        return render_plain(text), True
    except RendererAway:
        return render_plain(text), False


class RenderChild:
    """The process, for all threads of this one; one job at a time."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.lock = threading.Lock()

    def call(self, *job: Any, patience: float = MAX_CHILD_SECONDS) -> Any:
        """Have a job done. Raises TooSlow and RendererAway."""
        if not self.lock.acquire(timeout=max(0.0, patience)):
            raise RendererAway
        try:
            body = msgspec.msgpack.encode(job)
            for is_second_try in (False, True):
                try:
                    in_time, answer = self.exchange(body)
                    break
                except (OSError, EOFError) as error:  # it has ended for want of work, or was killed
                    self.close()
                    if is_second_try:
                        log.warning("renderer.away", error=str(error))
                        raise RendererAway from error
        finally:
            self.lock.release()
        if not in_time:
            raise TooSlow
        return answer

    def exchange(self, body: bytes) -> Any:
        if self.process is None or self.process.poll() is not None:
            self.start()
        assert self.process is not None
        assert self.process.stdin is not None
        until = time.monotonic() + MAX_CHILD_SECONDS
        self.process.stdin.write(LENGTH.pack(len(body)) + body)
        self.process.stdin.flush()
        try:
            head = self.read(LENGTH.size, until)
            return msgspec.msgpack.decode(self.read(LENGTH.unpack(head)[0], until))
        except TimeoutError:
            log.warning("renderer.stuck", chars=len(body))
            self.close()
            raise TooSlow from None

    def read(self, size: int, until: float) -> bytes:
        assert self.process is not None
        assert self.process.stdout is not None
        parts, file = bytearray(), self.process.stdout.fileno()
        while len(parts) < size:
            if not select.select([file], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TimeoutError
            if not (part := os.read(file, size - len(parts))):
                raise EOFError("the renderer has ended")
            parts += part
        return bytes(parts)

    def start(self) -> None:
        self.close()
        env = {name: os.environ[name] for name in INHERITED if name in os.environ}
        command = [sys.executable, "-m", "chat.render_child"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def close(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):  # of what was not written yet
                pipe.close()
        process.wait()


_child = RenderChild()
atexit.register(_child.close)
