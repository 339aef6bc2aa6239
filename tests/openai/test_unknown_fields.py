"""What a server says that does not know a field, in the words of many servers, and what it is sent then."""

import json
from typing import Any

import pytest

from inference.openai.engine_errors import error_from_engine, parse_error_body, quote_refusal
from inference.openai.unknown_fields import find_unknown_field, leave_out

BODY: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "user", "content": "Hello", "name": "Ana"},
        {"role": "assistant", "content": "Hi", "reasoning": "r"},
    ],
    "max_tokens": 5,
    "temperature": 0.5,
    "top_k": 5,
    "min_p": 0.1,
    "seed": 1,
    "n": 2,
    "stop": ["x"],
    "tools": [{"type": "function", "function": {"name": "f", "strict": True}}],
    "response_format": {"type": "json_object"},
    "stream": True,
    "stream_options": {"include_usage": True},
    "return_token_ids": True,
}


def openai(message, param=None, code=None):
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def forbidden(*place):
    return {"detail": [{"type": "extra_forbidden", "loc": list(place), "msg": "Extra inputs are not permitted"}]}


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (openai("Unrecognized request argument supplied: return_token_ids"), "return_token_ids"),
        (openai("Unrecognized request arguments supplied: min_p, top_k"), "min_p"),
        (openai("Unknown parameter: 'return_token_ids'.", "return_token_ids", "unknown_parameter"), "return_token_ids"),
        (openai("Unknown parameter: 'stream_options.include_usage'.", "stream_options.include_usage"),
         "stream_options"),
        (openai("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
                "instead.", "max_tokens", "unsupported_parameter"), "max_tokens"),
        (openai("`return_token_ids` is not accepted. Token ids are the gateway's own business.", "return_token_ids"),
         "return_token_ids"),
        (openai("Unknown parameter `top_k`. Remove it.", "top_k"), "top_k"),
        (openai("property 'return_token_ids' is unsupported"), "return_token_ids"),
        (openai("body.min_p: property 'body.min_p' is unsupported", "body.min_p"), "min_p"),
        (openai("'messages.1' : for 'role:assistant' the following must be satisfied[('messages.1' : property "
                "'reasoning' is unsupported)]"), "reasoning"),
        (openai("Unknown parameter: 'tools[0].function.strict'.", "tools[0].function.strict"), "strict"),
        (openai("Additional properties are not allowed ('seed' was unexpected)"), "seed"),
        (openai("return_token_ids must be false"), "return_token_ids"),
        (openai("'response_format' is not supported by this model", "response_format"), "response_format"),
        (openai("this model does not support `n` above 1", "n"), "n"),
        (forbidden("body", "return_token_ids"), "return_token_ids"),
        (forbidden("body", "messages", 1, "assistant", "reasoning"), "reasoning"),
        ({"object": "error", "message": forbidden("body", "top_k"), "type": "invalid_request_error"}, "top_k"),
        ({"detail": [{"type": "missing", "loc": ["body", "x"], "msg": "Field required"},
                     {"type": "extra_forbidden", "loc": ["body", "min_p"], "msg": "Extra inputs are not permitted"}]},
         "min_p"),
        ([{"error": {"code": 400, "message": 'Invalid JSON payload received. Unknown name "return_token_ids": Cannot '
                     'find field.', "status": "INVALID_ARGUMENT"}}], "return_token_ids"),
        ("Failed to deserialize the JSON body into the target type: unknown field `return_token_ids`, expected one of "
         "`messages`, `model`, `max_tokens` at line 1 column 9", "return_token_ids"),
        ({"error": 'json: unknown field "return_token_ids"'}, "return_token_ids"),
        ({"message": "Extra inputs are not permitted, field: 'top_k', value: 5"}, "top_k"),
        ({"error": {"message": "Extra inputs are not permitted, field: 'top_k'", "param": None}}, "top_k"),
        (openai("Unsupported value: 'temperature' does not support 0.5 with this model. Only the default (1) value is "
                "supported.", "temperature", "unsupported_value"), None),
        (openai("This model's maximum context length is 10 tokens. However, you requested 20 tokens."), None),
        (openai("Unexpected role 'user' after role 'tool'"), None),
        (openai("The model `m` does not exist or you do not have access to it."), None),
        (openai("max_tokens must be at least 1"), None),
        (openai("Unknown parameter: 'surprise'.", "surprise"), None),
        (openai("temperature must be between 0 and 1, other values are not supported", "temperature"), None),
        (openai(""), None),
        ("<html>Unknown return_token_ids</html>", None),
    ],
)  # fmt: skip
def test_what_a_server_does_not_know_is_found_in_its_refusal(body, name):
    said, param, _ = parse_error_body(body if isinstance(body, str) else json.dumps(body))
    assert find_unknown_field(said, param, BODY) == name


def test_only_what_was_sent_can_be_unknown():
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}
    for name in ("return_token_ids", "top_k", "reasoning", "strict"):
        assert find_unknown_field(f"Unknown parameter: '{name}'.", name, body) is None


def test_what_is_unknown_is_left_out_and_the_request_stays_as_it_was():
    before = json.dumps(BODY)
    known = leave_out(BODY, {"return_token_ids", "top_k", "max_tokens", "reasoning", "strict", "surprise"})
    assert known == {
        **{name: value for name, value in BODY.items() if name not in ("return_token_ids", "top_k", "max_tokens")},
        "max_completion_tokens": 5,
        "messages": [BODY["messages"][0], {"role": "assistant", "content": "Hi"}],
        "tools": [{"type": "function", "function": {"name": "f"}}],
    }
    assert json.dumps(BODY) == before
    assert leave_out(BODY, set()) is BODY


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Unknown parameter: 'top_k'.", "Unknown parameter: 'top_k'."),
        ("This model's limit is 5", "This model's limit is 5"),
        ("Input should be a number, input_value='my secret'", "Input should be a number, input_value=…"),
        ('near "the secret words", and "more', "near …, and …"),
        ("x" * 1000, "x" * 300),
    ],
)
def test_a_log_has_a_servers_sentence_without_what_it_quotes(said, kept):
    assert quote_refusal(said) == kept


@pytest.mark.parametrize(
    ("body", "asked", "param"),
    [
        (openai("bad value", "messages[1].content"), {"messages"}, "messages[1].content"),
        (openai("bad value", "min_p"), {"min_p"}, "min_p"),
        (openai("bad value", "min_p"), {"messages"}, None),
        (openai("min_tokens must be less than or equal to max_tokens=5, got 6."), {"min_tokens"}, "min_tokens"),
        (openai("bad value", "stream_options"), {"messages"}, None),
        ({"detail": [{"loc": ["body", "messages", 0, "content"], "msg": "bad"}]}, {"messages"}, "messages.0.content"),
        (openai("Conversation roles must alternate user/assistant"), {"messages"}, "messages"),
        (openai("The grammar is too complex"), {"tools", "messages"}, "tools"),
        (openai("Invalid JSON schema"), {"response_format", "tools"}, "response_format"),
        (openai("xgrammar failed"), {"messages"}, None),
        (openai("bad", "<script>"), {"messages"}, None),
    ],
)
def test_a_refusal_names_the_parameter_where_the_caller_sent_it(body, asked, param):
    error = error_from_engine(400, json.dumps(body), asked)
    assert (error.status, error.code, error.param) == (400, "invalid_request_error", param)


def test_a_context_that_the_server_does_not_tell_is_that_of_the_model():
    error = error_from_engine(400, json.dumps(openai("the request exceeds the available context size")), (), 2048)
    assert (error.code, error.param) == ("context_length_exceeded", "messages")
    assert "This model's maximum context length is 2048 tokens" in error.message
