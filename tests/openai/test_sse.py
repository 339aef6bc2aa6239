"""The event stream parser gives the same events however the bytes are cut."""

import json
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.openai.engine_events import EngineChunk, decode_chunk
from inference.openai.sse import DONE, SseParser

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=20)


@st.composite
def streams(draw):
    """A stream as a server may write it, and the data of its events."""
    written, expected = b"", []
    for _ in range(draw(st.integers(0, 5))):
        end = draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
        texts = draw(st.lists(TEXT, max_size=3))
        lines = [b"data: " + text.encode() for text in texts]
        if texts and not texts[0].startswith(" ") and draw(st.booleans()):
            lines[0] = b"data:" + texts[0].encode()  # the space is optional
        for extra in draw(st.lists(st.sampled_from([b": keep-alive", b"event: ping", b"id: 7", b":"]), max_size=2)):
            lines.insert(draw(st.integers(0, len(lines))), extra)
        if lines:
            written += b"".join(line + end for line in lines) + end * draw(st.integers(1, 3))
        if texts:
            expected.append("\n".join(texts).encode())
    return written, expected


def cut(data, places):
    places = [0, *sorted(p % (len(data) + 1) for p in places), len(data)]
    return [data[a:b] for a, b in pairwise(places)]


@settings(max_examples=300)
@given(streams(), st.lists(st.integers(0, 1000), max_size=8))
def test_events_do_not_depend_on_how_the_stream_is_cut(stream, places):
    written, expected = stream
    parser = SseParser()
    # A line feed decides whether a last carriage return was an empty line; comments are ignored.
    found = [event for piece in [*cut(written, places), b"\n: end"] for event in parser.feed(piece)]
    assert found == expected


def test_a_stream_of_vllm_cut_at_every_byte():
    stream = b'data: {"a":"\xc3\xa9"}\n\ndata: {"b":2}\r\n\r\n: keep-alive\n\ndata: [DONE]\n\n'
    for place in range(len(stream) + 1):
        parser = SseParser()
        assert parser.feed(stream[:place]) + parser.feed(stream[place:]) == [b'{"a":"\xc3\xa9"}', b'{"b":2}', DONE]
    parser = SseParser()
    assert [e for i in range(len(stream)) for e in parser.feed(stream[i : i + 1])][-1] == DONE


def test_an_event_that_was_cut_off_is_not_given():
    assert SseParser().feed(b'data: {"a":1}\n\ndata: {"b"') == [b'{"a":1}']


def chunk(choice, **fields):
    return decode_chunk(json.dumps({"id": "x", "choices": [choice], "unknown": [1]} | fields).encode())


def test_a_plain_token_of_either_route_is_text_with_ids():
    chat = chunk({"index": 0, "delta": {"content": "hé"}, "logprobs": None, "finish_reason": None, "token_ids": [5, 6]})
    completion = chunk({"index": 0, "text": "hé", "logprobs": None, "finish_reason": None, "token_ids": [5, 6]})
    for found in (chat, completion):
        assert found.plain_text() == "hé"
        assert found.choices[0].token_ids == [5, 6]


@pytest.mark.parametrize(
    "choice",
    [
        {"index": 1, "delta": {"content": "x"}},
        {"index": 0, "delta": {"reasoning": "x"}},
        {"index": 0, "delta": {"reasoning_content": "x"}},
        {"index": 0, "delta": {"tool_calls": [{"index": 0}]}},
        {"index": 0, "delta": {"content": "x"}, "logprobs": {"content": []}},
        {"index": 0, "delta": {"refusal": "no"}},
    ],
)
def test_what_is_more_than_text_is_not_plain(choice):
    assert chunk(choice).plain_text() is None


def test_public_choices_hold_no_ids_and_no_empty_fields():
    choice = {"index": 1, "delta": {"tool_calls": [{"index": 0}], "reasoning_content": "r"}, "token_ids": [1]}
    found = chunk(choice | {"logprobs": {"content": [{"token": "a"}]}, "finish_reason": "stop", "stop_reason": 2})
    assert found.public_choices() == [
        {
            "index": 1,
            "delta": {"tool_calls": [{"index": 0}], "reasoning": "r"},
            "finish_reason": "stop",
            "logprobs": {"content": [{"token": "a"}]},
        }
    ]


def test_ids_of_the_prompt_are_found_where_either_route_has_them():
    assert chunk({"index": 0, "delta": {"role": "assistant"}}, prompt_token_ids=[1, 2]).prompt_ids() == [1, 2]
    assert chunk({"index": 0, "text": "a", "prompt_token_ids": [1, 2]}).prompt_ids() == [1, 2]
    assert EngineChunk().prompt_ids() is None


def test_usage_and_errors_are_kept():
    assert decode_chunk(b'{"choices":[],"usage":{"prompt_tokens":1}}').usage == {"prompt_tokens": 1}
    assert decode_chunk(b'{"error":{"message":"x","code":500}}').error == {"message": "x", "code": 500}
    with pytest.raises(msgspec.ValidationError):
        decode_chunk(b'{"choices": 5}')
