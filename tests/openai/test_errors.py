"""Errors: shape, status, headers, and nothing of the engine's inside."""

import json

import pytest

from inference.openai.engine_errors import error_from_engine
from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError

EVERY = [
    (api_errors.invalid_request("x is wrong. Correct it.", "x"), 400, "invalid_request_error"),
    (api_errors.context_length_exceeded(2048, 3000), 400, "context_length_exceeded"),
    (api_errors.invalid_api_key(), 401, "invalid_api_key"),
    (api_errors.permission_denied("use this model"), 403, "permission_denied"),
    (api_errors.model_not_found("x"), 404, "model_not_found"),
    (api_errors.not_found("/v1/x", "Use /v1/models instead."), 404, "not_found"),
    (api_errors.method_not_allowed("GET", "POST"), 405, "method_not_allowed"),
    (api_errors.request_too_large(10), 413, "request_too_large"),
    (api_errors.rate_limit_exceeded(3.2), 429, "rate_limit_exceeded"),
    (api_errors.insufficient_quota(), 429, "insufficient_quota"),
    (api_errors.model_loading("guide"), 503, "model_loading"),
    (api_errors.server_overloaded(), 503, "overloaded"),
    (api_errors.engine_error(), 502, "engine_error"),
    (api_errors.engine_error(status=500), 500, "engine_error"),
    (api_errors.internal_error(), 500, "internal_error"),
    (api_errors.timeout(30), 504, "timeout"),
]


@pytest.mark.parametrize(("error", "status", "code"), EVERY, ids=[code for _, _, code in EVERY])
def test_every_error_has_the_shape_and_says_what_to_do(error, status, code):
    assert (error.status, error.code) == (status, code)
    body = json.loads(json.dumps(error.body()))["error"]
    assert set(body) == {"message", "type", "param", "code"}
    assert isinstance(body["type"], str)
    assert body["message"].endswith(".")
    assert ApiError.from_row(json.loads(json.dumps(error.to_row()))).body() == error.body()


def test_waiting_is_told_in_whole_seconds_and_milliseconds_and_a_spent_budget_forbids_retries():
    assert api_errors.rate_limit_exceeded(3.2).headers == {"retry-after": "4", "retry-after-ms": "3200"}
    assert api_errors.server_overloaded(retry_after=0.01).headers == {"retry-after": "1", "retry-after-ms": "10"}
    assert api_errors.insufficient_quota().headers == {"x-should-retry": "false"}
    assert api_errors.model_loading("guide").headers["retry-after"] == "5"
    assert api_errors.invalid_api_key().headers == {"www-authenticate": "Bearer"}


@pytest.mark.parametrize(
    "code",
    ["invalid_request_error", "context_length_exceeded", "overloaded", "model_loading", "timeout", "engine_error"],
)
def test_a_stored_code_word_gives_the_status_again(code):
    made = next(error for error, _, known in EVERY if known == code)
    found = api_errors.error_from_code(code, made.message, made.param)
    assert (found.status, found.body()) == (made.status, made.body())


def test_an_unknown_code_word_is_a_502():
    assert api_errors.error_from_code("engine_died_twice", "It failed.").status == 502


def vllm(message, status, kind="BadRequestError", param=None):
    return json.dumps({"error": {"message": message, "type": kind, "param": param, "code": status}})


@pytest.mark.parametrize(
    ("status", "body", "expected", "code", "param"),
    [
        (
            400,
            vllm(
                "This model's maximum context length is 2048 tokens. However, you requested 10 output tokens and your"
                " prompt contains at least 2050 input tokens, for a total of at least 2060 tokens.",
                400,
                param="input_tokens",
            ),
            400,
            "context_length_exceeded",
            "messages",
        ),
        (
            400,
            vllm("The decoder prompt (length 2050) is longer than the maximum model length of 2048.", 400),
            400,
            "context_length_exceeded",
            "messages",
        ),
        (
            400,
            '{"error":{"code":400,"message":"the request exceeds the available context size","type":"x"}}',
            400,
            "context_length_exceeded",
            "messages",
        ),
        (
            400,
            vllm('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', 400),
            400,
            "invalid_request_error",
            "tools",
        ),
        (
            400,
            vllm("token_id(s) [9999] in logit_bias contain out-of-vocab token ids. Vocabulary size: 512", 400),
            400,
            "invalid_request_error",
            "logit_bias",
        ),
        (
            400,
            vllm("max_tokens=9000 cannot be greater than max_model_len=2048. Please request fewer output tokens.", 400),
            400,
            "context_length_exceeded",
            "messages",
        ),
        (400, vllm("The grammar is too complex", 400), 400, "invalid_request_error", "response_format"),
        (400, vllm("min_p must be in [0, 1]", 400, param="min_p"), 400, "invalid_request_error", "min_p"),
        (422, '{"detail":[{"loc":["body"],"msg":"bad"}]}', 400, "invalid_request_error", None),
        (401, '{"error":"Unauthorized"}', 502, "engine_error", None),
        (404, vllm("The model `x` does not exist.", 404), 502, "engine_error", None),
        (429, "", 503, "overloaded", None),
        (503, "<html>busy</html>", 503, "overloaded", None),
        (500, vllm('Traceback File "/usr/lib/python3/vllm.py", secret-token', 500), 500, "engine_error", None),
        (502, b"\xff\xfe", 502, "engine_error", None),
        (504, "", 504, "timeout", None),
        (200, vllm("EngineCore encountered an issue at 0x7f00", 500), 500, "engine_error", None),
        (200, vllm("busy", 503), 503, "overloaded", None),
        (200, {"error": "boom"}, 500, "engine_error", None),
        (500, "[" * 100_000, 500, "engine_error", None),
    ],
)
def test_an_engines_error_is_told_in_our_words(status, body, expected, code, param):
    error = error_from_engine(status, body)
    assert (error.status, error.code, error.param) == (expected, code, param)
    for inside in ("--", "/usr", "0x", "secret", "Traceback", "EngineCore", "decoder"):
        assert inside not in error.message


def test_the_figures_of_a_context_error_are_kept():
    message = error_from_engine(
        400, vllm("maximum context length is 2048 tokens. However, you requested 3000 tokens", 400)
    )
    assert "2048" in message.message
    assert "3000" in message.message
