"""The messages of a request: what is checked beyond their types, and what engines get of them."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from inference.openai.schemas import (
    AnswerPart,
    Assistant,
    CalledFunction,
    Message,
    ReasoningPart,
    RedactedPart,
    RefusalPart,
    ThinkingPart,
    Tool,
)
from jarvis.lib.api_errors import ApiError, invalid_request

MAX_BRACKET_DEPTH = 100  # of the JSON inside `arguments` of a tool call that is sent back
# Unknown fields are passed over, but for these: whoever sends one expects that the model sees what it holds.
MEDIA_KINDS = ("audio", "file", "image", "images", "video", "videos")
MEDIA_FORMS = ("{}_url", "{}_data", "{}_embeds", "input_{}")
MEDIA_FIELDS = frozenset(MEDIA_KINDS) | {form.format(kind) for kind in MEDIA_KINDS for form in MEDIA_FORMS}
MEDIA_FIELDS |= {"prompt_embeds"}


def check_messages(messages: list[Message], raw: list[dict[str, Any]], max_messages: int, max_chars: int) -> None:
    """Raise ApiError (400) for the first rule that is broken. `raw`: the same as they came."""
    if len(messages) > max_messages:
        raise invalid_request(f"`messages` may hold at most {max_messages} messages. Send fewer.", "messages")
    size = 0
    for index, (message, given) in enumerate(zip(messages, raw, strict=True)):
        path = f"messages[{index}]"
        check_media(message, given, path)
        size += sum(map(len, content_texts(message)))
        if isinstance(message, Assistant):
            if given.get("function_call"):
                param = f"{path}.function_call"
                raise invalid_request(f"`{param}` is not accepted. Use `tool_calls`.", param)
            size += check_assistant(message, path)
    if size > max_chars:
        text = f"The messages hold {size} characters, more than {max_chars}. Shorten them."
        raise invalid_request(text, "messages")


def check_media(message: Message, given: dict[str, Any], path: str) -> None:
    """Refuse pictures, sounds and files that lie beside the text. An answer that is sent back may hold any."""
    if not isinstance(message, Assistant):
        refuse_media(given, path)
    if isinstance(parts := given.get("content"), list):
        for number, part in enumerate(parts):
            refuse_media(part, f"{path}.content[{number}]")


def refuse_media(given: dict[str, Any], path: str) -> None:
    if MEDIA_FIELDS.isdisjoint(given):
        return
    for name in MEDIA_FIELDS & given.keys():
        if given[name]:
            raise media_refusal(f"{path}.{name}")


def media_refusal(param: str) -> ApiError:
    return invalid_request(f"`{param}` is not accepted: only text can be sent.", param)


def check_assistant(message: Assistant, path: str) -> int:
    """Size of what an assistant message holds beside its content."""
    reasoning = join_reasoning(message)
    if message.content is msgspec.UNSET and not (message.tool_calls or message.refusal or reasoning):
        raise invalid_request(f"`{path}` needs `content` or `tool_calls`. Add one.", f"{path}.content")
    size = len(reasoning)
    for number, call in enumerate(message.tool_calls or ()):
        text = encode_arguments(call.function)
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


def content_texts(message: Message) -> Iterator[str]:
    """The texts of a message's content, without reasoning."""
    content = message.content
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        yield from read_parts(content)


def read_parts(parts: Iterable[AnswerPart]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, RefusalPart):
            yield part.refusal
        elif not isinstance(part, ThinkingPart | ReasoningPart | RedactedPart):
            yield part.text


def join_reasoning(message: Assistant) -> str:
    """The reasoning of an answer, under whichever name it comes first; empty where there is none."""
    for value in (message.reasoning, message.reasoning_content):
        if value and isinstance(value, str):
            return str(value)
    if not isinstance(message.content, list):
        return ""
    thoughts = (read_thought(part) for part in message.content if isinstance(part, ThinkingPart | ReasoningPart))
    return "".join(thoughts)


def read_thought(part: ThinkingPart | ReasoningPart) -> str:
    value = part.thinking if isinstance(part, ThinkingPart) else part.text
    if isinstance(value, list):
        value = "".join(text for item in value if isinstance(item, dict) and isinstance(text := item.get("text"), str))
    return value if isinstance(value, str) else ""


def encode_arguments(function: CalledFunction) -> str:
    """As the text that it is on the wire; no arguments are an empty object."""
    if isinstance(function.arguments, str):
        return function.arguments or "{}"
    return msgspec.json.encode(function.arguments or {}).decode()


def engine_messages(messages: list[Message]) -> list[dict[str, Any]]:
    """Messages as engines take them: only what they know, no empty fields, `developer` (which few chat templates know)
    as `system`."""
    return [engine_message(message) for message in messages]


def engine_message(message: Message) -> dict[str, Any]:
    content = engine_content(message)
    result: dict[str, Any] = {}
    if isinstance(message, Assistant):
        result["role"] = "assistant"
        if content is None:
            content = message.refusal
        if content is not None or not message.tool_calls:
            result["content"] = content or ""
        if reasoning := join_reasoning(message):
            result["reasoning"] = reasoning
        if message.tool_calls:
            result["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.function.name, "arguments": encode_arguments(call.function)},
                }
                for call in message.tool_calls
            ]
    else:
        role = message.__struct_config__.tag
        result = {"role": "system" if role == "developer" else role, "content": content or ""}
        if isinstance(message, Tool):
            result["tool_call_id"] = message.tool_call_id
    if message.name:
        result["name"] = message.name
    return result


def engine_content(message: Message) -> str | list[dict[str, str]] | None:
    """A text as it is, and parts of text; None where there is nothing."""
    if isinstance(message.content, list):
        return [{"type": "text", "text": text} for text in read_parts(message.content)] or None
    return message.content if isinstance(message.content, str) else None
