"""Joining an answer that is told again to what a client has."""

import pytest

from inference.log.resume import Diverged, Splice


def test_text_passes_while_nothing_is_told_again():
    splice = Splice()
    assert [splice.add_text(text) for text in ("a", "b ", "")] == ["a", "b ", ""]


@pytest.mark.parametrize("cut", range(1, 12))
def test_what_a_client_has_is_swallowed_however_it_is_cut(cut):
    splice, text = Splice(), "t0 t1 t2 t3 "
    splice.add_text(text[:7])
    splice.restart()
    pieces = [text[i : i + cut] for i in range(0, len(text), cut)]
    assert "".join(splice.add_text(piece) for piece in pieces) == text[7:]


def test_an_answer_may_start_again_before_it_has_caught_up():
    splice = Splice()
    splice.add_text("abcdef")
    splice.restart()
    assert splice.add_text("abc") == ""
    splice.restart()
    assert splice.add_text("abcdefg") == "g"


def test_an_answer_that_differs_is_refused():
    splice = Splice()
    splice.add_text("abc")
    splice.restart()
    assert splice.add_text("ab") == ""
    with pytest.raises(Diverged):
        splice.add_text("xyz")
