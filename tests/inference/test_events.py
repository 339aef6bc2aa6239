"""The log's entries and cursors."""

import pytest

from inference.log.events import (
    Begin,
    Choices,
    Cursor,
    End,
    Fence,
    Finish,
    Problem,
    Prompt,
    Text,
    Usage,
    decode_event,
    encode_event,
)

EVERY_KIND = [
    Fence(),
    Begin(),
    Begin(clear=True),
    Begin(after=Cursor(2, 17)),
    Prompt([1, 2, 3]),
    Text("año 🙂 \x00 \u2028", 2, [7, 8]),
    Text("no ids", 1),
    Choices([{"index": 1, "delta": {"tool_calls": [{"index": 0}]}, "finish_reason": None}]),
    Finish("length", Usage(3, 20, 1)),
    End("done", "stop", Usage(1, 2)),
    End("failed", "error", problem=Problem("engine_error", "It broke.")),
]


@pytest.mark.parametrize("entry", EVERY_KIND, ids=lambda entry: repr(entry)[:30])
def test_an_entry_is_read_as_it_was_written(entry):
    assert decode_event(encode_event(entry)) == entry


def test_a_cursor_is_read_as_it_was_written():
    assert Cursor.parse(str(Cursor(3, 141))) == Cursor(3, 141)
    assert Cursor.parse(b"3-141") == Cursor(3, 141)


def test_cursors_compare_in_the_order_of_the_log():
    assert Cursor(1, 900) < Cursor(2, 0) < Cursor(2, 1) < Cursor(2, 10)


@pytest.mark.parametrize(
    "text", ["", "1", "-", "1-", "-1", "a-b", "1-2-3", "1-+", " 1-1", "1-1 ", "1--1", "$", "1.0-1"]
)
def test_what_is_no_cursor_is_refused(text):
    with pytest.raises(ValueError, match="a cursor looks like"):
        Cursor.parse(text)


@pytest.mark.parametrize("text", [f"{2**64}-1", f"1-{2**64}", "9" * 38 + "-1"])
def test_a_cursor_that_redis_would_refuse_never_reaches_it(text):
    with pytest.raises(ValueError, match="a cursor looks like"):
        Cursor.parse(text)
