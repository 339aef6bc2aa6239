"""The values in an engine's events: what an odd one means, and whether it can be used at all."""

import json
import math
from typing import Any

import msgspec

MAX_COUNT = 1_000_000_000  # tokens; two of them together fit into Postgres's integer
MAX_MODEL_NAME = 200  # characters; as long as the column
MAX_TOKEN_ID = 2**31 - 1
UNLIKELY = -9999.0  # the logarithm that vLLM and OpenAI write for what has no probability
FINISH_REASONS = frozenset(("stop", "length", "tool_calls", "content_filter", "abort"))
OTHER_FINISH_REASONS = {
    "max_tokens": "length",
    "max_length": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "function_call": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "safety": "content_filter",
    "recitation": "content_filter",
    "refusal": "content_filter",
}
KINDS = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", int: "a number", float: "a number"}


class UnreadableEvent(Exception):
    """What an engine said cannot be understood, and not be mended; the text says what is wrong with it."""


class Counts(msgspec.Struct):
    """The engine's counts of tokens; None: it gives none that can be."""

    prompt: int | None = None
    completion: int | None = None
    cached: int = 0
    reasoning: int | None = None  # of the completion


def name_kind(value: Any) -> str:
    """The kind of a JSON value, in words."""
    return KINDS.get(type(value), "null")


def parse_json(data: bytes) -> Any:
    """The value, also where strict readers refuse it: NaN, broken UTF-8, halves of characters, which stay as they are.

    Raises UnreadableEvent.
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return json.loads(data.decode("utf-8", "replace"), parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        raise UnreadableEvent("an event is not JSON") from None


def make_well_formed(value: Any) -> Any:
    """A JSON value without halves of characters, which neither Redis nor Postgres nor a client can take."""
    if isinstance(value, str):
        return value if value.isprintable() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [make_well_formed(item) for item in value]
    if isinstance(value, dict):
        return {make_well_formed(name): make_well_formed(item) for name, item in value.items()}
    return value


def read_text(value: Any, name: str) -> str | None:
    """The text in a field `name`; of a list of parts the text of all. Raises UnreadableEvent."""
    if value is None or isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else [value]
    found = [part.get("text") if isinstance(part, dict) else part for part in parts]
    texts = [text for text in found if isinstance(text, str)]
    if len(texts) < len(found):
        raise UnreadableEvent(f"`{name}` is {name_kind(value)}")
    return "".join(texts)


def read_count(value: Any) -> int | None:
    """A number of tokens; None for what is none."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 12:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value <= MAX_COUNT else None


def read_counts(value: Any) -> Counts | None:
    """What a field `usage` says; None where it says nothing."""
    if not isinstance(value, dict):
        return None
    prompt, completion = read_count(value.get("prompt_tokens")), read_count(value.get("completion_tokens"))
    if prompt is None and completion is None:
        return None
    cached = read_detail(value, "prompt_tokens_details", "cached_tokens")
    reasoning = read_detail(value, "completion_tokens_details", "reasoning_tokens")
    if reasoning is None:  # where SGLang puts it
        reasoning = read_count(value.get("reasoning_tokens"))
    if reasoning is not None and completion is not None:
        reasoning = min(reasoning, completion)
    return Counts(prompt, completion, min(cached or 0, prompt or 0), reasoning)


def read_detail(usage: dict[str, Any], name: str, count: str) -> int | None:
    details = usage.get(name)
    return read_count(details.get(count)) if isinstance(details, dict) else None


def read_token_ids(value: Any) -> list[int] | None:
    """Token ids; None where any of them is none."""
    if not isinstance(value, list) or not all(type(id) is int and 0 <= id <= MAX_TOKEN_ID for id in value):
        return None
    return value


def read_finish_reason(value: Any) -> str | None:
    """The reason in OpenAI's words; None where the answer goes on. `stop` for what nobody knows."""
    if not value:
        return None
    word = value.lower() if isinstance(value, str) else ""
    return word if word in FINISH_REASONS else OTHER_FINISH_REASONS.get(word, "stop")


def read_logprobs(value: Any) -> dict[str, Any]:
    """OpenAI's `logprobs` of a choice. Raises UnreadableEvent."""
    if not isinstance(value, dict):
        raise UnreadableEvent(f"`logprobs` is {name_kind(value)}")
    result: dict[str, Any] = {}
    for name in ("content", "refusal"):
        entries = value.get(name)
        if entries is None:
            continue
        if not isinstance(entries, list):
            raise UnreadableEvent(f"`logprobs.{name}` is {name_kind(entries)}")
        result[name] = [read_logprob(entry, top=True) for entry in entries]
    return result


def read_logprob(value: Any, *, top: bool = False) -> dict[str, Any]:
    if not isinstance(value, dict) or not isinstance(token := value.get("token"), str):
        raise UnreadableEvent("an entry of `logprobs` has no token")
    logprob = value.get("logprob")
    usable = isinstance(logprob, int | float) and not isinstance(logprob, bool) and math.isfinite(logprob)
    raw = value.get("bytes")
    entry = {
        "token": token,
        "logprob": logprob if usable else UNLIKELY,
        "bytes": raw if isinstance(raw, list) and all(type(b) is int and 0 <= b < 256 for b in raw) else None,
    }
    if top:
        others = value.get("top_logprobs")
        entry["top_logprobs"] = [read_logprob(other) for other in others] if isinstance(others, list) else []
    return entry


class ServedModel(msgspec.Struct):
    """A model as its server names it. `window`: tokens, 0 where it does not say; `owner`: `vllm`, for one."""

    id: str
    window: int = 0
    owner: str = ""


def read_models(body: bytes) -> list[ServedModel]:
    """What an answer of /v1/models names. Raises UnreadableEvent where it is none."""
    value = parse_json(body)
    cards = value.get("data") if isinstance(value, dict) else None
    if not isinstance(cards, list):
        raise UnreadableEvent("there is no list of models in it")
    models = []
    for card in cards:
        id = card.get("id") if isinstance(card, dict) else None
        if not isinstance(id, str) or not 0 < len(id) <= MAX_MODEL_NAME:
            continue
        owner = card.get("owned_by")
        name = make_well_formed(id).replace("\0", "\ufffd")
        window = read_count(card.get("max_model_len")) or 0
        models.append(ServedModel(name, window, owner if isinstance(owner, str) else ""))
    return models
