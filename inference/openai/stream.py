"""A generation's log, told as an OpenAI stream or as a whole answer: pure state."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from inference.log.events import Begin, Choices, End, Event, Finish, Prompt, Text, Usage
from inference.log.resume import Diverged, Splice
from inference.openai import chunks
from inference.openai.accumulate import Accumulator
from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError


def failure(end: End) -> ApiError | None:
    """Why a generation failed, if it did."""
    if end.problem is not None:
        return api_errors.error_from_code(end.problem.code, end.problem.message, end.problem.param)
    return api_errors.engine_error() if end.status == "failed" else None


def usage_counts(usage: Usage) -> dict[str, Any]:
    return chunks.usage_fields(
        usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.reasoning_tokens
    )


class AnswerCollector:
    """Collects the log for an answer that is not streamed."""

    def __init__(self) -> None:
        self.accumulator = Accumulator()
        self.end: End | None = None

    def add_events(self, events: Iterable[Event]) -> None:
        for entry in events:
            match entry:
                case Begin(clear=True):
                    self.accumulator.clear()
                case Text(text=text):
                    self.accumulator.add_text(text)
                case Choices(choices=choices):
                    self.accumulator.add_choices(choices)
                case End():
                    self.end = entry

    def completion(self, id: str, created: int, model: str, fingerprint: str | None = None) -> dict[str, Any]:
        """The whole answer. Raises ApiError where the generation failed."""
        end = self.end or End("failed")
        if error := failure(end):
            raise error
        choices = self.accumulator.choices(end.finish_reason or "stop")
        return chunks.build_completion(id, created, model, choices, usage_counts(end.usage), fingerprint)


class StreamFormat(Protocol):
    """How the events of one stream look; `chunks.StreamShape` is OpenAI's. What it does not tell is empty."""

    def role(self, n: int = 1) -> bytes: ...
    def text(self, delta: str) -> bytes: ...
    def choices(self, deltas: Iterable[Mapping[str, Any]]) -> bytes: ...
    def finish(self, reason: str, index: int = 0) -> bytes: ...
    def usage(self, counts: Mapping[str, Any]) -> bytes: ...
    def final_event(self, end: End) -> bytes: ...
    def error_event(self, fault: ApiError) -> bytes: ...


class StreamEncoder:
    """Turns entries into events.

    `put_usage` is told what has been used so far, where that is to stand in each event.
    `ended`: nothing may follow. `over`: the generation has ended as well. `failed`: it failed before any event.

    An answer that starts again is told on if it repeats, letter by letter, what was told before (as it does at
    temperature 0, and as a log does that is told from the row); if it differs, the stream ends with an error.
    """

    def __init__(
        self,
        format: StreamFormat,
        n: int = 1,
        include_usage: bool = False,
        put_usage: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        self.format = format
        self.n = n
        self.include_usage = include_usage
        self.put_usage = put_usage
        self.running_usage = Usage()
        self.opened = False
        self.ended = False
        self.generation_ended = False
        self.failed: ApiError | None = None
        self.splice = Splice()  # of the text of choice 0
        self.sent_choices = False  # the client has more than text
        self.finished: set[int] = set()
        self.reason = ""

    def encode_events(self, events: Iterable[Event]) -> bytes:
        """The events for some entries, consecutive text in one; empty where there is nothing to tell."""
        parts: list[bytes] = []
        texts: list[str] = []
        for entry in events:
            if self.put_usage is not None:
                self.count_event(entry, self.running_usage)
                self.put_usage(usage_counts(self.running_usage))
            if isinstance(entry, Text):
                texts.append(entry.text)
                continue
            if texts:
                parts.append(self.encode_text("".join(texts)))
                texts = []
            if not self.ended:
                parts.append(self.encode_event(entry))
        if texts:
            parts.append(self.encode_text("".join(texts)))
        return b"".join(parts)

    def count_event(self, entry: Event, usage: Usage) -> None:
        match entry:
            case Begin(clear=True):
                usage.completion_tokens = 0
            case Prompt(ids=ids):
                usage.prompt_tokens = len(ids)
            case Text(tokens=tokens) | Choices(tokens=tokens):
                usage.completion_tokens += tokens
            case End(status="done", usage=counts):
                usage.prompt_tokens, usage.completion_tokens = counts.prompt_tokens, counts.completion_tokens

    def encode_event(self, entry: Event) -> bytes:
        match entry:
            case Begin(clear=True) if self.opened:
                return self.restart()
            case Choices(choices=choices):
                return self.encode_choices(choices)
            case Finish(reason=reason):
                self.reason = reason
            case End():
                return self.encode_end(entry)
        return b""

    def encode_text(self, text: str) -> bytes:
        if self.ended:
            return b""
        try:
            text = self.splice.add_text(text)
        except Diverged:
            return self.encode_break()
        return self.encode_opening() + self.format.text(text) if text else b""

    def encode_choices(self, choices: list[dict[str, Any]]) -> bytes:
        if self.splice.pending_prefix:
            return self.encode_break()
        self.sent_choices = True
        self.finished |= {choice["index"] for choice in choices if choice.get("finish_reason")}
        return self.encode_opening() + self.format.choices(choices)

    def encode_opening(self) -> bytes:
        if self.opened:
            return b""
        self.opened = True
        return self.format.role(self.n)

    def restart(self) -> bytes:
        if self.sent_choices:
            return self.encode_break()
        self.splice.restart()
        return b""

    def encode_break(self) -> bytes:
        self.ended = True
        return self.format.error_event(api_errors.engine_error("The engine was lost in the middle of this answer."))

    def encode_end(self, end: End) -> bytes:
        self.generation_ended = True
        if error := failure(end):
            self.ended = True
            if not self.opened:
                self.failed = error
                return b""
            return self.format.error_event(error)
        if self.splice.pending_prefix:
            return self.encode_break()
        self.ended = True
        parts = [self.encode_opening()]
        reason = end.finish_reason or self.reason or "stop"
        parts += [self.format.finish(reason, index) for index in range(self.n) if index not in self.finished]
        if self.include_usage:
            parts.append(self.format.usage(usage_counts(end.usage)))
        return b"".join([*parts, self.format.final_event(end)])
