"""The form of an answer: four ways to ask for it, and what an engine is told."""

import json

import pytest

from inference.openai.request import check_chat_request
from jarvis.lib.api_errors import ApiError

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
TOLD = {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}}
OBJECT = {"response_format": {"type": "json_object"}}
CHOICE = {"structured_outputs": {"choice": ["yes", "no"]}}


def check(**fields):
    return check_chat_request({"model": "m", "messages": [{"role": "user", "content": "Hello"}]} | fields)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"response_format": {"type": "text"}}, {}),
        (OBJECT, OBJECT),
        (TOLD, TOLD),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a b", "schema": {}, "strict": None}}},
         {"response_format": {"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}}}),
        ({"structured_outputs": {"json": SCHEMA}}, TOLD),
        ({"structured_outputs": {"json": json.dumps(SCHEMA), "choice": None}}, TOLD),
        ({"structured_outputs": {"json_object": True}}, OBJECT),
        (CHOICE, CHOICE),
        ({"guided_json": SCHEMA}, TOLD),
        ({"guided_json": json.dumps(SCHEMA), "response_format": {"type": "text"}}, TOLD),
        ({"guided_choice": ["yes", "no"]}, CHOICE),
    ],
)  # fmt: skip
def test_each_way_to_ask_becomes_one_that_engines_know(fields, told):
    request = check(**fields)
    names = ("response_format", "structured_outputs", "guided_json", "guided_choice")
    assert {name: value for name, value in request.engine_body().items() if name in names} == told
    assert request.can_continue is not bool(told)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"structured_outputs": {}}, "structured_outputs"),
        ({"structured_outputs": {"json_object": False}}, "structured_outputs"),
        ({"structured_outputs": {"json": SCHEMA, "choice": ["a"]}}, "structured_outputs"),
        ({"structured_outputs": {"regex": "a"}}, "structured_outputs.regex"),
        ({"structured_outputs": {"grammar": "root ::= root"}}, "structured_outputs.grammar"),
        ({"structured_outputs": {"structural_tag": "{}"}}, "structured_outputs.structural_tag"),
        ({"structured_outputs": {"json": "{"}}, "structured_outputs.json"),
        ({"structured_outputs": {"json": "[1]"}}, "structured_outputs.json"),
        ({"structured_outputs": {"json": {"type": "string", "pattern": "(a+)+"}}}, "structured_outputs.json"),
        ({"structured_outputs": {"choice": [""]}}, "structured_outputs.choice"),
        ({"structured_outputs": {"choice": "yes"}}, "structured_outputs.choice"),
        ({"structured_outputs": "json"}, "structured_outputs"),
        ({"guided_choice": []}, "guided_choice"),
        ({"guided_choice": ["x"] * 1001}, "guided_choice"),
        ({"guided_choice": ["x" * 70_000]}, "guided_choice"),
        ({"guided_choice": [1]}, "guided_choice[0]"),
        ({"guided_json": "no JSON"}, "guided_json"),
        ({"guided_json": {"enum": ["x" * 70_000]}}, "guided_json"),
        ({"guided_json": {"items": 5}}, "guided_json"),
        ({"guided_json": 5}, "guided_json"),
        ({"guided_json": SCHEMA, **OBJECT}, "guided_json"),
        ({"guided_choice": ["a"], **CHOICE}, "guided_choice"),
        ({"min_tokens": 11, "max_tokens": 10}, "min_tokens"),
        ({"min_tokens": -1}, "min_tokens"),
        ({"ignore_eos": "yes"}, "ignore_eos"),
        ({"response_format": {"type": "json_object", "schema": SCHEMA}}, "response_format.schema"),
    ],
)
def test_what_no_engine_could_keep_is_refused_and_named(fields, param):
    with pytest.raises(ApiError) as found:
        check(**fields)
    assert (found.value.status, found.value.param) == (400, param)


def test_what_a_benchmark_sends_reaches_the_engine():
    """As `vllm bench serve` asks."""
    request = check(
        max_completion_tokens=50,
        min_tokens=40,
        ignore_eos=True,
        stream=True,
        stream_options={"include_usage": True, "continuous_usage_stats": True},
        repetition_penalty=1.0,
    )
    body = request.engine_body()
    assert (body["max_tokens"], body["min_tokens"], body["ignore_eos"]) == (50, 40, True)
    assert request.can_continue
    rest = request.continuation_body([1], [2] * 30)
    assert (rest["max_tokens"], rest["min_tokens"], rest["ignore_eos"]) == (20, 10, True)
    assert "min_tokens" not in request.continuation_body([1], [2] * 45)
