"""Emphasis beside the punctuation of scripts that are written without blanks, and beside a colon or bracket.

CommonMark asks for a blank or punctuation outside of stars that have punctuation inside. Chinese, Japanese, Korean and
Thai have no blanks there, so that `**注意：**先` would show its stars; and models forget them, as in `**Note:**see`.
"""

import re
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import isMdAsciiPunct, isPunctChar
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline.state_inline import Scanned, StateInline
from markdown_it.token import Token

# Letters and punctuation of scripts that put no blanks between words; and Hangul, whose particles follow at once.
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff"
    "\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff]"
)
ENDS_PHRASE = frozenset(":;.,!?)]%\"'”’»…")
BEGINS_PHRASE = frozenset("([\"'“‘«")


class Inline(StateInline):
    """What is parsed of one paragraph."""

    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:  # noqa: N803
        found = super().scanDelims(start, canSplitWord)
        if not canSplitWord:
            return found
        before = self.src[start - 1] if start else " "
        after = self.src[start + found.length] if start + found.length < self.posMax else " "
        can_open = found.can_open or (not after.isspace() and may_begin(before, after, found.length))
        can_close = found.can_close or (not before.isspace() and may_end(before, after, found.length))
        return Scanned(can_open, can_close, found.length)


def may_begin(before: str, after: str, length: int) -> bool:
    """Whether marks may open emphasis between these two, although CommonMark says no."""
    if UNSPACED.match(before) or (UNSPACED.match(after) and is_punctuation(after)):
        return True
    return length == 2 and before.isalnum() and after in BEGINS_PHRASE


def may_end(before: str, after: str, length: int) -> bool:
    if UNSPACED.match(after) or (UNSPACED.match(before) and is_punctuation(before)):
        return True
    return length == 2 and after.isalnum() and before in ENDS_PHRASE


def is_punctuation(char: str) -> bool:
    return isMdAsciiPunct(ord(char)) or isPunctChar(char)


class InlineParser(ParserInline):
    def parse(self, src: str, md: MarkdownIt, env: Any, tokens: list[Token]) -> list[Token]:
        state = Inline(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


def widen_emphasis(md: MarkdownIt) -> None:
    """Plugin."""
    parser = InlineParser()
    parser.ruler, parser.ruler2 = md.inline.ruler, md.inline.ruler2
    md.inline = parser
