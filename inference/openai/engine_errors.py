"""What an engine says when it refuses or fails, in the words of `api_errors`.

vLLM's bodies have an integer `code`, its 401 is a bare string, and messages may hold paths, flags
and figures of the machine: only what is recognised is passed on, and in our own words.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from inference.openai.fields import ACCEPTED_FIELDS
from inference.openai.unknown_fields import ADDED_FIELDS, WORD
from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError

CONTEXT = re.compile(
    r"maximum context length|maximum model length|context (?:length|window|size)|max_model_len"
    r"|exceeds? the (?:available )?context",
    re.IGNORECASE,
)
WINDOW = re.compile(
    r"(?:context length is|model length of|context length \(|max_model_len=|n_ctx\D{0,4})\s*(\d+)", re.IGNORECASE
)
REQUESTED = re.compile(
    r"(?:requested|max_tokens=|contains(?: at least)?|prompt \(length|Input length \()\s*(\d+)", re.IGNORECASE
)
TOOLS = re.compile(r"tool choice requires|does not support tools|tool.call.parser", re.IGNORECASE)
VOCABULARY = re.compile(r"Vocabulary size: (\d+)")
MESSAGES = re.compile(r"\broles?\b|\bmessages?\b|conversation|template|\bcontent\b|prompt", re.IGNORECASE)
PARAM = re.compile(r"[A-Za-z_][\w.\[\]-]{0,199}")
QUOTED = re.compile(r"(?<!\w)(['\"`])(.*?)(?:\1(?!\w)|$)", re.DOTALL)
SCHEMA_FIELDS = ("response_format", "structured_outputs", "tools")
MAX_PLAIN_CHARS = 2000  # of a body that is not JSON
MAX_QUOTED_CHARS = 300
MAX_ERROR_DEPTH = 4
SCHEMA = re.compile(r"grammar|json.?schema|structured output|xgrammar|guidance|regex", re.IGNORECASE)


def parse_error_body(body: bytes | str | Mapping[str, Any]) -> tuple[str, str | None, Any]:
    """Message, param and code of an engine's error body of any known shape."""
    value: Any = body
    if not isinstance(body, Mapping):
        try:
            value = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            value = body if isinstance(body, str) else body.decode("utf-8", "replace")
            return (value[:MAX_PLAIN_CHARS] if not value.lstrip().startswith(("<", "[", "{")) else ""), None, None
    return read_error(value)


def read_error(value: Any, depth: int = 0) -> tuple[str, str | None, Any]:
    """The same of a decoded body: OpenAI's, FastAPI's list of faults, or one of these inside something."""
    if isinstance(value, list):
        faults = [fault for fault in value if isinstance(fault, Mapping)]
        value = next((fault for fault in faults if fault.get("type") == "extra_forbidden"), next(iter(faults), None))
    if isinstance(value, str):
        return value, None, None
    if not isinstance(value, Mapping):
        return "", None, None
    said = ""
    for name in ("error", "detail", "message", "msg"):
        if isinstance(inner := value.get(name), Mapping | list) and depth < MAX_ERROR_DEPTH:
            return read_error(inner, depth + 1)
        said = said or (inner if isinstance(inner, str) else "")
    param = value.get("param")
    return said, param if isinstance(param, str) else read_location(value.get("loc")), value.get("code")


def read_location(value: Any) -> str | None:
    """FastAPI's place of a fault, as in ["body", "messages", 1, "name"]."""
    places = [str(place) for place in value if isinstance(place, str | int)] if isinstance(value, list) else []
    return ".".join(places[1:] if places[:1] == ["body"] else places) or None


def error_from_engine(
    status: int, body: bytes | str | Mapping[str, Any], asked: Collection[str] = ACCEPTED_FIELDS, window: int = 0
) -> ApiError:
    """Our error for an engine's answer with a status of 400 or more, or for an error event in its stream.

    A status of 200 (an error inside a stream) is replaced by the integer code that the event names. `asked`: the fields
    that the caller has sent, who is to be told of no other; `window`: the model's, where it is known.
    """
    message, param, code = parse_error_body(body)
    if status < 400:
        status = code if isinstance(code, int) and 400 <= code < 600 else 500
    if status in (400, 413, 422):
        return request_refusal(message, param, asked, window)
    if status in (408, 504):
        return api_errors.timeout()
    if status in (429, 503):
        return api_errors.server_overloaded("The engine cannot take more work now.")
    if status in (401, 403):
        return api_errors.engine_error(
            "The engine does not accept the key that Jarvis has for it (JARVIS_ENGINE_API_KEY)."
        )
    if status == 404:
        return api_errors.engine_error("The engine does not serve this model or route.")
    return api_errors.engine_error(status=500 if status == 500 else 502)


def request_refusal(
    message: str, param: str | None, asked: Collection[str] = ACCEPTED_FIELDS, window: int = 0
) -> ApiError:
    """The engine found fault with the request itself: sending it again cannot help."""
    if CONTEXT.search(message):
        limit, requested = WINDOW.search(message), REQUESTED.search(message)
        return api_errors.context_length_exceeded(
            int(limit[1]) if limit else window or None, int(requested[1]) if requested else None
        )
    if TOOLS.search(message):
        return api_errors.invalid_request(
            "This model cannot call tools. Leave out `tools`, or use another model.", "tools"
        )
    if vocabulary := VOCABULARY.search(message):
        text = f"A token id in `logit_bias` is outside the vocabulary. Use ids below {vocabulary[1]}."
        return api_errors.invalid_request(text, "logit_bias")
    if SCHEMA.search(message):
        text = "The engine cannot hold an answer to this schema. Use a simpler one in `response_format` or `tools`."
        return api_errors.invalid_request(text, next((name for name in SCHEMA_FIELDS if name in asked), None))
    if (found := find_param(message, param)) and WORD.findall(found)[0] in asked:
        return api_errors.invalid_request(
            f"The engine refuses the value of `{found}`. Change it or leave it out.", found
        )
    return api_errors.invalid_request(
        "The engine refuses this request. Check roles, order and content of the messages.",
        "messages" if MESSAGES.search(message) else None,
    )


def find_param(message: str, param: str | None) -> str | None:
    """The field that a refusal is about: what it names, or the first that its sentence names."""
    if param and PARAM.fullmatch(param) and WORD.findall(param)[0] in ACCEPTED_FIELDS:
        return param
    words = (found[0] for found in WORD.finditer(message))
    return next((word for word in words if "_" in word and word in ACCEPTED_FIELDS), None)


def quote_refusal(message: str) -> str:
    """A refusal's sentence for the log: what it quotes may be what was asked, so names of fields alone are kept."""
    short = QUOTED.sub(lambda found: found[0] if found[2] in ACCEPTED_FIELDS | ADDED_FIELDS else "…", message)
    return short[:MAX_QUOTED_CHARS]
