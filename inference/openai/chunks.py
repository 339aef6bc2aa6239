"""The shapes of answers: events of a stream, the whole answer, the list of models."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from inference.log.events import End
from jarvis.lib.api_errors import ApiError

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"

_encode = msgspec.json.Encoder().encode


def encode_sse(value: Any) -> bytes:
    return b"data: %b\n\n" % _encode(value)


def usage_fields(prompt: int, completion: int, cached: int = 0, reasoning: int | None = None) -> dict[str, Any]:
    """Token counts as clients read them."""
    counts: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    if reasoning is not None:
        counts["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return counts


class OpenAIStreamFormat:
    """Makes the events of one streamed answer: one id, one time, whatever happens behind it."""

    __slots__ = ("_head", "_tail", "_text", "_text_end", "_text_tail")

    def __init__(
        self, id: str, created: int, model: str, include_usage: bool = False, fingerprint: str | None = None
    ) -> None:
        base = {"id": id, "object": "chat.completion.chunk", "created": created, "model": model}
        base["system_fingerprint"] = fingerprint
        self._head = b'data: %b,"choices":' % _encode(base)[:-1]
        self._tail = b',"usage":null}\n\n' if include_usage else b"}\n\n"
        self._text = self._head + b'[{"index":0,"delta":{"content":'
        self._text_end = b'},"logprobs":null,"finish_reason":null}]'
        self._text_tail = self._text_end + self._tail

    def put_usage(self, counts: Mapping[str, Any]) -> None:
        """Have the events that follow carry these counts."""
        self._tail = b',"usage":%b}\n\n' % _encode(counts)
        self._text_tail = self._text_end + self._tail

    def text(self, delta: str) -> bytes:
        """A piece of the text of choice 0."""
        return self._text + _encode(delta) + self._text_tail

    def choices(self, deltas: Iterable[Mapping[str, Any]]) -> bytes:
        """Delta choices of any kind; nothing where they say nothing. The role is `role`'s business."""
        shown = [choice for delta in deltas if (choice := self._public_choice(delta))]
        return self._head + _encode(shown) + self._tail if shown else b""

    @staticmethod
    def _public_choice(choice: Mapping[str, Any]) -> dict[str, Any] | None:
        delta = {name: value for name, value in choice["delta"].items() if name != "role" and value is not None}
        name_reasoning_twice(delta)
        if calls := delta.get("tool_calls"):
            delta["tool_calls"] = [{"index": place, **call} for place, call in enumerate(calls)]
        logprobs, finish = choice.get("logprobs"), choice.get("finish_reason")
        if not any(delta.values()) and logprobs is None and finish is None:
            return None
        return {"index": choice["index"], "delta": delta, "logprobs": logprobs, "finish_reason": finish}

    def role(self, n: int = 1) -> bytes:
        """The opening events, one for each choice."""
        return b"".join(self._encode_choice(index, {"role": "assistant", "content": ""}, None) for index in range(n))

    def finish(self, reason: str, index: int = 0) -> bytes:
        return self._encode_choice(index, {}, reason)

    def _encode_choice(self, index: int, delta: dict[str, Any], finish: str | None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._head + _encode([choice]) + self._tail

    def usage(self, counts: Mapping[str, Any]) -> bytes:
        """The last event before DONE, for those who asked for it."""
        return self._head + b'[],"usage":%b}\n\n' % _encode(counts)

    def final_event(self, end: End) -> bytes:
        return DONE

    def error_event(self, fault: ApiError) -> bytes:
        """The end of a stream that broke."""
        return encode_sse(fault.body()) + DONE


def name_reasoning_twice(message: dict[str, Any]) -> None:
    """Give a message's reasoning under both names: vLLM's clients read `reasoning`, most others `reasoning_content`."""
    if reasoning := message.get("reasoning"):
        message["reasoning_content"] = reasoning


def build_completion(
    id: str,
    created: int,
    model: str,
    choices: list[dict[str, Any]],
    counts: Mapping[str, Any],
    fingerprint: str | None = None,
) -> dict[str, Any]:
    """A whole answer; `choices` as `accumulate.Accumulator.choices` gives them."""
    for choice in choices:
        name_reasoning_twice(choice["message"])
    return {
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": choices,
        "usage": counts,
        "system_fingerprint": fingerprint,
    }


def model_object(name: str, created: int, max_model_len: int | None = None) -> dict[str, Any]:
    card: dict[str, Any] = {"id": name, "object": "model", "created": created, "owned_by": "jarvis"}
    return card | {"max_model_len": max_model_len} if max_model_len else card


def models_list(models: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "data": models}
