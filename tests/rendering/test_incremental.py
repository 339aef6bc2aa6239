"""A text that grows looks, at its end, as if it had been rendered whole."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.rendering.incremental import MAX_SMALL_CHARS, Draft, close_markup
from chat.rendering.markdown import MAX_MARKDOWN_CHARS, make_parser, render_markdown, render_plain

LINES = [
    "",
    "",
    "words that go on",
    "# heading",
    "- item",
    "* other",
    "  inside",
    "    deep",
    "1. one",
    "2. two",
    "1.",
    "-",
    "> quote",
    ">",
    "```python",
    "```",
    "~~~",
    "def f(): pass",
    "| a | b |",
    "| - | - |",
    "| 1 | 2 |",
    "--|--",
    "---",
    "===",
    "***",
    "***bold*** and",
    "$$",
    "$$x$$",
    "\\[",
    "\\]",
    "+ y",
    "$a_1$ and **b",
    "c** `d",
    "\ttab",
    "- [ ] task",
    "[a]: https://example.com",
    "[a] [a][b]",
    "[^1] note",
    "[^1]: text",
    "<b>html</b>",
    "<sub>x **y</sub>",
    "</sub>z<br>",
    "**注意：**先 ~~（a）~~b",
    "见 https://example.com/a。b",
    "```markdown",
    "```md",
    "````",
    "<details>",
    "<details open><summary>a *b*</summary> c",
    "<summary>s</summary>",
    "</details>",
    "d </details> e",
    "https://example.com/a_b",
    "a  ",
    "é🎉 ~~x~~",
]


def grow(text, pieces, draws=lambda: True, releases=lambda: False):
    """A draft that got the text in pieces."""
    draft, at = Draft(), 0
    while at < len(text):
        length = pieces()
        draft.add(text[at : at + length])
        at += length
        draft.release_text(releases())
        if draft.has_much_new or (draft.is_ripe and draws()):
            draft.render_new()
    while draft.has_much_new:
        draft.render_new()
    draft.finish("m")
    return draft


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=14), st.integers(0, 2**32))
def test_blocks_come_together_as_the_whole(lines, seed):
    dice = random.Random(seed)
    ending = dice.choice(["\n", "\r\n", "\r"])
    text = ending.join(lines)
    draft = grow(text, lambda: dice.choice([1, 2, 3, 7]), lambda: dice.random() < 0.7, lambda: dice.random() < 0.5)
    assert "".join(draft.blocks) == render_markdown(text)
    assert draft.text == text


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([line for line in LINES if "]:" not in line]), max_size=14))
def test_a_block_that_is_finished_is_never_touched_again(lines):
    draft, before = Draft(), []
    for char in "\n".join(lines):
        draft.add(char)
        draft.render_new()
        assert draft.blocks[: len(before)] == before
        before = draft.blocks
    assert draft.finish("m") is False
    assert draft.blocks[: len(before)] == before


def test_blocks_are_finished_as_the_text_goes_on_and_the_last_is_open():
    draft = Draft()
    draft.add("# One\n\nTwo **three** four\n\nFi")
    draft.render_new()
    assert draft.blocks == ["<h3>One</h3>\n"]
    assert draft.open == "<p>Two <strong>three</strong> four</p>\n<p>Fi</p>\n"  # its line is not complete yet
    draft.add("ve\n")
    draft.render_new()
    assert draft.blocks[1:] == ["<p>Two <strong>three</strong> four</p>\n"]
    assert draft.open == "<p>Five</p>\n"


def test_plain_words_are_shown_at_once_and_what_may_be_markup_waits():
    draft = Draft()
    draft.add("Hello")
    assert draft.release_text(everything=False) is False  # it may be anything yet
    draft.render_new()
    draft.add(" dear world, it is **very")
    assert draft.release_text(everything=False)
    assert draft.tail == " dear world, it is "
    assert draft.has_hidden_text
    assert draft.release_text(everything=False) is False
    assert draft.release_text(everything=True)
    assert draft.tail == " dear world, it is **very"
    assert not draft.has_hidden_text
    draft.render_new()
    assert (draft.open, draft.tail) == ("<p>Hello dear world, it is <strong>very</strong></p>\n", "")


def test_code_is_shown_at_once_but_for_what_may_end_it():
    draft = Draft()
    draft.add("```python\nx = ")
    draft.render_new()
    draft.add("[1]\n\n# *y*\n")
    assert draft.release_text(everything=False)
    assert draft.tail == "[1]\n\n# *y*\n"
    draft.add("``")
    assert draft.release_text(everything=False) is False


@pytest.mark.parametrize(
    ("source", "mended"),
    [
        ("a **bo", "a **bo**"),
        ("a **", "a "),
        ("a **bold *", "a **bold**"),
        ("a `co", "a `co`"),
        ("a `", "a "),
        ("a ~~x", "a ~~x~~"),
        ("see [the do", "see the do"),
        ("see [the docs](https://exa", "see the docs"),
        ("![pic](da", "pic"),
        ("**a** b", "**a** b"),
        ("**a\n\nb", "**a\n\nb"),
        ("`**` b", "`**` b"),
    ],
)
def test_markup_that_is_half_there_is_not_shown(source, mended):
    made = close_markup(source)
    assert made == mended or (mended.endswith(" ") and made.strip() == mended.strip())


def test_definitions_at_the_end_change_what_was_finished_and_say_so():
    text = "See [docs] and a note[^1].\n\nMore.\n\n[docs]: https://example.com\n[^1]: Note."
    draft = Draft()
    draft.add(text)
    draft.render_new()
    assert len(draft.blocks) > 0
    assert draft.finish("m") is True
    assert draft.blocks == [render_markdown(text, "m")]
    assert "https://example.com" in draft.blocks[0]


def test_a_text_without_end_is_shown_as_it_is():
    text = "a *b* c.\n" * (MAX_MARKDOWN_CHARS // 9 + 10)
    draft = grow(text, lambda: 5000)
    assert draft.blocks == [render_plain(text)]


SHAPES = {
    "paragraphs": "Some **words** of a paragraph, with `code` and more of them.\n\n",
    "a list": "- an item with **words** and `code`\n",
    "a loose list": "- an item with **words**\n\n",
    "a table": "| a | b | c |\n",
    "code": "value = compute('something')  # and why\n",
    "one paragraph": "words and words and ",
    "a quote": "> a line of a quote\n",
    "lines": "a line\n",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_work_stays_in_proportion_to_the_text(shape):
    """Characters that were parsed, for each character of the text: independent of any clock."""
    head = {"a table": "| x | y | z |\n| - | - | - |\n", "code": "```python\n"}.get(shape, "")
    text = head + SHAPES[shape] * (40_000 // len(SHAPES[shape]))
    work, draft = 0, Draft()
    for at in range(0, len(text), 100):
        draft.add(text[at : at + 100])
        draft.release_text(everything=True)
        if draft.is_ripe:
            work += draft.pending_chars
            draft.render_new()
    draft.finish("m")
    assert "".join(draft.blocks) == render_markdown(text)
    assert work < 12 * len(text) + 100 * MAX_SMALL_CHARS


def test_the_parser_of_growing_texts_differs_in_nothing_else():
    rules = make_parser(growing=True).get_active_rules()
    whole = make_parser(growing=False).get_active_rules()
    assert rules["inline"]
    for chain, names in rules.items():
        assert {name for name in whole[chain] if "footnote" not in name} == set(names)
