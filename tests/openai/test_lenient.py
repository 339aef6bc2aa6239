"""What clients put into messages and tools of their own is passed over; what comes back is what engines take."""

import json
from typing import Any

import pytest

from inference.openai.request import check_chat_request
from jarvis.lib.api_errors import ApiError

HELLO: dict[str, Any] = {"role": "user", "content": "Hello"}
CALL: dict[str, Any] = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
RESULT: dict[str, Any] = {"role": "tool", "tool_call_id": "c1", "content": "22"}
SAID: dict[str, Any] = {"role": "assistant", "content": "Hi"}


def check(**fields):
    return check_chat_request({"model": "m", "messages": [HELLO]} | fields)


def engine_view(*messages):
    return check(messages=list(messages)).messages


def find_refusal(**fields):
    with pytest.raises(ApiError) as found:
        check(**fields)
    assert found.value.status == 400
    return found.value


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (SAID | {"finish_reason": "stop"}, SAID),
        (SAID | {"provider_specific_fields": {"a": [1]}, "id": "x", "created": 5, "model": "m", "usage": None}, SAID),
        (SAID | {"annotations": [{"type": "url_citation"}], "audio": {"id": "a"}, "function_call": None}, SAID),
        (SAID | {"tool_calls": []}, SAID),
        (SAID | {"tool_calls": None, "refusal": None, "name": "", "images": []}, SAID),
        (SAID | {"reasoning_details": [{"type": "reasoning.text", "text": "r"}], "reasoning": "r"},
         SAID | {"reasoning": "r"}),
        (SAID | {"reasoning_content": "r", "reasoning": None}, SAID | {"reasoning": "r"}),
        (SAID | {"reasoning_content": "r", "reasoning": "r", "thinking_blocks": []}, SAID | {"reasoning": "r"}),
        (SAID | {"reasoning": {"summary": "r"}, "reasoning_content": ["r"]}, SAID),
        ({"role": "assistant", "content": None, "tool_calls": []}, SAID | {"content": ""}),
        ({"role": "assistant", "content": []}, SAID | {"content": ""}),
        ({"role": "assistant", "content": [], "tool_calls": [CALL]}, {"role": "assistant", "tool_calls": [CALL]}),
        ({"role": "assistant", "content": None, "reasoning": "r"}, SAID | {"content": "", "reasoning": "r"}),
        ({"role": "assistant", "reasoning_content": "r"}, SAID | {"content": "", "reasoning": "r"}),
        ({"role": "assistant", "content": [{"type": "thinking", "thinking": "r", "signature": "s"},
                                           {"type": "redacted_thinking", "data": "x"},
                                           {"type": "text", "text": "Hi"}]},
         SAID | {"content": [{"type": "text", "text": "Hi"}], "reasoning": "r"}),
        ({"role": "assistant", "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "r"}]}]},
         SAID | {"content": "", "reasoning": "r"}),
        ({"role": "assistant", "content": [{"type": "output_text", "text": "Hi", "annotations": []}]},
         SAID | {"content": [{"type": "text", "text": "Hi"}]}),
        ({"role": "assistant", "content": [{"type": "refusal", "refusal": "No"}]},
         SAID | {"content": [{"type": "text", "text": "No"}]}),
        ({"role": "assistant", "content": None, "refusal": "No"}, SAID | {"content": "No"}),
        ({"role": "assistant", "content": "", "tool_calls": [CALL | {"index": 0, "extra_content": {"google": {}}}]},
         {"role": "assistant", "content": "", "tool_calls": [CALL]}),
        ({"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {"a": "é"}}}]},
         {"role": "assistant", "tool_calls": [CALL | {"function": {"name": "f", "arguments": '{"a":"é"}'}}]}),
        ({"role": "assistant", "tool_calls": [{"id": "c1", "type": None, "function": {"name": "f", "arguments": ""}}]},
         {"role": "assistant", "tool_calls": [CALL]}),
        ({"role": "assistant", "tool_calls": [CALL | {"id": "c" * 3000, "function": {"name": "no such tool"}}]},
         {"role": "assistant", "tool_calls": [
             {"id": "c" * 3000, "type": "function", "function": {"name": "no such tool", "arguments": "{}"}}]}),
        (RESULT | {"content": None}, RESULT | {"content": ""}),
        (RESULT | {"content": []}, RESULT | {"content": ""}),
        (RESULT | {"content": [{"type": "text", "text": "22", "cache_control": {}}], "is_error": False},
         RESULT | {"content": [{"type": "text", "text": "22"}]}),
        ({"role": "tool", "tool_call_id": "c1"}, RESULT | {"content": ""}),
        (HELLO | {"id": 5, "opts": {"visible": True}, "cache_control": {"type": "ephemeral"}}, HELLO),
        (HELLO | {"content": [{"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}, "uuid": 1}]},
         HELLO | {"content": [{"type": "text", "text": "Hello"}]}),
        (HELLO | {"content": [{"type": "input_text", "text": "Hello"}]},
         HELLO | {"content": [{"type": "text", "text": "Hello"}]}),
        (HELLO | {"image_url": None, "images": []}, HELLO),
        ({"role": "system", "content": None}, {"role": "system", "content": ""}),
        ({"role": "developer", "content": [], "x": 1}, {"role": "system", "content": ""}),
    ],
)  # fmt: skip
def test_a_message_reaches_the_engine_as_engines_know_it(given, expected):
    assert engine_view(HELLO, given)[1] == expected


@pytest.mark.parametrize("name", ["José", "李明", "O'Brien", "a.b@c.d", "Ünï-_:+", "नमस्ते", "x" * 256])
def test_a_name_may_have_any_letters(name):
    assert engine_view(HELLO | {"name": name}) == [HELLO | {"name": name}]


@pytest.mark.parametrize(
    "name", ["two words", "a\tb", "a<b", "a|b", "a\\b", "a/b", "a>b", "\u3000", "a\u0007", "a\u00a0b"]
)
def test_a_name_that_cannot_be_is_refused_in_words(name):
    error = find_refusal(messages=[HELLO | {"name": f"two{name}words"}])
    assert error.param == "messages[0].name"
    assert "blanks" in error.message
    for sign in ("regex", "\\A", "\\s", "`str"):
        assert sign not in error.message


@pytest.mark.parametrize(
    "name", ["weather", "mcp__server__tool", "f.g", "server:tool", "a/b", "día", "天気", "f" * 128]
)
def test_a_tool_may_have_any_name_that_is_one_word(name):
    fields = check(tools=[{"type": "function", "function": {"name": name}}]).fields
    assert fields["tools"] == [{"type": "function", "function": {"name": name}}]


@pytest.mark.parametrize("name", ["", "a b", 'a"b', "a\nb", "f" * 129, 5])
def test_a_tool_without_a_usable_name_is_refused_in_words(name):
    error = find_refusal(tools=[{"type": "function", "function": {"name": name}}])
    assert error.param == "tools[0].function.name"
    assert "regex" not in error.message


def test_types_are_told_in_words():
    assert "expected text or list, got whole number" in find_refusal(messages=[HELLO | {"content": 5}]).message
    assert "expected number, got text" in find_refusal(temperature="hot").message


DEEP: Any = {"type": "string"}
for _ in range(40):
    DEEP = {"type": "object", "properties": {"a": DEEP}}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "maxLength": 65536},
        {"type": "string", "maxLength": 2**53},
        {"type": "string", "pattern": "^[a-z0-9]+(?:-[a-z0-9]+)*$"},
        {"type": "string", "pattern": "^\\p{L}+$"},
        {"type": "string", "pattern": "(?<year>[0-9]{4})" + "a" * 600},
        {"type": "string", "pattern": "^.{1,255}$"},
        {"enum": [f"v{i}" for i in range(1500)]},
        {"type": "array", "minItems": 1},
        {"type": "array", "maxItems": 100_000, "items": {}},
        {"$ref": "#"},
        {"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#/definitions/a"}}},
        {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(3000)}},
        {
            "type": ["string", "null"],
            "nullable": True,
            "x-order": 1,
            "$schema": "http://json-schema.org/draft-07/schema#",
        },
        {"properties": {"x": None}, "items": 5},
        DEEP,
    ],
)
@pytest.mark.parametrize("choice", [None, "auto", "none", "other"])
def test_the_schema_of_a_tool_that_nothing_enforces_is_the_models_business(schema, choice):
    tool = {
        "type": "function",
        "function": {"name": "save", "parameters": {"type": "object", "properties": {"x": schema}}},
    }
    other = {"type": "function", "function": {"name": "other", "parameters": {}, "strict": True}}
    if choice == "other":
        choice = {"type": "function", "function": {"name": "other"}, "x": 1}
    fields = check(tools=[tool, other], tool_choice=choice).fields
    assert fields["tools"] == [tool, other]


@pytest.mark.parametrize("ref", ["http://example.com/s.json", "HTTPS://x/", "file:///etc/passwd", "//host/s"])
def test_the_schema_of_a_tool_never_points_elsewhere(ref):
    schema = {"type": "object", "properties": {"x": {"anyOf": [{"$ref": ref}]}}}
    error = find_refusal(tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}])
    assert error.param == "tools[0].function.parameters"


def test_the_schema_of_a_tool_is_not_nested_without_end():
    deep: Any = {}
    for _ in range(200):
        deep = {"items": [deep]}
    error = find_refusal(tools=[{"type": "function", "function": {"name": "f", "parameters": deep}}])
    assert error.param == "tools[0].function.parameters"


def test_what_clients_put_into_tools_is_passed_over():
    function = {"name": "f", "description": "d" * 30_000, "parameters": {"type": "object"}, "strict": False}
    given = {"function": function | {"cache_control": {}, "inputSchema": {}}, "cache_control": {"type": "ephemeral"}}
    assert check(tools=[given]).fields["tools"] == [{"type": "function", "function": function}]


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": []},
        {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True},
        {"tools": [], "tool_choice": "none"},
        {"tool_choice": "none"},
        {"stop": [], "logit_bias": {}, "metadata": {}, "modalities": [], "stream_options": {}},
        {"chat_template_kwargs": {}, "min_tokens": 0, "ignore_eos": False},
        {"functions": [], "documents": [], "bad_words": [], "stop_token_ids": []},
        {"chat_template_kwargs": {"enable_thinking": None}, "stream_options": {"include_usage": None}},
    ],
)
def test_what_is_empty_says_nothing(fields):
    assert check(**fields) == check()
    assert check(**fields).can_continue


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "f"}}])
def test_a_tool_that_must_be_called_has_to_be_there(choice):
    assert find_refusal(tools=[], tool_choice=choice).param == "tool_choice"


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (HELLO | {"image_url": "http://x"}, "messages[0].image_url"),
        (HELLO | {"images": ["data:"]}, "messages[0].images"),
        (HELLO | {"audio": {"id": "a"}}, "messages[0].audio"),
        (RESULT | {"file": "f"}, "messages[0].file"),
        (SAID | {"content": [{"type": "text", "text": "", "image_url": "x"}]}, "messages[0].content[0].image_url"),
        (HELLO | {"content": [{"type": "image", "source": {}}]}, "messages[0].content[0]"),
        ({"role": "assistant", "content": None, "function_call": {"name": "f"}}, "messages[0].function_call"),
        ({"role": "assistant", "content": None, "tool_calls": [CALL | {"type": "custom"}]},
         "messages[0].tool_calls[0].type"),
        ({"role": "function", "name": "f", "content": "x"}, "messages[0].role"),
    ],
)  # fmt: skip
def test_what_a_model_would_not_see_is_refused(message, param):
    assert find_refusal(messages=[message]).param == param


@pytest.mark.parametrize(("given", "engine"), [(0, 1e-6), (0.0, 1e-6), (1e-9, 1e-9), (1, 1), (0.5, 0.5)])
def test_every_top_p_from_0_to_1_is_taken(given, engine):
    assert check(top_p=given).engine_body()["top_p"] == engine


def test_a_whole_number_may_be_written_with_a_point():
    body = json.loads(b'{"max_tokens": 5.0, "seed": 1.0, "n": 2.0, "top_k": 4e1}')
    fields = check(**body).fields
    assert [(name, type(fields[name])) for name in body] == [(name, int) for name in body]
