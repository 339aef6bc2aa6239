"""Errors in the shape that OpenAI clients read, one function per kind.

Every message ends with what to do next. `retry` becomes the header `x-should-retry`, which the
official SDK obeys: without it the SDK repeats 408, 409, 429 and every 5xx.
"""

import math
from typing import Any

import msgspec

REQUEST = "invalid_request_error"
SERVER = "server_error"


class ErrorFields(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is stored of an error in a row or a log."""

    status: int
    code: str
    message: str
    type: str
    param: str | None = None
    retry_after: float | None = None
    retry: bool | None = None


class ApiError(Exception):
    """A refusal or a failure, ready to be answered over HTTP or in the middle of a stream."""

    def __init__(self, fields: ErrorFields) -> None:
        super().__init__(fields.message)
        self.fields = fields
        self.status = fields.status
        self.code = fields.code
        self.message = fields.message
        self.type = fields.type
        self.param = fields.param
        self.more: dict[str, str] = {}  # headers

    def with_headers(self, headers: dict[str, str]) -> "ApiError":
        self.more = headers
        return self

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    @property
    def headers(self) -> dict[str, str]:
        """`retry-after` in whole seconds, never 0, the same in milliseconds, and `x-should-retry`, where they apply."""
        headers = dict(self.more)
        if self.fields.retry_after is not None:
            headers["retry-after"] = str(max(1, math.ceil(self.fields.retry_after)))
            headers["retry-after-ms"] = str(max(1, math.ceil(self.fields.retry_after * 1000)))
        if self.fields.retry is not None:
            headers["x-should-retry"] = "true" if self.fields.retry else "false"
        return headers

    def to_row(self) -> dict[str, Any]:
        """A dict for a JSON column; `from_row` gives the error back."""
        row: dict[str, Any] = msgspec.to_builtins(self.fields)
        return row

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "ApiError":
        return cls(msgspec.convert(row, ErrorFields))


def make_error(
    status: int,
    code: str,
    message: str,
    kind: str = REQUEST,
    *,
    param: str | None = None,
    retry_after: float | None = None,
    retry: bool | None = None,
) -> ApiError:
    return ApiError(
        ErrorFields(
            status=status, code=code, message=message, type=kind, param=param, retry_after=retry_after, retry=retry
        )
    )


def invalid_request(message: str, param: str | None = None) -> ApiError:
    """400; the message says what is wrong and what is allowed."""
    return make_error(400, "invalid_request_error", message, param=param)


def context_length_exceeded(limit: int | None = None, requested: int | None = None) -> ApiError:
    """In words that clients look for, as OpenAI, vLLM and others say it."""
    window = f"{limit} tokens" if limit else "shorter than this request"
    asked = f". However, you requested {requested} tokens" if requested else ""
    why = "the prompt is too long, or max_tokens too high. Shorten the messages or lower max_tokens."
    message = f"This model's maximum context length is {window}{asked}: {why}"
    return make_error(400, "context_length_exceeded", message, param="messages")


def invalid_api_key(reason: str = "No valid API key was given.") -> ApiError:
    advice = "Send one as `Authorization: Bearer …` or `X-API-Key: …`; an administrator can make a new one."
    error = make_error(401, "invalid_api_key", f"{reason} {advice}", "authentication_error")
    return error.with_headers({"www-authenticate": "Bearer"})  # RFC 9110, 11.6.1


def permission_denied(what: str, param: str | None = None) -> ApiError:
    message = f"This key may not {what}. Ask an administrator for the right, or use another key."
    return make_error(403, "permission_denied", message, "permission_error", param=param)


def scope_required(scope: str) -> ApiError:
    return permission_denied(f"do this: it lacks the scope `{scope}`")


def model_not_found(model: str) -> ApiError:
    """404, the same words for a model that is unknown and for one that is hidden from the caller."""
    message = f"The model `{model[:200]}` does not exist or is not open to you. GET /v1/models lists those that are."
    return make_error(404, "model_not_found", message, param="model")


def no_model_allowed() -> ApiError:
    """403 for a caller whose lists of models leave out every model that is offered."""
    message = "None of the models here is open to you. Ask an administrator to add one to your list of models."
    return make_error(403, "no_model_allowed", message, "permission_error", param="model")


def not_found(path: str, advice: str) -> ApiError:
    return make_error(404, "not_found", f"There is nothing at {path[:200]}. {advice}")


def method_not_allowed(method: str, allowed: str) -> ApiError:
    return make_error(405, "method_not_allowed", f"{method[:20]} is not possible here. Use {allowed}.")


def request_too_large(limit: int) -> ApiError:
    message = f"The body is larger than {limit} bytes. Send fewer or shorter messages."
    return make_error(413, "request_too_large", message)


def headers_too_large(limit: int) -> ApiError:
    message = f"The headers are larger than {limit} bytes. Send fewer or shorter ones; in a browser, clear its cookies."
    return make_error(431, "headers_too_large", message)


def request_timeout(seconds: float) -> ApiError:
    """408 for a request that did not come whole in time; the connection is closed behind it."""
    message = f"The request did not come whole within {seconds:g} s. Send it at once, or smaller."
    return make_error(408, "request_timeout", message).with_headers({"connection": "close"})


def rate_limit_exceeded(retry_after: float, limit: str = "Too many requests.") -> ApiError:
    message = f"{limit} Try again in {max(1, math.ceil(retry_after))} s."
    return make_error(429, "rate_limit_exceeded", message, "rate_limit_error", retry_after=retry_after)


def insufficient_quota(message: str = "The token budget is used up.", param: str | None = None) -> ApiError:
    """429 that no retry can heal."""
    advice = "Wait for the next period or ask an administrator for more."
    return make_error(429, "insufficient_quota", f"{message} {advice}", "insufficient_quota", param=param, retry=False)


def model_loading(model: str, retry_after: float = 5.0) -> ApiError:
    message = f"The model `{model[:200]}` is being loaded. Try again in {max(1, math.ceil(retry_after))} s."
    return make_error(503, "model_loading", message, SERVER, param="model", retry_after=retry_after)


def server_overloaded(reason: str = "The queue is full.", retry_after: float = 2.0) -> ApiError:
    message = f"{reason} Try again in {max(1, math.ceil(retry_after))} s."
    return make_error(503, "overloaded", message, SERVER, retry_after=retry_after)


def engine_error(message: str = "The engine failed while it made this answer.", status: int = 502) -> ApiError:
    advice = "Send the request again; if it fails again, tell an administrator the x-request-id."
    return make_error(status, "engine_error", f"{message} {advice}", SERVER)


def internal_error() -> ApiError:
    message = "Jarvis failed on this request. Send it again; if it fails again, tell an administrator the x-request-id."
    return make_error(500, "internal_error", message, SERVER)


def timeout(seconds: float | None = None) -> ApiError:
    limit = f" within {seconds:g} s" if seconds else " in time"
    return make_error(
        504, "timeout", f"The answer was not ready{limit}. Ask for fewer tokens, or try again later.", SERVER
    )


_STATUS = {
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
    "model_not_found": 404,
    "internal_error": 500,
    "engine_error": 502,
    "model_loading": 503,
    "overloaded": 503,
    "timeout": 504,
}


def error_from_code(code: str, message: str, param: str | None = None) -> ApiError:
    """The error that a failed generation's row or log names by its code word."""
    status = _STATUS.get(code, 502)
    kind = REQUEST if status < 500 else SERVER
    return make_error(status, code, message, kind, param=param, retry_after=2.0 if status == 503 else None)
