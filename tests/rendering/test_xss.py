"""Nothing that a model writes becomes anything but what is on the list; `tests/browser/test_xss.py` asks a browser."""

import re
from html.parser import HTMLParser

import pytest

from chat.rendering.incremental import Draft
from chat.rendering.markdown import render_markdown, render_plain
from chat.rendering.sanitise import MATH_TAGS, TEXT, sanitise_html
from tests.support.xss import ALL, VECTORS

ATTRIBUTES = {
    "a": {"href", "title", "id", "class", "target", "rel"},
    "img": {"src", "alt", "loading"},
    "ol": {"start", "dir"},
    **{tag: {"dir"} for tag in ("ul", "blockquote", "table")},
    "details": {"open"},
    "li": {"id", "class"},
    "pre": {"class", "tabindex"},
    "div": {"class", "tabindex"},
    "span": {"class", "tabindex"},
    **{tag: {"class"} for tag in ("code", "th", "td", "section", "sup")},
}


class Reader(HTMLParser):
    """Complains of every element, attribute and address that should not be there."""

    def __init__(self, html):
        super().__init__()
        self.faults, self.found = [], []
        self.feed(html)
        self.close()

    def handle_data(self, data):
        self.found.append(data)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, sorted(attributes)))
        if tag not in {*TEXT.split(), *MATH_TAGS}:
            self.faults.append(tag)
        for name, value in attributes:
            if tag in MATH_TAGS:
                if name == "alttext" and tag == "math":  # the source, whatever is in it
                    continue
                if not re.fullmatch(r"[a-z]+", name) or not re.fullmatch(r"[a-z0-9 .+-]+", value):
                    self.faults.append((tag, name, value))
            elif name not in ATTRIBUTES.get(tag, ()):
                self.faults.append((tag, name, value))
            if name == "href" and not re.match(r"(https?://|mailto:|#fn)", value):
                self.faults.append((tag, name, value))
            if name == "src" and not re.match(r"(/static/|data:image/(png|jpeg|gif|webp|avif);base64,)", value):
                self.faults.append((tag, name, value))
        if tag == "a" and dict(attributes).get("rel") != "noopener noreferrer nofollow":
            self.faults.append("a link without its rel")

    def handle_comment(self, data):
        self.faults.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


@pytest.mark.parametrize("vector", VECTORS)
def test_only_what_is_allowed_comes_out(vector):
    for html in (render_markdown(vector), render_markdown(f"> - a\n> - {vector}"), render_plain(vector)):
        assert Reader(html).faults == []
        assert Reader(sanitise_html(html)).found == Reader(html).found  # no second reading makes another thing of it


@pytest.mark.parametrize("vector", VECTORS)
def test_nor_while_it_grows_wherever_it_is_cut(vector):
    draft = Draft()
    for char in vector:
        draft.add(char)
        draft.render_new()
        assert Reader("".join(draft.blocks)).faults == []
        assert Reader(draft.open).faults == []
    draft.finish("m")
    assert Reader("".join(draft.blocks)).faults == []


def test_nor_all_at_once():
    assert Reader(render_markdown(ALL)).faults == []


def test_the_sanitiser_lets_none_of_it_through_even_as_html():
    """Had the renderer a hole, the sanitiser would still be there."""
    for vector in VECTORS:
        for html in (vector, f"<math>{vector}</math>", f"<table><tr><td>{vector}", f"<p><a href='{vector}'>"):
            cleaned = sanitise_html(html)
            assert Reader(cleaned).faults == []
            assert Reader(sanitise_html(cleaned)).found == Reader(cleaned).found


def test_a_reader_that_finds_nothing_would_prove_nothing():
    assert len(VECTORS) >= 80
    for html in (
        "<script>",
        "<p onclick=x>",
        "<a href=javascript:x>",
        "<img src=https://x>",
        "<!-- x -->",
        "<math href=x>",
    ):
        assert Reader(html).faults
