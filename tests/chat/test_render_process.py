"""Long and slow texts are rendered beside the web process, and what takes too long is shown as it was written."""

import os
import signal
import time

import pytest

from chat import render_process
from chat.render_child import MIN_CPU_SECONDS
from chat.render_process import RendererAway, TooSlow, is_cheap, render_slice, render_text, render_whole
from chat.rendering.incremental import Draft, render_source
from chat.rendering.markdown import render_markdown, render_plain

LONG = "# Head\n\nSome **words** and `code`.\n\n```python\nx = 1\n```\n\n- a\n- b\n\n" * 60
SLOW = "![" * 14_000


@pytest.fixture
def child():
    yield render_process._child
    render_process._child.close()


def test_a_long_text_comes_out_the_same(child):
    assert not is_cheap(LONG)
    assert render_text(LONG, "m") == render_markdown(LONG, "m")
    assert render_slice(LONG) == render_source(LONG)
    assert child.process is not None


def test_a_short_one_starts_nothing(child):
    assert render_whole("a *b*", "m") == ("<p>a <em>b</em></p>\n", True)
    assert child.process is None


def test_a_slow_text_costs_this_process_nothing_and_comes_plain(child):
    child.start()
    began = time.process_time()
    assert render_whole(SLOW, "m") == (render_plain(SLOW), True)
    assert time.process_time() - began < MIN_CPU_SECONDS
    with pytest.raises(TooSlow):
        render_slice(SLOW)
    assert render_whole(LONG, "m") == (render_markdown(LONG, "m"), True)  # and the next one comes as ever


def test_many_brackets_are_not_rendered_here():
    assert not is_cheap("![" * 100)
    assert is_cheap("[a](b) " * 50)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_was_killed_is_started_again(child, number):
    render_text(LONG, "m")
    os.kill(child.process.pid, number)
    child.process.wait(timeout=10)
    assert render_text(LONG, "m") == render_markdown(LONG, "m")


def test_who_cannot_wait_gets_it_plain_for_now(child):
    with child.lock:
        assert render_whole(LONG, "m", patience=0.0) == (render_plain(LONG), False)
        with pytest.raises(RendererAway):
            render_text(LONG, "m", patience=0.01)


def test_a_draft_that_takes_too_long_is_plain_from_there_on():
    def refuse(_):
        raise TooSlow

    draft = Draft()
    draft.add("# Head\n\nOne *two*\n")
    draft.render_new()
    draft.add("three *four*\n")
    with pytest.raises(TooSlow):
        draft.render_new(refuse)
    draft.give_up()
    draft.add("and *more*")
    assert not draft.is_ripe
    assert draft.release_text(everything=True)
    assert draft.open + draft.tail == '<pre class="plain">One *two*\nthree *four*\n</pre>and *more*'
    draft.finish("m")
    assert draft.blocks == ["<h3>Head</h3>\n", '<pre class="plain">One *two*\nthree *four*\nand *more*</pre>']
