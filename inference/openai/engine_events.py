"""The border for what engines say: bytes of an answer to events that the rest of Jarvis can rely on.

vLLM's events are OpenAI's. Others are nearly so, and even a good server has bad moments: an index of null, arguments as
an object, counts of -1, half a character. Here such a value is mended where it is clear what it means, and refused with
a reason where it is not. Nothing behind this border looks at types again.

An ordinary event is decoded strictly and passes with a glance; only an odd one is taken apart.
"""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from inference.openai.engine_values import (
    FINISH_REASONS,
    MAX_TOKEN_ID,
    Counts,
    UnreadableEvent,
    make_well_formed,
    name_kind,
    parse_json,
    read_counts,
    read_finish_reason,
    read_logprobs,
    read_text,
    read_token_ids,
)
from inference.openai.sse import DONE, MAX_EVENT_BYTES, SseParser
from inference.openai.tool_calls import ToolCallReader, read_index

REASONING = ("reasoning", "reasoning_content", "thinking")  # vLLM's name, the older one, Ollama's


TokenId = Annotated[int, msgspec.Meta(ge=0, le=MAX_TOKEN_ID)]


class EngineDelta(msgspec.Struct, gc=False, omit_defaults=True):
    role: Any = None  # nobody's business: an answer is the assistant's
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    thinking: str | None = None
    refusal: str | None = None
    tool_calls: Any = None
    function_call: Any = None


class EngineChoice(msgspec.Struct, gc=False):
    """One choice of a chat chunk (`delta`) or of a /v1/completions chunk (`text`)."""

    index: int = 0
    delta: EngineDelta | None = None
    message: Any = None
    text: str | None = None
    finish_reason: str | None = None
    token_ids: list[TokenId] | None = None
    prompt_token_ids: list[TokenId] | None = None
    logprobs: Any = None


class EngineChunk(msgspec.Struct, gc=False):
    """One event. `usage` as the engine wrote it; `counts` is what can be used of it."""

    choices: list[EngineChoice] = []
    usage: Any = None
    error: Any = None
    prompt_token_ids: list[TokenId] | None = None

    @property
    def counts(self) -> Counts | None:
        return read_counts(self.usage) if self.usage is not None else None

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
        if choice.index or choice.logprobs:
            return None
        if delta is None:
            return choice.text or ""
        if delta.reasoning or delta.reasoning_content or delta.thinking or delta.refusal or delta.tool_calls:
            return None
        return delta.content or ""

    def public_choices(self) -> list[dict[str, Any]]:
        """The choices as OpenAI deltas for the log: no token ids, no stop reason, no empty fields."""
        return [make_public(choice) for choice in self.choices]


def make_public(choice: EngineChoice) -> dict[str, Any]:
    delta: dict[str, Any] = {}
    source = choice.delta or EngineDelta(content=choice.text)
    if source.content is not None:
        delta["content"] = source.content
    if reasoning := source.reasoning or source.reasoning_content or source.thinking:
        delta["reasoning"] = reasoning
    if source.refusal:
        delta["refusal"] = source.refusal
    if source.tool_calls:
        delta["tool_calls"] = source.tool_calls
    result: dict[str, Any] = {"index": choice.index, "delta": delta, "finish_reason": choice.finish_reason}
    if choice.logprobs:
        result["logprobs"] = choice.logprobs
    return result


decode_chunk = msgspec.json.Decoder(EngineChunk).decode


class EventReader:
    """Reads one answer of an engine. `n`: the choices asked for; `logprobs`: whether they were asked for.

    `ended`: the engine has said that nothing follows. `streamed`: false for a server that gives the whole answer at
    once, whatever it was asked; that answer is one event.
    """

    def __init__(self, n: int = 1, *, logprobs: bool = False, streamed: bool = True) -> None:
        self.n = n
        self.logprobs = logprobs
        self.streamed = streamed
        self.ended = False
        self.parser = SseParser()
        self.body = bytearray()
        self.first: int | None = None  # the engine's index of the only choice
        self.calls: dict[int, ToolCallReader] = {}
        self.halves: dict[tuple[int, str], str] = {}  # of characters, by choice and field

    def feed(self, data: bytes) -> Iterator[EngineChunk]:
        """The events that `data` completes. Raises UnreadableEvent; what came before it has been given."""
        if self.streamed:
            for event in self.parser.feed(data):
                yield from self._read(event)
        else:
            self.body += data
            if len(self.body) > MAX_EVENT_BYTES:
                raise UnreadableEvent(f"it is longer than {MAX_EVENT_BYTES} bytes")

    def close(self) -> Iterator[EngineChunk]:
        """What is left at the end of the connection: an answer that came whole, or a last event with no line behind it.

        An event that was cut off is not given.
        """
        if not self.streamed:
            yield self.read(bytes(self.body))
            self.ended = True
        elif (event := self.parser.close()) is not None:
            try:
                msgspec.json.decode(event)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                if event != DONE:
                    return
            yield from self._read(event)

    def check_whole(self) -> None:
        """Raise UnreadableEvent where what has come does not make an answer."""
        for calls in self.calls.values():
            calls.check_whole()

    def read(self, event: bytes) -> EngineChunk:
        """One event, mended. Raises UnreadableEvent."""
        try:
            chunk = decode_chunk(event)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
        else:
            if self._is_ordinary(chunk):
                self.first = 0
                return chunk
        try:
            return self._mend(parse_json(event))
        except RecursionError:
            raise UnreadableEvent("an event is nested too deeply") from None

    def _read(self, event: bytes) -> Iterator[EngineChunk]:
        if self.ended or not event.strip():
            return
        if event.strip() == DONE:
            self.ended = True
        else:
            yield self.read(event)

    def _is_ordinary(self, chunk: EngineChunk) -> bool:
        """Whether there is nothing in it that would have to be looked at more closely."""
        if not chunk.choices or self.halves:
            return False
        for choice in chunk.choices:
            delta = choice.delta
            if (
                not 0 <= choice.index < self.n
                or choice.logprobs is not None
                or choice.message is not None
                or (choice.finish_reason is not None and choice.finish_reason not in FINISH_REASONS)
                or (delta is not None and (delta.tool_calls is not None or delta.function_call is not None))
            ):
                return False
        return True

    def _mend(self, value: Any) -> EngineChunk:
        if value is None:
            return EngineChunk()
        if not isinstance(value, dict):
            raise UnreadableEvent(f"an event is {name_kind(value)}")
        error = value.get("error") or (value if value.get("object") == "error" else None)
        if error is None and not value.get("choices") and isinstance(value.get("detail"), str):
            error = value["detail"]  # as FastAPI tells it
        if error:
            return EngineChunk(error=make_well_formed(error if isinstance(error, dict) else {"message": str(error)}))
        choices = value.get("choices")
        if isinstance(choices, dict):
            choices = [choices]
        if not (choices is None or isinstance(choices, list)):
            raise UnreadableEvent(f"`choices` is {name_kind(choices)}")
        mended = [self._mend_choice(choice) for choice in choices or () if choice is not None]
        return EngineChunk(
            choices=[choice for choice in mended if choice is not None],
            usage=value.get("usage"),
            prompt_token_ids=read_token_ids(value.get("prompt_token_ids")),
        )

    def _mend_choice(self, value: Any) -> EngineChoice | None:
        if not isinstance(value, dict):
            raise UnreadableEvent(f"a choice is {name_kind(value)}")
        if (index := self._mend_index(value.get("index"))) is None:
            return None
        delta = value.get("delta")
        if delta is None:
            delta = value.get("message")
        if isinstance(delta, str):
            delta = {"content": delta}
        if not (delta is None or isinstance(delta, dict)):
            raise UnreadableEvent(f"`delta` is {name_kind(delta)}")
        reason = read_finish_reason(value.get("finish_reason"))
        return EngineChoice(
            index=index,
            delta=None if delta is None else self._mend_delta(index, delta),
            text=self._join(index, "text", read_text(value.get("text"), "text")),
            finish_reason=reason,
            token_ids=read_token_ids(value.get("token_ids")),
            prompt_token_ids=read_token_ids(value.get("prompt_token_ids")),
            logprobs=self._mend_logprobs(value.get("logprobs")),
        )

    def _mend_index(self, value: Any) -> int | None:
        """The index of a choice; None for one that nobody asked for."""
        index = read_index(value)
        if self.n == 1:  # whatever an engine calls its only choice, there is no other
            if self.first is None:
                self.first = index
            return 0 if index is None or index == self.first else None
        if index is None:
            raise UnreadableEvent("a choice has no index, and several were asked for")
        return index if index < self.n else None

    def _mend_delta(self, index: int, delta: dict[str, Any]) -> EngineDelta:
        calls = delta.get("tool_calls")
        if calls is None and delta.get("function_call"):  # what came before tool calls
            calls = [{"function": delta["function_call"]}]
        content = delta.get("content")
        reasoning = next((read_text(delta[name], name) for name in REASONING if delta.get(name)), None)
        if isinstance(content, list):  # as Mistral gives both
            thoughts = [part["thinking"] for part in content if isinstance(part, dict) and part.get("thinking")]
            content = [part for part in content if not (isinstance(part, dict) and part.get("thinking"))]
            reasoning = reasoning or "".join(read_text(thought, "thinking") or "" for thought in thoughts) or None
        return EngineDelta(
            content=self._join(index, "content", read_text(content, "content")),
            reasoning=self._join(index, "reasoning", reasoning),
            refusal=self._join(index, "refusal", read_text(delta.get("refusal"), "refusal")),
            tool_calls=self._mend_calls(index, calls),
        )

    def _mend_calls(self, index: int, value: Any) -> list[dict[str, Any]] | None:
        if value is None:
            return None
        if index not in self.calls:
            self.calls[index] = ToolCallReader()
        return self.calls[index].read(make_well_formed(value)) or None

    def _mend_logprobs(self, value: Any) -> dict[str, Any] | None:
        if not value or not self.logprobs:
            return None
        result: dict[str, Any] = make_well_formed(read_logprobs(value))
        return result

    def _join(self, index: int, name: str, text: str | None) -> str | None:
        """The text with the half of a character that came before it; its own half at the end waits for the next."""
        if not text:
            return text
        text = self.halves.pop((index, name), "") + text
        if "\ud800" <= text[-1] <= "\udbff":
            self.halves[index, name] = text[-1]
            text = text[:-1]
        result: str = make_well_formed(text)
        return result
