"""The frames that the events of a log become, without any socket."""

import uuid

from chat import frames
from chat.ws.replay import frames_for_events
from inference.log.events import Begin, Choices, Cursor, End, Fence, Finish, Problem, Prompt, Text, Usage

ID = uuid.uuid4()


def convert(*events):
    return list(frames_for_events(ID, [(Cursor(1, index), event) for index, event in enumerate(events, 1)]))


def test_texts_that_follow_each_other_become_one_delta_with_the_last_cursor():
    assert convert(Text("a"), Text("b"), Text("c")) == [frames.Delta(ID, "1-3", "abc")]


def test_what_is_no_business_of_a_reader_is_left_out():
    assert convert(Fence(), Prompt([1, 2]), Text(""), Finish("stop", Usage())) == []


def test_a_delta_ends_before_what_voids_it_and_before_the_end():
    problem = Problem("engine_error", "It broke.")
    assert convert(Text("a"), Begin(clear=True), Text("b"), End("failed", "error", Usage(1, 2), problem)) == [
        frames.Delta(ID, "1-1", "a"),
        frames.Began(ID, True),
        frames.Delta(ID, "1-3", "b"),
        frames.Ended(ID, "1-4", "failed", "error", Usage(1, 2), problem),
    ]


def test_of_choices_the_first_ones_words_are_told():
    choices = Choices([{"index": 0, "delta": {"content": "a"}}, {"index": 1, "delta": {"content": "b"}}])
    assert convert(
        choices, Choices([{"index": 0, "delta": {"reasoning": "r"}}]), Choices([{"delta": {"content": None}}])
    ) == [frames.Delta(ID, "1-1", "a")]
