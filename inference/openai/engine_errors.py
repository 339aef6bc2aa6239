"""What an engine says when it refuses or fails, in the words of `api_errors`.

vLLM's bodies have an integer `code`, its 401 is a bare string, and messages may hold paths, flags
and figures of the machine: only what is recognised is passed on, and in our own words.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from inference.openai.fields import ACCEPTED_FIELDS
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
SCHEMA = re.compile(r"grammar|json.?schema|structured output|xgrammar|guidance|regex", re.IGNORECASE)


def parse_error_body(body: bytes | str | Mapping[str, Any]) -> tuple[str, str | None, Any]:
    """Message, param and code of an engine's error body of any known shape."""
    value: Any = body
    if not isinstance(body, Mapping):
        try:
            value = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            value = {}
    if isinstance(value, Mapping) and "error" in value:
        value = value["error"]
    if isinstance(value, str):
        return value, None, None
    if not isinstance(value, Mapping):
        return "", None, None
    message, param = value.get("message"), value.get("param")
    return (
        message if isinstance(message, str) else "",
        param if isinstance(param, str) else None,
        value.get("code"),
    )


def error_from_engine(status: int, body: bytes | str | Mapping[str, Any]) -> ApiError:
    """Our error for an engine's answer with a status of 400 or more, or for an error event in its stream.

    A status of 200 (an error inside a stream) is replaced by the integer code that the event names.
    """
    message, param, code = parse_error_body(body)
    if status < 400:
        status = code if isinstance(code, int) and 400 <= code < 600 else 500
    if status in (400, 413, 422):
        return request_refusal(message, param)
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


def request_refusal(message: str, param: str | None) -> ApiError:
    """The engine found fault with the request itself: sending it again cannot help."""
    if CONTEXT.search(message):
        window, requested = WINDOW.search(message), REQUESTED.search(message)
        return api_errors.context_length_exceeded(
            int(window[1]) if window else None, int(requested[1]) if requested else None
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
        return api_errors.invalid_request(text, "response_format")
    if param in ACCEPTED_FIELDS:
        return api_errors.invalid_request(
            f"The engine refuses the value of `{param}`. Change it or leave it out.", param
        )
    return api_errors.invalid_request(
        "The engine refuses this request. Check roles, order and content of the messages."
    )
