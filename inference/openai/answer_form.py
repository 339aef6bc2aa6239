"""The form that an answer is to have: a JSON schema, any JSON object, or one of some choices.

OpenAI asks for it with `response_format`; vLLM also with `structured_outputs`, and formerly with `guided_json` and
`guided_choice`. Engines get `response_format`, which all know; choices can only be told to vLLM.
"""

from typing import Any

import msgspec

from inference.openai.json_schema import check_schema
from inference.openai.schemas import Fields, SchemaFormat, StructuredOutputs, TextFormat
from jarvis.lib.api_errors import invalid_request

FORM_FIELDS = ("response_format", "structured_outputs", "guided_json", "guided_choice")
MAX_CHOICES = 1000


def read_answer_form(fields: Fields, max_bytes: int) -> dict[str, Any]:
    """The fields by which an engine is told of the form; none for free text. `max_bytes`: of a schema, of all choices.

    Raises ApiError (400).
    """
    wanted = [name for name in FORM_FIELDS if not isinstance(getattr(fields, name), TextFormat | None)]
    if len(wanted) > 1:
        text = f"`{wanted[0]}` and `{wanted[1]}` both ask for a form of the answer. Send one of them."
        raise invalid_request(text, wanted[1])
    if fields.structured_outputs is not None:
        return read_structured_outputs(fields.structured_outputs, max_bytes)
    if fields.guided_json is not None:
        return schema_form(read_schema(fields.guided_json, "guided_json", max_bytes))
    if fields.guided_choice is not None:
        return choice_form(fields.guided_choice, "guided_choice", max_bytes)
    if isinstance(fields.response_format, SchemaFormat):
        named = fields.response_format.json_schema
        read_schema(named.schema, "response_format.json_schema.schema", max_bytes, "response_format")
    if wanted:
        return {"response_format": msgspec.to_builtins(fields.response_format)}
    return {}


def read_structured_outputs(wanted: StructuredOutputs, max_bytes: int) -> dict[str, Any]:
    kinds = [name for name in ("json", "choice", "json_object") if getattr(wanted, name)]
    if len(kinds) != 1:
        text = "`structured_outputs` needs one of `json`, `choice` and `json_object`. Send one."
        raise invalid_request(text, "structured_outputs")
    if wanted.choice:
        return choice_form(wanted.choice, "structured_outputs.choice", max_bytes)
    if wanted.json:
        return schema_form(read_schema(wanted.json, "structured_outputs.json", max_bytes))
    return {"response_format": {"type": "json_object"}}


def schema_form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}}


def choice_form(choices: list[str], param: str, max_bytes: int) -> dict[str, Any]:
    if not 0 < len(choices) <= MAX_CHOICES or not all(choices) or sum(map(len, choices)) > max_bytes:
        text = f"`{param}` needs 1 to {MAX_CHOICES} texts that are not empty, of {max_bytes} characters together."
        raise invalid_request(text, param)
    return {"structured_outputs": {"choice": choices}}


def read_schema(value: dict[str, Any] | str, param: str, max_bytes: int, size_param: str = "") -> dict[str, Any]:
    """A schema within the limits, which vLLM also takes as JSON text. `size_param`: what is named where it is large."""
    schema: Any = value
    if isinstance(value, str):
        try:
            schema = msgspec.json.decode(value)
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
            schema = None
        if not isinstance(schema, dict):
            raise invalid_request(f"`{param}` is not a JSON schema. Send an object, or its JSON text.", param)
    if (size := len(msgspec.json.encode(schema))) > max_bytes:
        text = f"The JSON schema has {size} bytes, more than {max_bytes}. Use a smaller one."
        raise invalid_request(text, size_param or param)
    check_schema(schema, param)
    return dict(schema)
