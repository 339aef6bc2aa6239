"""Rules on chat requests that go beyond types: caps that are settings, and fields that depend on each other."""

from typing import Any

import msgspec

from inference.openai.json_schema import check_schema
from inference.openai.schemas import Assistant, Fields, Message, ObjectFormat, SchemaFormat, TextPart, ToolChoice
from jarvis.lib.api_errors import invalid_request

MAX_BRACKET_DEPTH = 100  # of the JSON inside `arguments` of a tool call that is sent back


class RequestLimits(msgspec.Struct, frozen=True):
    """Caps that depend on the site, the model or the caller."""

    max_tokens: int = 4096  # largest max_tokens
    vocabulary: int | None = None  # size, where it is known
    priority: bool = False  # the caller may set it
    messages: int = 4096  # count
    characters: int = 2_000_000  # of all messages together
    n: int = 8
    top_logprobs: int = 20
    stops: int = 16
    stop_length: int = 256
    biases: int = 1024
    tools: int = 128
    tool_bytes: int = 256 * 1024  # of the definitions of all tools
    schema_bytes: int = 64 * 1024
    metadata: int = 16


def check_fields(fields: Fields, limits: RequestLimits) -> None:
    """Raise ApiError (400) for the first rule that is broken."""
    check_messages(fields.messages, limits)
    for name in ("max_tokens", "max_completion_tokens"):
        if (getattr(fields, name) or 0) > limits.max_tokens:
            raise invalid_request(f"`{name}` may be at most {limits.max_tokens}. Lower it or leave it out.", name)
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
    if fields.stream_options is not None and not fields.stream:
        raise invalid_request("`stream_options` needs `stream: true`. Set it, or leave it out.", "stream_options")
    if fields.tools is not None or fields.tool_choice is not None:
        check_tools(fields, limits)
    if isinstance(fields.response_format, SchemaFormat | ObjectFormat):
        check_format(fields.response_format, limits)
    if fields.metadata is not None and (
        len(fields.metadata) > limits.metadata or any(len(name) > 64 for name in fields.metadata)
    ):
        text = f"`metadata` may hold at most {limits.metadata} entries with names of up to 64 characters."
        raise invalid_request(text, "metadata")


def check_messages(messages: list[Message], limits: RequestLimits) -> None:
    if len(messages) > limits.messages:
        raise invalid_request(f"`messages` may hold at most {limits.messages} messages. Send fewer.", "messages")
    size = 0
    for index, message in enumerate(messages):
        content = message.content
        if isinstance(content, str):
            size += len(content)
        elif content is not None:
            size += sum(len(part.text if isinstance(part, TextPart) else part.refusal) for part in content)
        if isinstance(message, Assistant):
            size += check_assistant(message, f"messages[{index}]")
    if size > limits.characters:
        text = f"The messages hold {size} characters, more than {limits.characters}. Shorten them."
        raise invalid_request(text, "messages")


def check_assistant(message: Assistant, path: str) -> int:
    """Size of what an assistant message holds beside its content."""
    if message.content is None and message.tool_calls is None and message.refusal is None:
        raise invalid_request(f"`{path}` needs `content` or `tool_calls`. Add one.", f"{path}.content")
    size = len(message.reasoning or message.reasoning_content or "")
    for number, call in enumerate(message.tool_calls or ()):
        text = call.function.arguments
        size += len(text)
        if text.count("[") + text.count("{") > MAX_BRACKET_DEPTH and bracket_depth(text) > MAX_BRACKET_DEPTH:
            param = f"{path}.tool_calls[{number}].function.arguments"
            raise invalid_request(f"`{param}` is nested more than {MAX_BRACKET_DEPTH} deep. Use a flatter one.", param)
    return size


def bracket_depth(text: str) -> int:
    """How deep brackets are nested at most; those inside strings count too, which errs on the safe side."""
    depth = deepest = 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


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
    if tools is None:
        if choice not in (None, "none"):
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
            check_schema(tool.function.parameters, f"tools[{index}].function.parameters")
    if len(names) < len(tools):
        raise invalid_request("Two of the `tools` have the same name. Give each its own.", "tools")
    if isinstance(choice, ToolChoice) and choice.function.name not in names:
        raise invalid_request("`tool_choice` names none of the `tools`. Name one of them.", "tool_choice")


def check_format(wanted: SchemaFormat | ObjectFormat, limits: RequestLimits) -> None:
    if isinstance(wanted, SchemaFormat):
        schema = wanted.json_schema.schema
        if (size := len(msgspec.json.encode(schema))) > limits.schema_bytes:
            text = f"The JSON schema has {size} bytes, more than {limits.schema_bytes}. Use a smaller one."
            raise invalid_request(text, "response_format")
        check_schema(schema, "response_format.json_schema.schema")


CALLER_FIELDS = frozenset(("annotations", "audio", "function_call", "refusal", "reasoning_content"))


def engine_messages(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages as engines take them: no empty fields, `developer` (which few chat templates know) as `system`."""
    result = []
    for message in messages:
        clean = {name: value for name, value in message.items() if value is not None and name not in CALLER_FIELDS}
        if clean["role"] == "developer":
            clean["role"] = "system"
        elif clean["role"] == "assistant":
            if reasoning := message.get("reasoning") or message.get("reasoning_content"):
                clean["reasoning"] = reasoning
            if "content" not in clean and (refused := message.get("refusal")):
                clean["content"] = refused
            if isinstance(content := clean.get("content"), list):
                clean["content"] = [{"type": "text", "text": p.get("text") or p.get("refusal", "")} for p in content]
        result.append(clean)
    return result
