"""The process in which long and odd texts are rendered: reads jobs from its input, writes HTML to its output.

Run as `python -m chat.render_child` by `chat.render_process`. It imports nothing but rendering, so it is small, starts
fast and holds no secret. Each job has a limit of computing time, which a signal enforces even within one regular
expression; it ends when its input does, or when nothing has come for a while.
"""

import os
import select
import signal
import struct
import sys
from collections.abc import Callable
from itertools import count
from typing import Any, BinaryIO

import msgspec

from chat.rendering.incremental import render_source
from chat.rendering.markdown import render_markdown

IDLE_SECONDS = 120
MIN_CPU_SECONDS = 0.25
CPU_SECONDS_PER_CHAR = 12e-6  # ordinary texts take half of it
AGAIN_SECONDS = 0.1  # after which the next slow part of the same job is interrupted as well
MAX_INTERRUPTIONS = 4  # of one job, and then it is given up
NICENESS = 5
LENGTH = struct.Struct("!I")

Answer = tuple[bool, Any]  # whether it came in time, and what it is

JOBS: dict[str, Callable[..., Any]] = {"source": render_source, "markdown": render_markdown}


class OutOfTime(BaseException):
    """Ends a job, whatever it catches."""


interruptions = count()


def work(name: str, *arguments: Any) -> Answer:
    """Do one job within its limit. Slow code comes plain; where the Markdown itself is slow, nothing comes."""
    global interruptions
    interruptions = count(1)
    signal.setitimer(signal.ITIMER_PROF, MIN_CPU_SECONDS + len(arguments[0]) * CPU_SECONDS_PER_CHAR, AGAIN_SECONDS)
    try:
        return True, JOBS[name](*arguments)
    except (TimeoutError, OutOfTime):
        return False, None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def interrupt(*_: Any) -> None:
    raise OutOfTime if next(interruptions) >= MAX_INTERRUPTIONS else TimeoutError


def read_frame(stream: BinaryIO) -> bytes | None:
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    body = stream.read(LENGTH.unpack(head)[0])
    return body if len(body) == LENGTH.unpack(head)[0] else None


def write_frame(stream: BinaryIO, body: bytes) -> None:
    stream.write(LENGTH.pack(len(body)) + body)
    stream.flush()


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the web process decides
    signal.signal(signal.SIGPROF, interrupt)
    os.nice(NICENESS)
    while select.select([sys.stdin], [], [], IDLE_SECONDS)[0] and (body := read_frame(sys.stdin.buffer)) is not None:
        try:
            answer = work(*msgspec.msgpack.decode(body))
        except (TimeoutError, OutOfTime):  # the signal came between the end of the work and that of its timer
            answer = False, None
        write_frame(sys.stdout.buffer, msgspec.msgpack.encode(answer))


if __name__ == "__main__":
    main()
