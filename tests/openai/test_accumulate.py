"""However an answer is cut into deltas, the same choices come out."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat.chat_completion import Choice

from inference.openai.accumulate import Accumulator

WORDS = st.text(max_size=12)
ENTRIES = st.fixed_dictionaries({"token": WORDS, "logprob": st.just(-0.5), "top_logprobs": st.just([])})


@st.composite
def pieces(draw, text):
    """A text in pieces, some of them empty."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


@st.composite
def answers(draw):
    """Deltas of an answer of several choices, mixed as an engine may mix them, and the choices that they mean."""
    streams, expected = [], []
    for index in range(draw(st.integers(1, 3))):
        texts = {name: draw(WORDS) for name in ("content", "reasoning", "refusal")}
        calls = draw(st.lists(st.tuples(WORDS.filter(bool), WORDS.filter(bool), WORDS), max_size=2))
        logprobs = draw(st.lists(ENTRIES, max_size=3))
        deltas: list[dict[str, Any]] = [{"delta": {"role": "assistant", "content": ""}}]
        for name, text in texts.items():
            deltas += [{"delta": {name: piece}} for piece in draw(pieces(text))]
        for place, (id, name, arguments) in enumerate(calls):
            head: dict[str, Any] = {
                "index": place,
                "id": id,
                "type": "function",
                "function": {"name": name, "arguments": ""},
            }
            deltas.append({"delta": {"content": None, "tool_calls": [head]}})
            for piece in draw(pieces(arguments)):
                deltas.append({"delta": {"tool_calls": [{"index": place, "function": {"arguments": piece}}]}})
        deltas += [{"delta": {}, "logprobs": {"content": [entry]}} for entry in logprobs]
        deltas.append({"delta": {}, "finish_reason": "tool_calls" if calls else "stop"})
        streams.append([{"index": index, "logprobs": None, "finish_reason": None} | delta for delta in deltas])
        message: dict[str, Any] = {"role": "assistant", "content": texts["content"] or (None if calls else "")}
        message["refusal"] = texts["refusal"] or None
        if texts["reasoning"]:
            message["reasoning"] = texts["reasoning"]
        if calls:
            message["tool_calls"] = [
                {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
                for id, name, arguments in calls
            ]
        shown = {"content": logprobs} if logprobs else None
        finish = streams[-1][-1]["finish_reason"]
        expected.append({"index": index, "message": message, "logprobs": shown, "finish_reason": finish})
    mixed = []
    while streams:
        stream = draw(st.sampled_from(streams))
        mixed.append(stream.pop(0))
        streams = [stream for stream in streams if stream]
    return mixed, expected


@settings(max_examples=200)
@given(answers(), st.integers(1, 4))
def test_any_cut_of_the_same_answer_gives_the_same_choices(answer, at_once):
    deltas, expected = answer
    accumulator = Accumulator()
    for start in range(0, len(deltas), at_once):
        accumulator.add_choices(deltas[start : start + at_once])
    assert accumulator.choices() == expected
    assert not accumulator.plain
    for choice in accumulator.choices():
        Choice.model_validate(choice | {"logprobs": None})


@given(WORDS.flatmap(pieces))
def test_plain_text_is_one_choice(texts):
    accumulator = Accumulator()
    for text in texts:
        accumulator.add_text(text)
    message = {"role": "assistant", "content": "".join(texts), "refusal": None}
    assert accumulator.choices("length") == [
        {"index": 0, "message": message, "logprobs": None, "finish_reason": "length"}
    ]
    assert (accumulator.plain, accumulator.content()) == (True, "".join(texts))


@given(answers())
def test_stored_choices_told_as_deltas_are_the_same_again(answer):
    _, expected = answer
    accumulator = Accumulator()
    accumulator.add_choices({"delta": choice["message"]} | choice for choice in expected)
    assert accumulator.choices() == expected


def test_clear_forgets_everything():
    accumulator = Accumulator()
    accumulator.add_text("a")
    accumulator.add_choices([{"index": 1, "delta": {"content": "b"}, "finish_reason": "stop"}])
    accumulator.clear()
    accumulator.add_text("c")
    assert accumulator.plain
    assert [choice["message"]["content"] for choice in accumulator.choices()] == ["c"]
