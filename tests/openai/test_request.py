"""Requests: what is accepted, what is refused, and that each refusal names the parameter."""

import ast
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from inference.openai.fields import ACCEPTED_FIELDS, IGNORED_FIELDS, OUR_FIELDS, REFUSED_FIELDS
from inference.openai.request import ChatRequest, check_chat_request, parse_chat_request
from inference.openai.validation import RequestLimits
from jarvis.lib.api_errors import ApiError

HELLO = [{"role": "user", "content": "Hello"}]
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def raw(**fields):
    return json.dumps({"model": "guide", "messages": HELLO} | fields).encode()


def parse(limits=None, **fields):
    return parse_chat_request(raw(**fields), limits=limits or RequestLimits())


def refused(body, limits=None):
    with pytest.raises(ApiError) as found:
        parse_chat_request(body, limits=limits or RequestLimits())
    return found.value


def schema(inner):
    return {"type": "json_schema", "json_schema": {"name": "s", "schema": inner}}


def deep(levels):
    inner: Any = {"type": "string"}
    for _ in range(levels):
        inner = {"type": "object", "properties": {"a": inner}}
    return inner


def engine_fields():
    """Names of the fields of vLLM's chat and completion requests, read from its source."""
    package = importlib.util.find_spec("vllm")
    if package is None or not package.submodule_search_locations:
        pytest.skip("vLLM is not installed")
    names = set()
    for kind, wanted in (("chat_completion", "ChatCompletionRequest"), ("completion", "CompletionRequest")):
        source = Path(package.submodule_search_locations[0], "entrypoints", "openai", kind, "protocol.py")
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.ClassDef) and node.name == wanted:
                fields = [item.target for item in node.body if isinstance(item, ast.AnnAssign)]
                names |= {f.id for f in fields if isinstance(f, ast.Name) and not f.id.startswith("_")}
    return names


def test_every_field_of_the_engine_is_decided_about():
    names = engine_fields()
    assert len(names) > 60
    assert names - ACCEPTED_FIELDS - IGNORED_FIELDS - REFUSED_FIELDS.keys() == set()


def test_no_field_is_in_two_tables():
    assert not ACCEPTED_FIELDS & IGNORED_FIELDS
    assert not (ACCEPTED_FIELDS | IGNORED_FIELDS) & REFUSED_FIELDS.keys()
    assert OUR_FIELDS < ACCEPTED_FIELDS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 0),
        ("temperature", 2),
        ("top_p", 0.1),
        ("top_k", -1),
        ("min_p", 0.5),
        ("stop", "end"),
        ("stop", ["a", "b"]),
        ("n", 8),
        ("seed", -5),
        ("presence_penalty", -2),
        ("frequency_penalty", 2.0),
        ("repetition_penalty", 1.1),
        ("logit_bias", {"5": -100}),
        ("logprobs", True),
        ("tools", [TOOL]),
        ("response_format", {"type": "json_object"}),
        ("response_format", schema({"type": "object", "properties": {"pattern": {"type": "string"}}})),
        ("reasoning_effort", "low"),
        ("chat_template_kwargs", {"enable_thinking": False}),
    ],
)
def test_an_accepted_field_reaches_the_engine_unchanged(name, value):
    assert parse(**{name: value}).engine_body()[name] == value


@pytest.mark.parametrize("name", sorted(IGNORED_FIELDS | {"user", "metadata", "priority", "modalities", "stream"}))
def test_what_means_nothing_to_the_engine_does_not_reach_it(name):
    values = {"metadata": {"a": "b"}, "priority": 5, "modalities": ["text"], "stream": False, "user": "x"}
    body = parse(RequestLimits(priority=True), **{name: values.get(name, "auto")}).engine_body()
    assert body.get(name) == (True if name == "stream" else None)  # the engine always streams


@pytest.mark.parametrize("name", [*sorted(REFUSED_FIELDS), "surprise", "__class__", "MESSAGES"])
def test_anything_else_is_refused_by_name(name):
    error = refused(raw(**{name: 1}))
    assert (error.status, error.param) == (400, name)
    assert refused(raw(**{name: False})).param == name


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"temperature": [1]}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"top_k": 1.5}, "top_k"),
        ({"top_k": -2}, "top_k"),
        ({"min_p": 1.1}, "min_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 4097}, "max_tokens"),
        ({"max_completion_tokens": 10**9}, "max_completion_tokens"),
        ({"stop": ""}, "stop"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"stop": "x" * 257}, "stop"),
        ({"stop": [1]}, "stop[0]"),
        ({"n": 0}, "n"),
        ({"n": 9}, "n"),
        ({"n": 2**62}, "n"),
        ({"n": 2, "temperature": 0}, "n"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"logit_bias": {"5": 101}}, "logit_bias[...]"),
        ({"logit_bias": {"-1": 1}}, "logit_bias"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"logit_bias": {"²": 1}}, "logit_bias"),
        ({"logit_bias": {"100": 1}}, "logit_bias"),
        ({"logit_bias": {str(i): 1 for i in range(2000)}}, "logit_bias"),
        ({"logit_bias": [1]}, "logit_bias"),
        ({"logprobs": 5}, "logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"surprise": True}}, "stream_options.surprise"),
        ({"tools": {}}, "tools"),
        ({"tools": [TOOL, TOOL]}, "tools"),
        ({"tools": [{"type": "custom", "custom": {}}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "other"}}}, "tool_choice"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "structural_tag", "format": {}}}, "response_format.type"),
        ({"response_format": schema(deep(40))}, "response_format.json_schema.schema"),
        ({"response_format": schema({"enum": ["x" * 70_000]})}, "response_format"),
        ({"chat_template_kwargs": {"template": "{{ 1 }}"}}, "chat_template_kwargs.template"),
        ({"metadata": {"a": "x" * 513}}, "metadata[...]"),
        ({"metadata": {str(i): "x" for i in range(17)}}, "metadata"),
        ({"user": "x" * 513}, "user"),
        ({"modalities": ["audio"]}, "modalities[0]"),
        ({"reasoning_effort": "extreme"}, "reasoning_effort"),
        ({"model": ""}, "model"),
        ({"model": None}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": HELLO * 5000}, "messages"),
        ({"messages": [{"role": "user", "content": "x" * 2_000_001}]}, "messages"),
    ],
)
def test_a_value_out_of_range_is_refused_and_named(fields, param):
    error = refused(raw(**fields), RequestLimits(vocabulary=100, max_tokens=4096))
    assert (error.status, error.code, error.param) == (400, "invalid_request_error", param)


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({}, "messages[0].role"),
        ({"role": "user"}, "messages[0].content"),
        ({"role": "wizard", "content": "x"}, "messages[0].role"),
        ({"role": "user", "content": None}, "messages[0].content"),
        ({"role": "user", "content": []}, "messages[0].content"),
        ({"role": "user", "content": "x", "name": "a<b"}, "messages[0].name"),
        ({"role": "user", "content": "x", "image_url": "http://x"}, "messages[0].image_url"),
        ({"role": "assistant"}, "messages[0].content"),
        ({"role": "tool", "content": "x"}, "messages[0].tool_call_id"),
        ({"role": "assistant", "tool_calls": [{"id": "1"}]}, "messages[0].tool_calls[0].function"),
        ("hello", "messages[0]"),
    ],
)
def test_a_message_of_the_wrong_shape_is_refused_and_named(message, param):
    assert refused(raw(messages=[message])).param == param


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}},
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
        {"type": "file", "file": {"file_id": "1"}},
        {"type": "video_url", "video_url": {"url": "file:///etc/passwd"}},
        {"type": "prompt_embeds", "data": ""},
        {"type": "image_embeds", "image_embeds": ""},
        {"type": "text", "text": "x", "image_url": "http://x"},
        {"image_url": "http://x"},
        "text",
    ],
)
def test_media_and_addresses_never_reach_the_engine(part):
    error = refused(raw(messages=[{"role": "user", "content": [{"type": "text", "text": "see"}, part]}]))
    assert error.status == 400
    assert error.param.startswith("messages[0].content[1]")


@pytest.mark.parametrize(
    "inner",
    [
        {"type": "string", "pattern": "(a+)+b"},
        {"type": "string", "pattern": "a{1,100000}"},
        {"type": "string", "pattern": "^[a-z]{0,129}$"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {"$ref": "#"},
        {"type": "array", "minItems": 1},
        {"type": "string", "pattern": "a{99999999999999}"},
        {"type": "string", "pattern": "(a{16}){16}{16}"},
        {"type": "string", "pattern": "["},
        {"type": "string", "pattern": "a" * 600},
        {"type": "string", "pattern": 5},
        {"type": "string", "maxLength": 10**9},
        {"type": "array", "minItems": 10**6},
        {"type": "array", "maxItems": True},
        {"patternProperties": {"(a*)*": {}}},
        {"$ref": "http://example.com/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"enum": list(range(1001))},
        {"anyOf": [{"enum": list(range(i))} for i in range(120)]},
        {"properties": ["a"]},
        {"items": 5},
    ],
)
def test_a_schema_that_could_take_the_engine_down_is_refused(inner):
    assert "schema" in refused(raw(response_format=schema(inner))).message
    tool = {"type": "function", "function": {"name": "f", "parameters": inner}}
    named = {"type": "function", "function": {"name": "f"}}
    for fields in ({"tools": [{"type": "function", "function": tool["function"] | {"strict": True}}]},
                   {"tools": [tool], "tool_choice": "required"}, {"tools": [tool], "tool_choice": named}):  # fmt: skip
        assert refused(raw(**fields)).param == "tools[0].function.parameters"
    assert "schema" in refused(raw(guided_json=inner)).message
    assert refused(raw(structured_outputs={"json": inner})).param == "structured_outputs.json"


def test_an_ordinary_schema_passes():
    address = {"type": "object", "properties": {"zip": {"type": "string", "pattern": "^[0-9]{5}$"}}}
    inner = {
        "type": "object",
        "$defs": {"address": address},
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 200, "title": "Name"},
            "colour": {"enum": ["red", "green"], "default": "red"},
            "home": {"$ref": "#/$defs/address"},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 10},
            "size": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]},
        },
        "required": ["name"],
        "additionalProperties": False,
    }
    assert parse(response_format=schema(inner)).fields["response_format"]["json_schema"]["schema"] == inner


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"model": "\xff"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"temperature": NaN}',
        b'{"temperature": -Infinity}',
        b'{"temperature": 1e999}',
        b'{"seed": ' + b"9" * 5000 + b"}",
        b'{"seed": 9223372036854775808}',
        b'{"model": "a\x00b"}',
    ],
)
def test_what_is_not_clean_json_is_refused(body):
    error = refused(body)
    assert (error.status, error.code) == (400, "invalid_request_error")
    error.body()["error"]["message"].encode()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"model": "a", "model": "b", "messages": []}', "model"),
        (b'{"model": "a", "messages": [{"role": "user", "role": "system", "content": "x"}]}', "role"),
        (b'{"model": "a", "messages": [{"role": "user", "content": "x\\u0000"}]}', "messages[0].content"),
        (b'{"model": "a", "messages": [{"role": "user", "content": "\\ud800"}]}', "messages[0].content"),
        (b'{"model": "a", "messages": [], "metadata": {"\\udfff": "x"}}', "metadata.?"),
        (b'{"model": "a", "messages": [], "\\u0000": 1}', "?"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_named(body, param):
    error = refused(body)
    assert (error.status, error.param) == (400, param)
    json.dumps(error.body()).encode()


def test_escapes_that_only_look_dangerous_pass():
    content = "a backslash \\u0000, \\ud800, and 😀"
    body = json.dumps({"model": "a", "messages": [{"role": "user", "content": content}]}).encode()
    assert parse_chat_request(body).messages[0]["content"] == content


def test_an_answer_can_be_sent_back_as_it_came():
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    answer = {"role": "assistant", "content": None, "refusal": None, "annotations": [], "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "rain"}]}
    sent = parse(messages=[*HELLO, answer, result], tools=[TOOL]).messages
    assert sent == [*HELLO, {"role": "assistant", "tool_calls": [call]}, result]


def test_arguments_of_a_call_may_not_be_nested_without_end():
    call = {"id": "1", "function": {"name": "f", "arguments": "[" * 5000}}
    error = refused(raw(messages=[{"role": "assistant", "tool_calls": [call]}]))
    assert error.param == "messages[0].tool_calls[0].function.arguments"


def test_developer_is_system_to_the_engine():
    sent = parse(messages=[{"role": "developer", "content": "Be brief."}, *HELLO]).messages
    assert sent[0] == {"role": "system", "content": "Be brief."}


def test_priority_needs_the_right():
    error = refused(raw(priority=5))
    assert (error.status, error.code, error.param) == (403, "permission_denied", "priority")
    assert parse(RequestLimits(priority=True), priority=5).priority == 5
    assert parse(priority=0).priority == 0


def test_null_is_as_good_as_absent():
    nulls = dict.fromkeys([*ACCEPTED_FIELDS, *IGNORED_FIELDS, *REFUSED_FIELDS, "surprise"])
    assert parse(**nulls | {"model": "guide", "messages": HELLO}) == parse()


def test_both_names_of_the_token_limit_become_one():
    assert parse(max_completion_tokens=7).engine_body()["max_tokens"] == 7
    assert parse(max_completion_tokens=7, max_tokens=9).max_tokens == 7
    assert parse().max_tokens is None
    assert parse().engine_body(max_tokens=50)["max_tokens"] == 50
    assert parse(max_tokens=9).engine_body(max_tokens=50)["max_tokens"] == 9


def test_the_engine_always_streams_with_usage_and_the_client_decides_for_itself():
    request = parse(stream=True, stream_options={"include_usage": True, "include_obfuscation": False})
    assert (request.stream, request.include_usage) == (True, True)
    assert (parse().stream, parse().include_usage) == (False, False)
    for body in (request.engine_body(), parse().engine_body()):
        assert body["stream"] is True
        assert body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("fields", "continuable"),
    [
        ({}, True),
        ({"temperature": 0, "top_p": 0.5, "seed": 1, "max_tokens": 5}, True),
        ({"n": 1, "logprobs": False, "stop": [], "response_format": {"type": "text"}}, True),
        ({"frequency_penalty": 0.5}, True),
        ({"frequency_penalty": 0.5, "temperature": 0}, False),
        ({"tools": [TOOL]}, False),
        ({"tools": [TOOL], "tool_choice": "none"}, False),
        ({"n": 2}, False),
        ({"logprobs": True}, False),
        ({"response_format": {"type": "json_object"}}, False),
        ({"stop": "x"}, False),
    ],
)
def test_only_plain_text_can_be_continued(fields, continuable):
    request = parse(**fields)
    assert request.can_continue is continuable
    assert ("return_token_ids" in request.engine_body()) is continuable


def test_a_continuation_asks_for_the_rest():
    body = parse(max_tokens=10, temperature=0, user="u").continuation_body([1, 2], [3, 4, 5], model="engine-name")
    assert body == {
        "model": "engine-name",
        "prompt": [1, 2, 3, 4, 5],
        "max_tokens": 7,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_token_ids": True,
    }
    assert parse().continuation_body([1], [2])["max_tokens"] is None


def test_a_request_comes_back_from_its_row():
    request = parse(RequestLimits(priority=True), stream=True, metadata={"a": "b"}, user="u", priority=3, tools=[TOOL])
    assert ChatRequest.from_row(json.loads(json.dumps(request.to_row()))) == request


def test_an_answer_can_be_made_to_go_on_from_inside_and_never_from_outside():
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
    body = check_chat_request({"model": "m", "messages": messages}).as_continuation().engine_body()
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
    assert body["return_token_ids"]  # it survives the death of a worker like any other
    for name in ("continue_final_message", "add_generation_prompt"):
        with pytest.raises(ApiError):
            check_chat_request({"model": "m", "messages": messages, name: True})
