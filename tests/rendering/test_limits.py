"""No text is an error, and none takes long. Times are what this thread computes, whatever else the machine does."""

import time

import pytest

from chat.render_process import MAX_LOCAL_CHARS, is_cheap
from chat.rendering.code import LANGUAGES, MAX_HIGHLIGHTED_CHARS, highlight
from chat.rendering.incremental import Draft
from chat.rendering.markdown import render_markdown
from chat.rendering.mathml import render_formula
from tests.support.bad_markdown import CODE, FORMULAS, repeat, texts

LENGTH, LONG = 6_000, 100_000
SECONDS = 2.0
WORST = ["brackets", "loose items", "empty cells", "blank displays", "lines of brackets"]


def seconds(work, *arguments, **options):
    began = time.thread_time()
    work(*arguments, **options)
    return time.thread_time() - began


def draw(text):
    draft = Draft()
    for at in range(0, len(text), 1000):
        draft.add(text[at : at + 1000])
        draft.release_text(everything=True)
        if draft.is_ripe:
            draft.render_new()
    draft.finish("m")


@pytest.mark.parametrize("name", texts(1))
def test_markdown_takes_a_bounded_time(name):
    text = texts(LENGTH)[name]
    if is_cheap(short := text[:MAX_LOCAL_CHARS]):  # others wait for it
        assert seconds(render_markdown, short) < 0.25
    assert seconds(render_markdown, text) < SECONDS
    assert seconds(draw, text[: LENGTH // 2]) < SECONDS


@pytest.mark.parametrize("name", WORST)
def test_a_hundred_thousand_characters_take_no_more_than_in_proportion(name):
    assert seconds(render_markdown, texts(LONG)[name]) < 4 * SECONDS


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas_take_a_bounded_time(name):
    for block in (False, True):
        assert seconds(render_formula, FORMULAS[name], block=block) < 0.5
        assert render_markdown(f"\\[{FORMULAS[name]}\\]")


@pytest.mark.parametrize("language", sorted(set(LANGUAGES.values())))
def test_code_takes_a_bounded_time(language):
    name = next(name for name, lexer in LANGUAGES.items() if lexer == language)
    highlight("a", name)
    for beginning in CODE:
        assert seconds(highlight, repeat(beginning, 2500), name) < 0.3
    assert seconds(highlight, repeat("\n", MAX_HIGHLIGHTED_CHARS), name) < 0.3
    for line in ("a:", "a@b:", "![", "(a"):
        assert seconds(highlight, repeat(repeat(line, 990) + "\n", MAX_HIGHLIGHTED_CHARS), name) < 0.5


def test_a_line_without_end_has_no_colours():
    assert highlight("a:" * 4000, "console") == "a:" * 4000
    assert "span" in highlight("x = 1\n" * 100, "python")


def test_a_table_is_not_filled_up_without_end():
    head = "|" + "a|" * 500 + "\n|" + "-|" * 500 + "\n"
    assert "<table" not in render_markdown(head + "|x\n" * 300)
    assert render_markdown(head + ("|" + "x|" * 500 + "\n") * 3).count("<td>") == 1500
    assert render_markdown("| a | b | c |\n|-|-|-|\n" + "| x |\n" * 50).count("<td>") == 150
