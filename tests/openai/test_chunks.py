"""Answers are what the official client's own types accept."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from inference.openai import chunks
from inference.openai.accumulate import Accumulator
from inference.openai.chunks import DONE, KEEP_ALIVE, OpenAIStreamFormat
from jarvis.lib.api_errors import server_overloaded


def shape(include_usage=False):
    return OpenAIStreamFormat("chatcmpl-1", 1_700_000_000, 'a "model"', include_usage, "fp_1")


def read_chunk(value) -> Any:
    """As the official client reads it."""
    return ChatCompletionChunk.model_validate(value)


def read(data):
    """The values of a run of events, each checked to be one line of data and one blank line."""
    events = data.split(b"\n\n")
    assert events.pop() == b""
    assert all(event.startswith(b"data: ") and b"\n" not in event for event in events)
    return [json.loads(event[6:]) for event in events]


@given(st.text())
def test_any_text_comes_through_a_chunk(text):
    (value,) = read(shape().text(text))
    chunk = ChatCompletionChunk.model_validate(value)
    assert (chunk.id, chunk.created, chunk.model) == ("chatcmpl-1", 1_700_000_000, 'a "model"')
    assert chunk.choices[0].delta.content == text
    assert chunk.choices[0].finish_reason is None


def test_a_stream_has_role_text_finish_and_usage():
    made = shape(include_usage=True)
    data = made.role() + made.text("hi") + made.finish("stop") + made.usage(chunks.usage_fields(5, 2, cached=3))
    values = read(data)
    role, text, finish, usage = [read_chunk(value) for value in values]
    assert role.choices[0].delta.role == "assistant"
    assert text.choices[0].delta.role is None
    assert finish.choices[0].finish_reason == "stop"
    assert usage.choices == []
    assert (usage.usage.total_tokens, usage.usage.prompt_tokens_details.cached_tokens) == (7, 3)
    assert [value["usage"] for value in values[:3]] == [None] * 3
    assert {(value["id"], value["created"], value["system_fingerprint"]) for value in values} == {
        ("chatcmpl-1", 1_700_000_000, "fp_1")
    }


def test_usage_is_not_named_where_nobody_asked():
    made = shape()
    delta = {"index": 0, "delta": {"reasoning": "r"}}
    values = read(made.role() + made.text("x") + made.finish("stop") + made.choices([delta]))
    assert len(values) == 4
    assert not [value for value in values if "usage" in value]


def test_each_choice_opens_with_a_role():
    roles = [ChatCompletionChunk.model_validate(value).choices[0] for value in read(shape().role(3))]
    assert [(choice.index, choice.delta.role) for choice in roles] == [
        (0, "assistant"),
        (1, "assistant"),
        (2, "assistant"),
    ]


def test_choices_pass_without_role_and_with_an_index_on_every_call():
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    delta = {"role": "assistant", "content": None, "tool_calls": [call, call]}
    (value,) = read(shape().choices([{"index": 1, "delta": delta, "finish_reason": "tool_calls"}]))
    choice = read_chunk(value).choices[0]
    assert (choice.index, choice.finish_reason, choice.delta.role) == (1, "tool_calls", None)
    assert [found.index for found in choice.delta.tool_calls] == [0, 1]


def test_a_choice_that_says_nothing_is_no_event():
    assert shape().choices([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]) == b""


def test_a_broken_stream_ends_with_an_error_object():
    data = shape().error_event(server_overloaded())
    assert data.endswith(b"data: [DONE]\n\n")
    (value,) = read(data.removesuffix(DONE))
    assert value["error"]["code"] == "overloaded"
    assert KEEP_ALIVE.startswith(b":")
    assert KEEP_ALIVE.endswith(b"\n\n")


@pytest.mark.parametrize("n", [1, 2])
def test_a_whole_answer_is_a_chat_completion(n):
    accumulator = Accumulator()
    for index in range(n):
        accumulator.add_choices([{"index": index, "delta": {"content": f"t{index}"}, "finish_reason": "stop"}])
    value = chunks.build_completion("chatcmpl-1", 1, "m", accumulator.choices(), chunks.usage_fields(3, n, reasoning=1))
    answer: Any = ChatCompletion.model_validate(json.loads(json.dumps(value)))
    assert [choice.message.content for choice in answer.choices] == [f"t{i}" for i in range(n)]
    assert answer.usage.completion_tokens_details.reasoning_tokens == 1


def test_models_are_listed_as_the_client_reads_them():
    listed = chunks.models_list([chunks.model_object("guide", 1, 2048), chunks.model_object("other", 2)])
    assert [Model.model_validate(model).id for model in listed["data"]] == ["guide", "other"]
    assert listed["data"][0]["max_model_len"] == 2048
    assert "max_model_len" not in listed["data"][1]
