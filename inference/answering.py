"""Following an answer on behalf of a caller who waits on one connection, and who ends it by leaving."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Self
from uuid import UUID

import structlog

from inference.entries import Begin, Choices, End, Problem, Text
from inference.follow import follow
from inference.models import Generation
from inference.openai import errors
from inference.openai.accumulate import Accumulator
from inference.openai.errors import ApiError
from inference.splice import Diverged, Splice
from inference.submit import Away, stop

log = structlog.get_logger(__name__)

KEEP_ALIVE_SECONDS = 15.0
_stopping: set[asyncio.Task[None]] = set()


def problem_error(problem: Problem) -> ApiError:
    """The error that a failed generation's caller is answered with."""
    return errors.from_code(problem.code, problem.message)


class Answering:
    """As an async context: leaving it before the end (the client has gone) stops the generation.

    After the end, `end` and what has come (`text`, `choices`) can be read. Without `passed_on` nothing reaches the
    caller before that, so an answer that starts again need not repeat its beginning.
    """

    def __init__(self, row: Generation, *, passed_on: bool = True) -> None:
        self.row = row
        self.passed_on = passed_on
        self.began = time.perf_counter()
        self.end = End("running")
        self.ended = False
        self.splice = Splice()
        self.accumulator = Accumulator()
        self.raw_sent = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self.ended:
            task = asyncio.create_task(stop_quietly(self.row.id))  # its own task: this one is being cancelled
            _stopping.add(task)
            task.add_done_callback(_stopping.discard)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.began

    @property
    def text(self) -> str:
        return self.accumulator.content()

    async def texts(self) -> AsyncIterator[str]:
        """The answer's text, piece by piece; an empty piece after each time of silence. Raises ApiError."""
        async for piece in self.pieces():
            if isinstance(piece, str):
                yield piece

    async def pieces(self) -> AsyncIterator[str | Choices]:
        """Text, and delta choices of other kinds, as they come; an empty text after each time of silence.

        An answer that is told again is passed on only where it goes beyond what was passed on. Raises ApiError where
        it cannot be joined to that.
        """
        async for batch in follow(self.row.id, idle=KEEP_ALIVE_SECONDS):
            new: list[str] = []
            for _, entry in batch:
                match entry:
                    case Text(text=text):
                        self.accumulator.text(text)
                        new.append(self.join(text))
                    case Choices(choices=choices):
                        if new:
                            yield "".join(new)
                            new = []
                        self.accumulator.add(choices)
                        self.raw_sent = self.passed_on
                        yield entry
                    case Begin(clear=True):
                        if self.raw_sent:
                            raise errors.engine_error(
                                "The answer was interrupted and cannot be joined to its beginning."
                            )
                        self.accumulator.clear()
                        self.splice.clear()
                    case End():
                        self.end, self.ended = entry, True
                        self.check_whole()
            if (text := "".join(new)) or not batch:
                yield text

    def check_whole(self) -> None:
        if self.splice.owed and self.end.problem is None:
            raise errors.engine_error("The answer was interrupted, and its second telling is shorter than the first.")

    def join(self, text: str) -> str:
        if not self.passed_on:
            return text
        try:
            return self.splice.add(text)
        except Diverged:
            message = "The answer was interrupted, and its second beginning is not the first."
            raise errors.engine_error(message) from None


async def stop_quietly(id: UUID) -> None:
    """Stop for a client that is not there to be told of a failure; the worker's limits end it then."""
    try:
        await stop(id)
    except Away as error:
        log.warning("stop.failed", generation=str(id), error=str(error))
