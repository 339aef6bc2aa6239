"""A generation's log, told as an OpenAI stream or as a whole answer: pure state."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from inference.log.events import Begin, Choices, End, Entry, Finish, Text, Usage
from inference.log.resume import Diverged, Splice
from inference.openai import chunks
from inference.openai.accumulate import Accumulator
from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError


def failure(end: End) -> ApiError | None:
    """Why a generation failed, if it did."""
    if end.problem is not None:
        return api_errors.from_code(end.problem.code, end.problem.message)
    return api_errors.engine_error() if end.status == "failed" else None


def counts(usage: Usage) -> dict[str, Any]:
    return chunks.usage(usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens)


class WholeTeller:
    """Collects the log for an answer that is not streamed."""

    def __init__(self) -> None:
        self.accumulator = Accumulator()
        self.end: End | None = None

    def take(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            match entry:
                case Begin(clear=True):
                    self.accumulator.clear()
                case Text(text=text):
                    self.accumulator.text(text)
                case Choices(choices=choices):
                    self.accumulator.add(choices)
                case End():
                    self.end = entry

    def completion(self, id: str, created: int, model: str) -> dict[str, Any]:
        """The whole answer. Raises ApiError where the generation failed."""
        end = self.end or End("failed")
        if error := failure(end):
            raise error
        choices = self.accumulator.choices(end.finish_reason or "stop")
        return chunks.completion(id, created, model, choices, counts(end.usage))


class Shape(Protocol):
    """How the events of one stream look; `chunks.StreamShape` is OpenAI's. What it does not tell is empty."""

    def role(self, n: int = 1) -> bytes: ...
    def text(self, delta: str) -> bytes: ...
    def choices(self, deltas: Iterable[Mapping[str, Any]]) -> bytes: ...
    def finish(self, reason: str, index: int = 0) -> bytes: ...
    def usage(self, counts: Mapping[str, Any]) -> bytes: ...
    def done(self, end: End) -> bytes: ...
    def error(self, fault: ApiError) -> bytes: ...


class StreamTeller:
    """Turns entries into events.

    `ended`: nothing may follow. `over`: the generation has ended as well. `failed`: it failed before any event.

    An answer that starts again is told on if it repeats, letter by letter, what was told before (as it does at
    temperature 0, and as a log does that is told from the row); if it differs, the stream ends with an error.
    """

    def __init__(self, shape: Shape, n: int = 1, include_usage: bool = False) -> None:
        self.shape = shape
        self.n = n
        self.include_usage = include_usage
        self.opened = False
        self.ended = False
        self.over = False
        self.failed: ApiError | None = None
        self.splice = Splice()  # of the text of choice 0
        self.other = False  # the client has more than text
        self.finished: set[int] = set()
        self.reason = ""

    def take(self, entries: Iterable[Entry]) -> bytes:
        """The events for some entries, consecutive text in one; empty where there is nothing to tell."""
        parts: list[bytes] = []
        texts: list[str] = []
        for entry in entries:
            if isinstance(entry, Text):
                texts.append(entry.text)
                continue
            if texts:
                parts.append(self.text("".join(texts)))
                texts = []
            if not self.ended:
                parts.append(self.entry(entry))
        if texts:
            parts.append(self.text("".join(texts)))
        return b"".join(parts)

    def entry(self, entry: Entry) -> bytes:
        match entry:
            case Begin(clear=True) if self.opened:
                return self.start_again()
            case Choices(choices=choices):
                return self.choices(choices)
            case Finish(reason=reason):
                self.reason = reason
            case End():
                return self.end(entry)
        return b""

    def text(self, text: str) -> bytes:
        if self.ended:
            return b""
        try:
            text = self.splice.add(text)
        except Diverged:
            return self.broken()
        return self.opening() + self.shape.text(text) if text else b""

    def choices(self, choices: list[dict[str, Any]]) -> bytes:
        if self.splice.owed:
            return self.broken()
        self.other = True
        self.finished |= {choice["index"] for choice in choices if choice.get("finish_reason")}
        return self.opening() + self.shape.choices(choices)

    def opening(self) -> bytes:
        if self.opened:
            return b""
        self.opened = True
        return self.shape.role(self.n)

    def start_again(self) -> bytes:
        if self.other:
            return self.broken()
        self.splice.clear()
        return b""

    def broken(self) -> bytes:
        self.ended = True
        return self.shape.error(api_errors.engine_error("The engine was lost in the middle of this answer."))

    def end(self, end: End) -> bytes:
        self.over = True
        if error := failure(end):
            self.ended = True
            if not self.opened:
                self.failed = error
                return b""
            return self.shape.error(error)
        if self.splice.owed:
            return self.broken()
        self.ended = True
        parts = [self.opening()]
        reason = end.finish_reason or self.reason or "stop"
        parts += [self.shape.finish(reason, index) for index in range(self.n) if index not in self.finished]
        if self.include_usage:
            parts.append(self.shape.usage(counts(end.usage)))
        return b"".join([*parts, self.shape.done(end)])
