"""A log told as a stream or as a whole answer, also when the answer starts again."""

import json

import pytest

from inference.log.events import Begin, Choices, End, Finish, Problem, Prompt, Text, Usage
from inference.openai.chunks import OpenAIStreamFormat
from inference.openai.stream import AnswerCollector, StreamEncoder
from jarvis.lib.api_errors import ApiError

USAGE = Usage(5, 3, 1, 2)
DONE = End("done", "length", USAGE)
FAILED = End("failed", "error", USAGE, Problem("engine_error", "The engine failed. Send it again."))


def stream(*batches, n=1, include_usage=False):
    """The encoder and the events it made, each batch told at once."""
    encoder = StreamEncoder(OpenAIStreamFormat("chatcmpl-1", 1, "m", include_usage), n, include_usage)
    data = b"".join(encoder.encode_events(batch) for batch in batches)
    return encoder, [event.removeprefix(b"data: ") for event in data.split(b"\n\n")[:-1]]


def values(events):
    assert events[-1] == b"[DONE]"
    return [json.loads(event) for event in events[:-1]]


def text_of(events):
    choices = [choice for value in values(events) if "error" not in value for choice in value["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def error_of(events):
    return values(events)[-1]["error"]["code"]


def test_text_that_comes_together_is_told_together():
    log = [Begin(), Prompt([1]), Text("a"), Text("b"), Finish("length", USAGE), DONE]
    encoder, events = stream(log, include_usage=True)
    told = values(events)
    assert [value["choices"][0]["delta"].get("content") for value in told[:-1]] == ["", "ab", None]
    assert told[-2]["choices"][0]["finish_reason"] == "length"
    assert told[-1]["usage"]["prompt_tokens_details"] == {"cached_tokens": 1}
    assert told[-1]["usage"]["completion_tokens_details"] == {"reasoning_tokens": 2}
    assert told[-1]["choices"] == []
    assert encoder.ended


@pytest.mark.parametrize("cut", range(7))
def test_any_batches_tell_the_same_text(cut):
    log = [Begin(), Text("a"), Begin(after=None), Text("b"), Text("c"), Finish("stop", USAGE), DONE]
    assert text_of(stream(log[:cut], log[cut:])[1]) == "abc"


def test_nothing_is_told_before_there_is_something():
    assert stream([Begin(), Prompt([1])])[1] == []


def test_an_empty_answer_still_has_role_finish_and_end():
    told = values(stream([Begin(), Finish("stop", USAGE), End("done", "stop", USAGE)])[1])
    assert [value["choices"][0]["delta"] for value in told] == [{"role": "assistant", "content": ""}, {}]


def test_a_failure_before_any_event_is_left_to_the_status():
    encoder, events = stream([Begin(), FAILED])
    assert events == []
    assert (encoder.ended, encoder.failed.status, encoder.failed.code) == (True, 502, "engine_error")


def test_usage_so_far_stands_in_each_event_where_it_is_asked_for():
    format = OpenAIStreamFormat("chatcmpl-1", 1, "m", include_usage=True)
    encoder = StreamEncoder(format, include_usage=True, put_usage=format.put_usage)
    log = [Begin(), Prompt([1, 2]), Text("a", 1)], [Text("b", 1), Text("c", 1)], [Begin(clear=True), Text("abcd", 4)]
    call = {"index": 0, "delta": {"reasoning": "r"}}
    data = b"".join(map(encoder.encode_events, [*log, [Choices([call], 2)], [End("done", "stop", Usage(5, 7))]]))
    told = [json.loads(event.removeprefix(b"data: ")) for event in data.split(b"\n\n")[:-2]]
    counts = [(value["usage"]["prompt_tokens"], value["usage"]["completion_tokens"]) for value in told]
    assert counts == [(2, 1), (2, 1), (2, 3), (2, 4), (2, 6), (5, 7), (5, 7)]
    assert [len(value["choices"]) for value in told] == [1] * 6 + [0]


def test_a_failure_keeps_the_parameter_that_it_belongs_to():
    failed = End("failed", "error", USAGE, Problem("context_length_exceeded", "Too long.", "messages"))
    encoder, _ = stream([Begin(), failed])
    assert (encoder.failed.status, encoder.failed.param) == (400, "messages")
    assert values(stream([Begin(), Text("a")], [failed])[1])[-1]["error"]["param"] == "messages"
    with pytest.raises(ApiError) as found:
        whole(Begin(), failed)
    assert found.value.param == "messages"


def test_reasoning_has_both_names_whole_and_streamed_and_usage_says_how_much_it_was():
    log = [Begin(), Choices([{"index": 0, "delta": {"reasoning": "Let me see. "}}]), Text("Four."), DONE]
    message = whole(*log)["choices"][0]["message"]
    assert (message["reasoning"], message["reasoning_content"]) == ("Let me see. ", "Let me see. ")
    assert whole(*log)["usage"]["completion_tokens_details"] == {"reasoning_tokens": 2}
    deltas = [value["choices"][0]["delta"] for value in values(stream(log)[1])]
    assert deltas[1] == {"reasoning": "Let me see. ", "reasoning_content": "Let me see. "}
    assert not any("reasoning" in delta or "reasoning_content" in delta for delta in (deltas[0], *deltas[2:]))


def test_usage_says_nothing_of_reasoning_that_nobody_counted():
    answer = whole(Begin(), Text("a"), End("done", "stop", Usage(5, 3)))
    assert "completion_tokens_details" not in answer["usage"]
    assert "reasoning_content" not in answer["choices"][0]["message"]


def test_a_failure_in_mid_stream_is_an_error_object_and_the_end():
    assert error_of(stream([Begin(), Text("a")], [FAILED])[1]) == "engine_error"


def test_a_new_start_before_anything_was_told_does_not_matter():
    assert text_of(stream([Begin(), Begin(clear=True), Text("a"), DONE])[1]) == "a"


@pytest.mark.parametrize("pieces", [["abcd"], ["a", "bcd"], ["ab", "cd"], ["abc", "d"], ["a", "b", "c", "d"]])
def test_an_answer_that_repeats_itself_is_told_on_from_where_it_was(pieces):
    again = [[Text(piece)] for piece in pieces]
    assert text_of(stream([Text("a"), Text("b")], [Begin(clear=True)], *again, [DONE])[1]) == "abcd"


def test_two_new_starts_are_no_worse_than_one():
    log = [[Text("abc")], [Begin(clear=True), Text("a")], [Begin(clear=True), Text("abcd"), DONE]]
    assert text_of(stream(*log)[1]) == "abcd"


@pytest.mark.parametrize("again", ["x", "ax", "abx"])
def test_an_answer_that_differs_from_what_was_told_breaks_the_stream(again):
    encoder, events = stream([Text("ab"), Text("c")], [Begin(clear=True), Text(again)], [Text("d")])
    assert error_of(events) == "engine_error"
    assert text_of(events) == "abc"
    assert events.count(b"[DONE]") == 1
    assert (encoder.ended, encoder.generation_ended) == (True, False)
    assert encoder.encode_events([Text("d"), DONE]) == b""


def test_an_answer_that_ends_before_it_repeated_all_breaks_the_stream():
    assert error_of(stream([Text("abc")], [Begin(clear=True), Text("ab"), DONE])[1]) == "engine_error"


def test_more_than_text_cannot_be_repeated():
    call = {"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f"}}]}}
    for log in ([Choices([call])], [Text("a")]):
        assert error_of(stream(log, [Begin(clear=True), Choices([call]), DONE])[1]) == "engine_error"


def test_a_finish_reason_that_came_with_the_choices_is_told_once():
    deltas = [{"index": i, "delta": {"content": "a"}, "finish_reason": r} for i, r in ((0, "stop"), (1, None))]
    told = values(stream([Choices(deltas), Finish("length", USAGE), DONE], n=2)[1])
    reasons = [(c["index"], c["finish_reason"]) for v in told for c in v["choices"] if c["finish_reason"]]
    assert reasons == [(0, "stop"), (1, "length")]
    assert [c["index"] for v in told for c in v["choices"] if "role" in c["delta"]] == [0, 1]


def test_a_stopped_answer_ends_in_order():
    told = values(stream([Text("a"), End("stopped", "stop", USAGE)])[1])
    assert told[-1]["choices"][0]["finish_reason"] == "stop"


def whole(*entries):
    encoder = AnswerCollector()
    encoder.add_events(entries)
    return encoder.completion("chatcmpl-1", 1, "m")


def test_a_whole_answer_is_what_came_after_the_last_new_start():
    answer = whole(Begin(), Text("x"), Begin(clear=True), Text("a"), Text("b"), Finish("length", USAGE), DONE)
    assert answer["choices"][0]["message"]["content"] == "ab"
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["total_tokens"] == 8


def test_a_whole_answer_that_failed_is_an_error():
    with pytest.raises(ApiError) as found:
        whole(Begin(), Text("x"), FAILED)
    assert (found.value.status, found.value.code) == (502, "engine_error")
    with pytest.raises(ApiError):
        whole(Begin(), End("failed"))
