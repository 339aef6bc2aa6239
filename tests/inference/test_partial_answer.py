"""An answer while it grows, and the buffer of what is told of it."""

from inference.log.events import Begin, Choices, Cursor, End, Fence, Finish, Prompt, Text, Usage
from inference.log.follow import Batch
from inference.worker.partial_answer import EventBuffer, PartialAnswer


def delta(content, index=0):
    return {"index": index, "delta": {"content": content}, "finish_reason": None}


LOG: Batch = [
    (Cursor(1, 1), Begin()),
    (Cursor(1, 2), Prompt([5, 6])),
    (Cursor(1, 3), Text("one ", 1, [10])),
    (Cursor(1, 4), Text("two three ", 2, [11, 12])),
]


def test_text_that_comes_between_two_takes_is_one_entry():
    buffer = EventBuffer(1)
    buffer.add_event(Begin())
    buffer.add_text("a", 1, [1])
    buffer.add_text("b", 1, [2])
    assert buffer.take_new() == [(Cursor(1, 1), Begin()), (Cursor(1, 2), Text("ab", 2, [1, 2]))]
    assert buffer.take_new() == []


def test_text_stays_before_what_is_added_after_it():
    buffer = EventBuffer(1)
    buffer.add_text("a", 1, [1])
    buffer.add_event(Finish("stop", Usage()))
    assert [type(entry) for _, entry in buffer.take_new()] == [Text, Finish]


def test_a_rewound_buffer_gives_the_same_entries_at_the_same_places():
    buffer = EventBuffer(1)
    buffer.add_event(Begin())
    buffer.add_text("a", 1, [1])
    first = buffer.take_new()
    buffer.rewind()
    buffer.add_text("b", 1, [2])
    assert buffer.take_new() == [*first, (Cursor(1, 3), Text("b", 1, [2]))]


def test_the_place_before_all_others_is_kept_for_the_fence():
    buffer = EventBuffer(2)
    buffer.add_event(Fence())
    buffer.add_event(Begin(clear=True))
    assert [cursor for cursor, _ in buffer.take_new()] == [Cursor(2, 0), Cursor(2, 1)]
    without = EventBuffer(1)
    without.add_event(Begin())
    assert [cursor for cursor, _ in without.take_new()] == [Cursor(1, 1)]


def test_what_is_inherited_is_told_again_only_after_a_loss_and_comes_first():
    buffer = EventBuffer(2)
    buffer.add_event(Fence())
    buffer.prepend_events(LOG)
    buffer.add_event(Begin(after=Cursor(1, 4)))
    own = [(Cursor(2, 0), Fence()), (Cursor(2, 1), Begin(after=Cursor(1, 4)))]
    assert buffer.take_new() == own
    buffer.rewind()
    assert buffer.take_new() == [*LOG, *own]


def test_an_answer_is_restored_from_its_log_and_can_go_on():
    answer, last = PartialAnswer.restore(LOG)
    assert (answer.text, answer.ids, answer.prompt_ids, answer.count) == ("one two three ", [10, 11, 12], [5, 6], 3)
    assert last == Cursor(1, 4)
    assert answer.can_continue


def test_a_continued_answer_is_restored_over_all_attempts():
    more: Batch = [
        (Cursor(2, 0), Fence()),
        (Cursor(2, 1), Begin(after=Cursor(1, 4))),
        (Cursor(2, 2), Text("four ", 1, [13])),
    ]
    answer, last = PartialAnswer.restore(LOG + more)
    assert (answer.text, last) == ("one two three four ", Cursor(2, 2))
    assert answer.can_continue


def test_an_answer_that_began_again_is_restored_from_there():
    again: Batch = [(Cursor(2, 0), Fence()), (Cursor(2, 1), Begin(clear=True)), (Cursor(2, 2), Prompt([9]))]
    answer, _ = PartialAnswer.restore([*LOG, *again, (Cursor(2, 3), Text("x", 1, [20]))])
    assert (answer.text, answer.ids, answer.prompt_ids) == ("x", [20], [9])


def test_a_log_with_a_gap_tells_nothing():
    gap: Batch = [
        (Cursor(2, 0), Fence()),
        (Cursor(2, 1), Begin(after=Cursor(1, 9))),
        (Cursor(2, 2), Text("four ", 1, [13])),
    ]
    for log in (LOG + gap, gap, LOG[2:]):
        answer, _ = PartialAnswer.restore(log)
        assert answer.is_empty
        assert not answer.can_continue


def test_a_log_that_began_again_after_a_gap_is_whole():
    gap: Batch = [
        (Cursor(2, 1), Begin(after=Cursor(1, 9))),
        (Cursor(3, 1), Begin(clear=True)),
        (Cursor(3, 2), Text("x", 1, [1])),
    ]
    assert PartialAnswer.restore(LOG + gap)[0].text == "x"


def test_a_fence_is_no_last_entry():
    assert PartialAnswer.restore([*LOG, (Cursor(2, 0), Fence())])[1] == Cursor(1, 4)


def test_an_answer_cannot_go_on_from_text_without_ids():
    answer, _ = PartialAnswer.restore([*LOG, (Cursor(1, 5), Text("lost ", 1))])
    assert not answer.can_continue


def test_an_answer_cannot_go_on_without_the_prompts_ids():
    assert not PartialAnswer.restore([LOG[0], LOG[2]])[0].can_continue


def test_an_answer_with_more_than_text_cannot_go_on():
    answer, _ = PartialAnswer.restore([*LOG, (Cursor(1, 5), Choices([delta("four")]))])
    assert answer.text == "one two three four"
    assert not answer.can_continue


def test_the_engines_end_is_restored():
    finish = Finish("length", Usage(2, 3))
    assert PartialAnswer.restore([*LOG, (Cursor(1, 5), finish)])[0].finish == finish


def test_text_before_other_deltas_stays_in_the_first_choice():
    answer = PartialAnswer()
    answer.add_text("one ", 1, [10])
    answer.add_choices([delta("two"), delta("deux", 1)])
    answer.finish = Finish("stop", Usage())
    assert [choice["message"]["content"] for choice in answer.choices() or ()] == ["one two", "deux"]


def test_tokens_are_counted_also_while_their_text_is_held_back():
    answer = PartialAnswer()
    answer.prompt_ids = [1, 2]
    answer.count += 3
    assert answer.count_usage() == Usage(2, 3)


def test_the_end_is_no_part_of_an_answer():
    assert PartialAnswer.restore([*LOG, (Cursor(1, 5), End("done"))])[0].finish is None
