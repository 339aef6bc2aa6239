"""Rules on chat requests that go beyond types: caps that are settings, and fields that depend on each other."""

from typing import Any

import msgspec

from inference.openai.json_schema import check_definition, check_schema
from inference.openai.messages import check_messages
from inference.openai.schemas import Fields, ToolChoice, ToolDefinition
from jarvis.lib.api_errors import ApiError, invalid_request


class RequestLimits(msgspec.Struct, frozen=True):
    """Caps that depend on the site, the model or the caller."""

    max_tokens: int = 0  # largest max_tokens; 0: as the model's window allows
    vocabulary: int | None = None  # size, where it is known
    priority: bool = False  # the caller may set it
    messages: int = 4096  # count
    characters: int = 2_000_000  # of all messages together
    n: int = 8
    top_logprobs: int = 20
    stops: int = 16
    stop_length: int = 256
    biases: int = 1024
    tools: int = 512
    tool_bytes: int = 1024 * 1024  # of the definitions of all tools
    schema_bytes: int = 64 * 1024
    metadata: int = 16


def check_fields(fields: Fields, raw: dict[str, Any], limits: RequestLimits) -> None:
    """Raise ApiError (400) for the first rule that is broken. `raw`: the same as they came."""
    check_messages(fields.messages, raw["messages"], limits.messages, limits.characters)
    check_lengths(fields, limits)
    if fields.n is not None:
        if fields.n > limits.n:
            raise invalid_request(f"`n` may be at most {limits.n}. Send the request several times.", "n")
        if fields.n > 1 and fields.temperature == 0:
            text = "`n` must be 1 at temperature 0: all answers would be the same. Raise `temperature`."
            raise invalid_request(text, "n")
    if fields.stop is not None:
        check_stop(fields.stop, limits)
    if fields.logit_bias is not None:
        check_bias(fields.logit_bias, limits)
    if fields.top_logprobs is not None:
        if fields.top_logprobs > limits.top_logprobs:
            text = f"`top_logprobs` may be at most {limits.top_logprobs}. Lower it."
            raise invalid_request(text, "top_logprobs")
        if fields.top_logprobs and not fields.logprobs:
            raise invalid_request("`top_logprobs` needs `logprobs: true`. Set it.", "top_logprobs")
    if raw.get("stream_options") and not fields.stream:
        raise invalid_request("`stream_options` needs `stream: true`. Set it, or leave it out.", "stream_options")
    if fields.tools is not None or fields.tool_choice is not None:
        check_tools(fields, limits)
    if fields.metadata is not None and (
        len(fields.metadata) > limits.metadata or any(len(name) > 64 for name in fields.metadata)
    ):
        text = f"`metadata` may hold at most {limits.metadata} entries with names of up to 64 characters."
        raise invalid_request(text, "metadata")


def check_lengths(fields: Fields, limits: RequestLimits) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        if limits.max_tokens and (getattr(fields, name) or 0) > limits.max_tokens:
            raise length_refusal(name, limits.max_tokens)
    most = fields.max_completion_tokens or fields.max_tokens or limits.max_tokens
    if most and (fields.min_tokens or 0) > most:
        raise invalid_request(f"`min_tokens` may be at most {most}, as long as the answer may get.", "min_tokens")


def length_refusal(name: str, most: int, why: str = "") -> ApiError:
    return invalid_request(f"`{name}` may be at most {most}{why}. Lower it or leave it out.", name)


def check_stop(stop: str | list[str], limits: RequestLimits) -> None:
    stops = [stop] if isinstance(stop, str) else stop
    if len(stops) > limits.stops or any(not 0 < len(text) <= limits.stop_length for text in stops):
        text = f"`stop` may hold at most {limits.stops} strings of 1 to {limits.stop_length} characters."
        raise invalid_request(text, "stop")


def check_bias(bias: dict[str, float], limits: RequestLimits) -> None:
    top = limits.vocabulary or 2**31
    if len(bias) > limits.biases:
        raise invalid_request(f"`logit_bias` may name at most {limits.biases} tokens. Name fewer.", "logit_bias")
    for token in bias:
        if not (token.isascii() and token.isdigit() and len(token) < 11 and int(token) < top):
            text = f"`logit_bias` names tokens by their ids, whole numbers from 0 to {top - 1}. Correct the names."
            raise invalid_request(text, "logit_bias")


def check_tools(fields: Fields, limits: RequestLimits) -> None:
    tools, choice = fields.tools, fields.tool_choice
    if not tools:
        if choice not in (None, "none") and (tools is None or choice != "auto"):
            raise invalid_request("`tool_choice` needs `tools`. Add them, or leave it out.", "tool_choice")
        return
    if len(tools) > limits.tools:
        raise invalid_request(f"`tools` may hold at most {limits.tools} tools. Send fewer.", "tools")
    if (size := len(msgspec.json.encode(tools))) > limits.tool_bytes:
        raise invalid_request(f"`tools` has {size} bytes, more than {limits.tool_bytes}. Shorten it.", "tools")
    names = set()
    for index, tool in enumerate(tools):
        names.add(tool.function.name)
        if tool.function.parameters is not None:
            check = check_schema if is_enforced(tool, choice) else check_definition
            check(tool.function.parameters, f"tools[{index}].function.parameters")
    if len(names) < len(tools):
        raise invalid_request("Two of the `tools` have the same name. Give each its own.", "tools")
    if isinstance(choice, ToolChoice) and choice.function.name not in names:
        raise invalid_request("`tool_choice` names none of the `tools`. Name one of them.", "tool_choice")


def is_enforced(tool: ToolDefinition, choice: str | ToolChoice | None) -> bool:
    """Whether an engine makes a grammar of a tool's schema; otherwise the model only reads it."""
    if choice == "none":
        return False
    named = isinstance(choice, ToolChoice) and choice.function.name == tool.function.name
    return named or choice == "required" or bool(tool.function.strict)


def engine_tools(tools: list[ToolDefinition]) -> list[dict[str, Any]]:
    """Tools as engines take them: only what they know."""
    names = ("name", "description", "parameters", "strict")
    return [
        {
            "type": "function",
            "function": {name: v for name in names if (v := getattr(tool.function, name)) is not None},
        }
        for tool in tools
    ]
