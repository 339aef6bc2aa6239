"""The shapes of what the API's short stack takes and gives, as OpenAPI 3.0 writes them.

What it takes is read off the very structs that check it, so the document cannot fall behind them.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from chat.api.simple import SimpleQuestion
from inference.openai.schemas import Fields

REF = "#/components/schemas/"
NAMES = {"Fields": "ChatCompletionRequest", "SimpleQuestion": "QuestionRequest"}  # others get `Chat` before theirs
NOTES = ("title", "description")  # written for those who read the code


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"{REF}{name}"}


def public_name(struct: str) -> str:
    return NAMES.get(struct, f"Chat{struct}")


def request_schemas() -> dict[str, Any]:
    """By name: what may be sent."""
    _, components = msgspec.json.schema_components([Fields, SimpleQuestion], ref_template=f"{REF}{{name}}")
    return {public_name(name): to_openapi(schema) for name, schema in components.items()}


def to_openapi(schema: Any) -> Any:
    """JSON Schema of 2020 as OpenAPI 3.0 knows it: null is no type there, and a bound is exclusive by a flag."""
    if isinstance(schema, list):
        return [to_openapi(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = {name: to_openapi(value) for name, value in schema.items() if name not in NOTES or isinstance(value, dict)}
    if isinstance(named := found.get("$ref"), str):
        found["$ref"] = REF + public_name(named.removeprefix(REF))
    if isinstance(mapping := found.get("mapping"), dict) and "propertyName" in found:
        found["mapping"] = {word: REF + public_name(str(to).removeprefix(REF)) for word, to in mapping.items()}
    if isinstance(bound := found.get("exclusiveMinimum"), int | float):
        found |= {"minimum": bound, "exclusiveMinimum": True}
    if isinstance(pattern := found.get("pattern"), str):
        found["pattern"] = pattern.replace(r"\A", "^").replace(r"\Z", "$")
    if isinstance(found.get("enum"), list):
        found.setdefault("type", "string")
    if isinstance(fields := found.get("properties"), dict):  # without those that may only be null
        found["properties"] = {name: field for name, field in fields.items() if field.get("type") != "null"}
    if found.get("required") == []:
        del found["required"]
    return allow_null(found)


def allow_null(schema: dict[str, Any]) -> dict[str, Any]:
    """`nullable` in the place of a choice with null."""
    choices = schema.get("anyOf")
    if not isinstance(choices, list) or {"type": "null"} not in choices:
        return schema
    others = [choice for choice in choices if choice != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    if len(others) > 1:
        return rest | {"anyOf": others, "nullable": True}
    kept = {"allOf": others} if "$ref" in others[0] else others[0]
    return rest | kept | {"nullable": True}


TEXT, WHOLE, NUMBER, TRUTH = ({"type": kind} for kind in ("string", "integer", "number", "boolean"))
MOMENT = {"type": "string", "format": "date-time"}
ANY_OBJECT = {"type": "object", "additionalProperties": True}


def nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return {**({"allOf": [schema]} if "$ref" in schema else schema), "nullable": True}


def list_of(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}


def shape(required: dict[str, Any], optional: dict[str, Any] | None = None, note: str = "") -> dict[str, Any]:
    """An object. Clients pass over fields that they do not know, so none is forbidden."""
    found: dict[str, Any] = {"type": "object", "properties": {**required, **(optional or {})}, "required": [*required]}
    return found | {"description": note} if note else found


def word(*words: str) -> dict[str, Any]:
    return {"type": "string", "enum": [*words]}


TOOL_CALL = shape(
    {"id": TEXT, "type": word("function"), "function": shape({"name": TEXT, "arguments": TEXT})}, {"index": WHOLE}
)
REASONING = {"reasoning": nullable(TEXT), "reasoning_content": nullable(TEXT)}
FINISH = word("stop", "length", "tool_calls", "content_filter", "function_call")

ANSWERS: dict[str, Any] = {
    "ChatToolCallMade": TOOL_CALL,
    "ChatCompletionMessage": shape(
        {"role": word("assistant"), "content": nullable(TEXT)},
        {"refusal": nullable(TEXT), "tool_calls": list_of(ref("ChatToolCallMade")), **REASONING},
    ),
    "ChatCompletionChoice": shape(
        {"index": WHOLE, "message": ref("ChatCompletionMessage"), "finish_reason": FINISH},
        {"logprobs": nullable(ANY_OBJECT)},
    ),
    "TokenUsage": shape(
        {"prompt_tokens": WHOLE, "completion_tokens": WHOLE, "total_tokens": WHOLE},
        {"prompt_tokens_details": ANY_OBJECT, "completion_tokens_details": ANY_OBJECT},
    ),
    "ChatCompletion": shape(
        {"id": TEXT, "object": word("chat.completion"), "created": WHOLE, "model": TEXT}
        | {"choices": list_of(ref("ChatCompletionChoice")), "usage": ref("TokenUsage")}
    ),
    "ChatCompletionChunk": shape(
        {"id": TEXT, "object": word("chat.completion.chunk"), "created": WHOLE, "model": TEXT}
        | {"choices": list_of(shape({"index": WHOLE, "delta": ANY_OBJECT}, {"finish_reason": nullable(FINISH)}))},
        {"usage": nullable(ref("TokenUsage"))},
        "One event of a stream.",
    ),
    "OfferedModel": shape(
        {"id": TEXT, "object": word("model"), "created": WHOLE, "owned_by": TEXT}, {"max_model_len": WHOLE}
    ),
    "OfferedModels": shape({"object": word("list"), "data": list_of(ref("OfferedModel"))}),
    "Answer": shape(
        {"response": nullable(TEXT), "timestamp": MOMENT, "model_used": TEXT, "tokens_used": WHOLE}
        | {"response_time": {**NUMBER, "description": "Seconds."}, "conversation": {**TEXT, "format": "uuid"}}
    ),
    "HistoryMessage": shape(
        {"id": WHOLE, "conversation": {**TEXT, "format": "uuid"}, "role": word("user", "assistant"), "content": TEXT}
        | {"model": nullable(TEXT), "status": nullable(TEXT), "timestamp": MOMENT}
    ),
    "History": shape(
        {"messages": list_of(ref("HistoryMessage")), "total": WHOLE, "offset": WHOLE, "limit": WHOLE},
        note="The newest first.",
    ),
    "HistoryDeleted": shape({"deleted": {**WHOLE, "description": "Messages."}}),
    "SystemStatus": shape(
        {"status": word("ok", "unavailable"), "timestamp": MOMENT, "uptime_seconds": NUMBER}
        | {"models": list_of(ANY_OBJECT), "workers": list_of(ANY_OBJECT), "tokens_per_second": NUMBER}
        | {"queue": shape({"queued": WHOLE, "running": WHOLE}), "redis": word("ok", "away")}
    ),
    "Health": shape({"status": word("ok"), "timestamp": MOMENT}),
    "Readiness": shape({"status": word("ok", "unavailable"), "missing": list_of(TEXT), "timestamp": MOMENT}),
}
