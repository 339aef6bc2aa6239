"""Reading an engine's event stream: bytes to events, events to chunks."""

from typing import Any

import msgspec

DONE = b"[DONE]"
MAX_EVENT = 64 * 1024 * 1024  # bytes; the first event may hold every id of a long prompt
NULL = b"null"


class Delta(msgspec.Struct, gc=False, omit_defaults=True):
    role: str | None = None
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None  # the older name, still used by llama.cpp and others
    refusal: str | None = None
    tool_calls: msgspec.Raw = msgspec.Raw()


class EngineChoice(msgspec.Struct, gc=False):
    """One choice of a chat chunk (`delta`) or of a /v1/completions chunk (`text`)."""

    index: int = 0
    delta: Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    stop_reason: int | str | None = None
    token_ids: list[int] | None = None
    prompt_token_ids: list[int] | None = None
    logprobs: msgspec.Raw = msgspec.Raw()


class EngineChunk(msgspec.Struct, gc=False):
    choices: list[EngineChoice] = []
    usage: dict[str, Any] | None = None
    error: dict[str, Any] | str | None = None
    prompt_token_ids: list[int] | None = None

    def prompt_ids(self) -> list[int] | None:
        """The prompt's token ids: on the chunk in chat streams, on the choice in completion streams."""
        if self.prompt_token_ids is not None or not self.choices:
            return self.prompt_token_ids
        return self.choices[0].prompt_token_ids

    def plain_text(self) -> str | None:
        """The text of a chunk that carries nothing but text of choice 0; None where it carries more."""
        if len(self.choices) != 1:
            return None
        choice = self.choices[0]
        delta = choice.delta
        if choice.index or given(choice.logprobs):
            return None
        if delta is None:
            return choice.text or ""
        if delta.reasoning or delta.reasoning_content or delta.refusal or given(delta.tool_calls):
            return None
        return delta.content or ""

    def public_choices(self) -> list[dict[str, Any]]:
        """The choices as OpenAI deltas for the log: no token ids, no stop reason, no empty fields."""
        return [public(choice) for choice in self.choices]


def given(raw: msgspec.Raw) -> bool:
    """Whether a field that is kept undecoded holds something."""
    return memoryview(raw).nbytes > 0 and bytes(raw) not in (NULL, b"[]")


def public(choice: EngineChoice) -> dict[str, Any]:
    delta: dict[str, Any] = {}
    source = choice.delta or Delta(content=choice.text)
    if source.role:
        delta["role"] = source.role
    if source.content is not None:
        delta["content"] = source.content
    if reasoning := source.reasoning or source.reasoning_content:
        delta["reasoning"] = reasoning
    if source.refusal:
        delta["refusal"] = source.refusal
    if given(source.tool_calls):
        delta["tool_calls"] = msgspec.json.decode(source.tool_calls)
    result: dict[str, Any] = {"index": choice.index, "delta": delta, "finish_reason": choice.finish_reason}
    if given(choice.logprobs):
        result["logprobs"] = msgspec.json.decode(choice.logprobs)
    return result


decode_chunk = msgspec.json.Decoder(EngineChunk).decode


class SseParser:
    """Incremental parser of server-sent events: whatever the reads, the same events come out.

    Fields other than `data` and comments are dropped: OpenAI-compatible servers give them no meaning.
    """

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The data of each event that `data` completes; the end of a stream is the data `[DONE]`."""
        if self._tail:
            data = self._tail + data
        held = b""
        if b"\r" in data:
            if data.endswith(b"\r"):  # its line feed may come with the next read
                data, held = data[:-1], b"\r"
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        events = data.split(b"\n\n")
        self._tail = events.pop() + held
        if len(self._tail) > MAX_EVENT:
            raise ValueError(f"An event of the engine is longer than {MAX_EVENT} bytes.")
        result = []
        for event in events:
            if event.startswith(b"data: ") and b"\n" not in event:
                result.append(event[6:])
            elif (found := self._fields(event)) is not None:
                result.append(found)
        return result

    @staticmethod
    def _fields(event: bytes) -> bytes | None:
        lines = []
        for line in event.split(b"\n"):
            name, _, value = line.partition(b":")
            if name == b"data":
                lines.append(value[1:] if value.startswith(b" ") else value)
        return b"\n".join(lines) if lines else None
