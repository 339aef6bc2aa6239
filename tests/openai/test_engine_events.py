"""What engines say: mended where it is clear what it means, refused with a reason where it is not."""

import json
import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.openai.accumulate import Accumulator
from inference.openai.engine_events import EventReader
from inference.openai.engine_values import Counts, UnreadableEvent, read_models
from tests.support.odd_events import EVENT


def read(*choices, n=1, logprobs=False):
    """The whole choices that an engine's choices, one an event, come to."""
    reader, accumulator = EventReader(n, logprobs=logprobs), Accumulator()
    for choice in choices:
        accumulator.add_choices(reader.read(json.dumps({"choices": [choice]}).encode()).public_choices())
    reader.check_whole()
    return accumulator.choices()


def message(*deltas, **options):
    [choice] = read(*({"index": 0, "delta": delta} for delta in deltas), **options)
    return choice["message"]


def calls(*deltas):
    """Name and arguments of each call, and how many ids there are."""
    found = message(*({"tool_calls": delta} for delta in deltas)).get("tool_calls", [])
    assert all(isinstance(call["id"], str) and call["id"] for call in found)
    assert len({call["id"] for call in found}) == len(found)
    return [(call["function"]["name"], call["function"]["arguments"]) for call in found]


def call(name=None, arguments="{}", **fields):
    return fields | {"function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"town": "Bilbao"}, '{"town":"Bilbao"}'),  # as Ollama gives them
        ({"town": "Donostia é"}, '{"town":"Donostia é"}'),
        ([1, 2], "[1,2]"),
        ({}, "{}"),
        (None, ""),
        ("", ""),
        (5, "5"),
        ('{"a"', '{"a"'),
    ],
)
def test_arguments_come_out_as_json_text(value, expected):
    assert calls([call("f", value, index=0, id="c1")]) == [("f", expected)]


@pytest.mark.parametrize("index", [None, 0, "0", 0.0, -1, True, 2**70, [0], {"a": 1}, "x"])
def test_an_odd_index_of_a_call_loses_nothing(index):
    assert calls([call("f", '{"a":', index=index, id="c1")], [call(None, "1}", index=index, id="c1")]) == [
        ("f", '{"a":1}')
    ]


TWO = [("f", '{"a":1}'), ("f", '{"a":2}')]


@pytest.mark.parametrize(
    "deltas",
    [
        [[call("f", '{"a":1}', index=0, id="x"), call("f", '{"a":2}', index=0, id="y")]],  # one index for both
        [[call("f", '{"a":1}', id="x"), call("f", '{"a":2}', id="y")]],  # none
        [[call("f", '{"a":1}', index=0)], [call("f", '{"a":2}', index=0)]],  # no ids either
        [[call("f", {"a": 1})], [call("f", {"a": 2})]],
        [[call("f", '{"a":1}', index=0), call("f", '{"a":2}', index=1)]],
        [[call("f", "", index=0, id="x")], [call("f", "", index=1, id="y")],
         [call(None, '{"a":1}', index=0)], [call(None, '{"a":2}', index=1)]],  # mixed
        [[call("f", "", id="x")], [call(None, '{"a":1}', id="x")], [call("f", "", id="y")],
         [call(None, '{"a":2}', id="y")]],
        [[call("f", '{"a"', index=0)], [call("f", ":1}", index=0)], [call("f", '{"a":2}', index=0)]],  # name repeated
        [[call("f", '{"a":1}', index=7, id="x"), call("f", '{"a":2}', index=9, id="y")]],
        [[{"name": "f", "arguments": {"a": 1}}, {"name": "f", "arguments": {"a": 2}}]],  # without `function`
    ],
)  # fmt: skip
def test_parallel_calls_stay_apart(deltas):
    assert calls(*deltas) == TWO


@pytest.mark.parametrize("value", [call("f", id="c"), [call("f", id="c"), None], json.dumps([call("f", id="c")])])
def test_calls_in_other_wrappings(value):
    assert calls(value) == [("f", "{}")]


@pytest.mark.parametrize("value", [None, [], {}, "", False, [None]])
def test_no_calls_are_no_calls(value):
    assert "tool_calls" not in message({"content": "a", "tool_calls": value})


def test_the_call_of_old_is_a_tool_call():
    found = message({"function_call": {"name": "f", "arguments": ""}}, {"function_call": {"arguments": "{}"}})
    assert found["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}


@pytest.mark.parametrize("value", [5, True, 1.5, "f", [5], ["f"], [[]], [call(5)], [call(["f"])], [call(None)], [{}]])
def test_a_call_that_nobody_can_make_is_refused(value):
    with pytest.raises(UnreadableEvent):
        calls(value)


@pytest.mark.parametrize("index", [0, None, "0", 1, -1, 0.0, True, [], 2**70, "x"])
def test_an_only_choice_is_choice_0_whatever_its_index(index):
    first, second = ({"index": index, "delta": {"content": text}} for text in ("a", "b"))
    assert [(c["index"], c["message"]["content"]) for c in read(first, second)] == [(0, "ab")]


def test_a_choice_that_nobody_asked_for_does_not_get_among_the_others():
    mixed = [{"index": index, "delta": {"content": text}} for index, text in ((0, "a"), (1, "x"), (0, "b"), (1, "y"))]
    assert [c["message"]["content"] for c in read(*mixed)] == ["ab"]
    assert [c["message"]["content"] for c in read(*mixed, {"index": 2, "delta": {"content": "z"}}, n=2)] == ["ab", "xy"]


@pytest.mark.parametrize("index", [None, "x", {}, -1, True])
def test_of_several_choices_each_must_have_its_index(index):
    with pytest.raises(UnreadableEvent):
        read({"index": index, "delta": {"content": "a"}}, n=2)


@pytest.mark.parametrize(
    ("delta", "content", "reasoning"),
    [
        ({"content": None}, "", None),
        ({"content": [{"type": "text", "text": "a"}, "b"]}, "ab", None),
        ({"content": {"type": "text", "text": "a"}}, "a", None),
        ({"content": [{"type": "thinking", "thinking": [{"text": "r"}]}, {"type": "text", "text": "a"}]}, "a", "r"),
        ({"content": "a", "role": 7}, "a", None),
        ({"content": "a", "refusal": None, "reasoning": None}, "a", None),
        ({"content": "a", "reasoning_content": "r"}, "a", "r"),
        ({"content": "a", "reasoning": "r", "reasoning_content": "r"}, "a", "r"),
        ({"content": "a", "thinking": "r"}, "a", "r"),
        ({"content": "a", "reasoning": {"text": "r"}}, "a", "r"),
        ({"content": "a\ud83d"}, "a", None),
        ({"content": "\ude00a"}, "\ufffda", None),
        ({"content": "a", "unknown": {"x": [1]}, "audio": None}, "a", None),
        ("a", "a", None),
        (None, "", None),
    ],
)
def test_texts(delta, content, reasoning):
    found = message(delta)
    assert (found["content"], found.get("reasoning")) == (content, reasoning)


def test_a_character_that_comes_in_halves_is_whole():
    assert message({"content": "a\ud83d"}, {"content": "\ude00b"})["content"] == "a😀b"
    assert message({"content": "\ud83d"}, {"content": "b"})["content"] == "\ufffdb"


@pytest.mark.parametrize("value", [7, True, [7], {"text": 7}, [{"type": "image_url"}], [["a"]]])
def test_a_text_that_is_none_is_refused(value):
    for name in ("content", "reasoning", "refusal"):
        with pytest.raises(UnreadableEvent):
            message({name: value})
    with pytest.raises(UnreadableEvent):
        read({"index": 0, "text": value})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("stop", "stop"), ("length", "length"), ("tool_calls", "tool_calls"), ("content_filter", "content_filter"),
        ("eos_token", "stop"), ("EOS", "stop"), ("max_tokens", "length"), ("MAX_TOKENS", "length"),
        ("tool_use", "tool_calls"), ("x" * 500, "stop"), (5, "stop"), ({"type": "stop"}, "stop"),
    ],
)  # fmt: skip
def test_finish_reasons_are_openais(value, expected):
    assert read({"index": 0, "delta": {}, "finish_reason": value})[0]["finish_reason"] == expected


@pytest.mark.parametrize("value", [None, "", False, 0])
def test_no_reason_is_no_end(value):
    reader = EventReader()
    event = {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": value}]}
    assert reader.read(json.dumps(event).encode()).choices[0].finish_reason is None


ODD_COUNTS = [-1, None, 3_000_000_000, 7.5, "x", "", True, [7], {}, 2**80, "9" * 40]


@pytest.mark.parametrize(("value", "count"), [(7, 7), (7.0, 7), ("7", 7), (0, 0), *((odd, None) for odd in ODD_COUNTS)])
def test_counts_are_numbers_that_can_be_or_none(value, count):
    event = {"choices": [], "usage": {"prompt_tokens": value, "completion_tokens": 3, "prompt_tokens_details": value}}
    assert EventReader().read(json.dumps(event).encode()).counts == Counts(count, 3)


@pytest.mark.parametrize("value", [None, [], {}, 5, "x", {"prompt_tokens": -1, "completion_tokens": None}])
def test_a_usage_that_says_nothing_is_none(value):
    assert EventReader().read(json.dumps({"choices": [], "usage": value}).encode()).counts is None


def test_what_was_cached_is_not_more_than_there_was():
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 9}}
    assert EventReader().read(json.dumps({"usage": usage}).encode()).counts == Counts(5, 3, 5)


@pytest.mark.parametrize(
    ("more", "reasoning"),
    [
        ({"completion_tokens_details": {"reasoning_tokens": 2}}, 2),
        ({"completion_tokens_details": {"reasoning_tokens": 0}}, 0),
        ({"completion_tokens_details": {"reasoning_tokens": 2.0}, "reasoning_tokens": 1}, 2),
        ({"reasoning_tokens": "2"}, 2),
        ({"completion_tokens_details": {"reasoning_tokens": 9}}, 3),
        ({"completion_tokens_details": {"reasoning_tokens": -1}}, None),
        ({"completion_tokens_details": {"audio_tokens": 1}}, None),
        ({"completion_tokens_details": [2]}, None),
        ({"completion_tokens_details": None, "reasoning_tokens": True}, None),
        ({}, None),
    ],
)
def test_tokens_of_reasoning_are_counted_where_the_engine_counts_them(more, reasoning):
    usage = {"prompt_tokens": 5, "completion_tokens": 3, **more}
    assert EventReader().read(json.dumps({"usage": usage}).encode()).counts == Counts(5, 3, 0, reasoning)


@pytest.mark.parametrize("value", [None, "x", [-1], [1.5], ["1"], [True], [2**40], {"a": 1}, 5, [None]])
def test_token_ids_that_are_none_are_left_out(value):
    choice = {"index": 0, "delta": {"content": "a"}, "token_ids": value, "prompt_token_ids": value}
    chunk = EventReader().read(json.dumps({"choices": [choice], "prompt_token_ids": value}).encode())
    assert (chunk.plain_text(), chunk.choices[0].token_ids, chunk.prompt_ids()) == ("a", None, None)


ENTRY = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (ENTRY, ENTRY),
        (ENTRY | {"logprob": None}, ENTRY | {"logprob": -9999.0}),
        (ENTRY | {"logprob": -math.inf}, ENTRY | {"logprob": -9999.0}),
        (ENTRY | {"logprob": math.nan}, ENTRY | {"logprob": -9999.0}),
        (ENTRY | {"bytes": [999]}, ENTRY | {"bytes": None}),
        (ENTRY | {"top_logprobs": None, "more": 1}, ENTRY),
        (ENTRY | {"token": "\ud800"}, ENTRY | {"token": "\ufffd"}),
        ({"token": "a"}, ENTRY | {"logprob": -9999.0, "bytes": None}),
    ],
)
def test_logprobs_are_openais(entry, expected):
    choice = {"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [entry], "refusal": None, "odd": 1}}
    assert read(choice, logprobs=True)[0]["logprobs"] == {"content": [expected]}


@pytest.mark.parametrize("value", [5, "x", [], [1], {"content": 5}, {"content": [5]}, {"content": [{"logprob": 1}]}])
def test_odd_logprobs_matter_only_to_who_asked_for_them(value):
    choice = {"index": 0, "delta": {"content": "a"}, "logprobs": value}
    assert read(choice)[0]["logprobs"] is None
    if value:
        with pytest.raises(UnreadableEvent):
            read(choice, logprobs=True)


@pytest.mark.parametrize(
    "event",
    [
        {"error": {"message": "no", "code": 400}}, {"error": "no"}, {"error": 5}, {"error": ["no"]},
        {"object": "error", "message": "no", "code": 400}, {"detail": "no"}, {"error": {"message": "\ud800"}},
    ],
)  # fmt: skip
def test_errors_in_any_shape_are_errors(event):
    error = EventReader().read(json.dumps(event).encode()).error
    assert error
    msgspec.json.encode(error)


@pytest.mark.parametrize("value", [None, "", False, {}, []])
def test_an_empty_error_is_none(value):
    event = {"error": value, "choices": [{"index": 0, "delta": {"content": "a"}}]}
    chunk = EventReader().read(json.dumps(event).encode())
    assert (chunk.plain_text(), not chunk.error) == ("a", True)


@pytest.mark.parametrize(
    "event",
    [b"5", b'"text"', b"[]", b"[1]", b"true", b"{", b"not JSON", b"[" * 100_000, b'{"choices": 5}', b'{"choices": "a"}',
     b'{"choices": [5]}', b'{"choices": [[]]}', b'{"choices": [{"delta": 5}]}', b'{"choices": [{"delta": []}]}',
     b'{"choices": ' + b'[{"delta": {"content": ' * 1 + b"[" * 5000, b'{"a": ' + b"9" * 5000 + b"}x"],
)  # fmt: skip
def test_what_is_no_event_is_refused(event):
    with pytest.raises(UnreadableEvent):
        EventReader().read(event)


@pytest.mark.parametrize("event", [b"null", b"{}", b'{"choices": null}', b'{"choices": [null]}', b'{"choices": {}}'])
def test_an_event_that_says_nothing_is_passed_over(event):
    assert EventReader().read(event).public_choices() in ([], [{"index": 0, "delta": {}, "finish_reason": None}])


def test_broken_utf8_and_numbers_that_json_lacks_are_read():
    chunk = EventReader().read(b'{"choices":[{"index":0,"delta":{"content":"a\xffb"},"x":NaN,"y":-Infinity}]}')
    assert chunk.plain_text() == "a\ufffdb"


def fed(*pieces, streamed=True):
    reader = EventReader(streamed=streamed)
    chunks = [chunk for piece in pieces for chunk in reader.feed(piece)] + list(reader.close())
    return "".join(chunk.plain_text() or "" for chunk in chunks), reader.ended


A = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}'


@pytest.mark.parametrize(
    ("pieces", "text", "ended"),
    [
        ([A + b"\n\ndata: [DONE]\n\n"], "a", True),
        ([A + b"\n\ndata: [DONE]"], "a", True),  # no line behind it
        ([A + b"\n\ndata:[DONE]\n\n"], "a", True),
        ([A + b"\n\ndata: [DONE] \r\n\r\n"], "a", True),
        ([A], "a", False),
        ([A[:-3]], "", False),  # cut off
        ([A + b"\n\n" + A[:-3]], "a", False),
        ([A + b"\n\ndata:\n\ndata: \n\n: ping\n\n" + A + b"\n\n"], "aa", False),
        ([A + b"\n\ndata: [DONE]\n\n" + A + b"\n\n"], "a", True),  # nothing follows the end
    ],
)
def test_ends_of_streams(pieces, text, ended):
    assert fed(*pieces) == (text, ended)


def test_an_answer_that_comes_whole_is_read_whole():
    whole = {"object": "chat.completion", "choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": "x"}]}
    body = json.dumps(whole).encode()
    assert fed(body[:10], body[10:], streamed=False) == ("a", True)
    with pytest.raises(UnreadableEvent):
        fed(body[:10], streamed=False)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"data": [{"id": "m", "max_model_len": 100, "owned_by": "vllm"}]}, [("m", 100, "vllm")]),
        ({"data": [{"id": "m", "max_model_len": -1, "owned_by": 5}]}, [("m", 0, "")]),
        ({"data": [{"id": "m", "max_model_len": "x"}, {"id": 5}, {"id": ""}, {"id": "x" * 201}, 7]}, [("m", 0, "")]),
        ({"data": [{"id": "a\ud800b\0", "max_model_len": 2**40}]}, [("a\ufffdb\ufffd", 0, "")]),
        ({"data": []}, []),
    ],
)
def test_models_that_can_be_used(body, expected):
    assert [(m.id, m.window, m.owner) for m in read_models(json.dumps(body).encode())] == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b"null", b"[]", b'{"data": null}', b'{"data": {"id": "m"}}', b"5"])
def test_a_list_of_models_that_is_none_is_refused(body):
    with pytest.raises(UnreadableEvent):
        read_models(body)


@settings(max_examples=400, deadline=None)
@given(st.lists(EVENT, max_size=4), st.integers(1, 2), st.booleans())
def test_whatever_passes_the_border_can_be_published_stored_and_told(events, n, logprobs):
    reader, accumulator = EventReader(n, logprobs=logprobs), Accumulator()
    try:
        for event in events:
            chunk = reader.read(json.dumps(event).encode())
            accumulator.add_choices(chunk.public_choices())
            for count in (chunk.counts.prompt, chunk.counts.completion) if chunk.counts else ():
                assert count is None or 0 <= count <= 10**9
            for ids in (chunk.prompt_ids(), *(choice.token_ids for choice in chunk.choices)):
                assert ids is None or all(0 <= id < 2**31 for id in ids)
    except UnreadableEvent:
        return
    for choice in accumulator.choices():
        assert 0 <= choice["index"] < n
        for call in choice["message"].get("tool_calls", ()):
            assert all(isinstance(text, str) for text in (call["id"], *call["function"].values()))
    msgspec.json.encode(accumulator.choices()).decode()
