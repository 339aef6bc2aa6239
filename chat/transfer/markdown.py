"""Texts beside each other in one Markdown file: what one leaves open does not swallow the next."""

import re

from markdown_it import MarkdownIt

# What HTML is ended by, for blocks that go on over blank lines; the others end by themselves.
HTML_ENDS = (
    (re.compile(r"<(script|pre|style|textarea)(?=[\s>]|$)", re.IGNORECASE), "</{}>"),
    (re.compile(r"<!--"), "-->"),
    (re.compile(r"<\?"), "?>"),
    (re.compile(r"<!\[CDATA\["), "]]>"),
    (re.compile(r"<![A-Za-z]"), ">"),
)
MAY_STAY_OPEN = ("```", "~~~", "<")

parser = MarkdownIt("commonmark")
parser.core.ruler.enableOnly(["normalize", "block"])


def close_blocks(text: str) -> str:
    """A text with an end to the code or HTML that it leaves open, as an answer does that was stopped."""
    if not any(mark in text for mark in MAY_STAY_OPEN):
        return text
    tokens = parser.parse(f"{text}\n\n# end\n")
    if tokens and tokens[-1].type == "heading_close" and tokens[-1].level == 0:
        return text
    open_block = tokens[-1] if tokens else None
    if open_block is None or open_block.level:
        return text
    if open_block.type == "fence":
        return f"{text}\n{open_block.markup}"
    for start, end in HTML_ENDS:
        if found := start.match(open_block.content.lstrip()):
            return f"{text}\n{end.format(*found.groups())}"
    return text
