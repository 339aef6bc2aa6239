r"""LaTeX between $…$, $$…$$, \(…\) and \[…\]: found in the Markdown."""

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

from chat.rendering.mathml import MAX_FORMULA_CHARS

# A sum and then words or another sum, up to a second dollar: not `5x`, `2 \pi r` nor `3 + 4`.
MONEY = re.compile(r"\d[\d.,]*(?:[kKmMbB]|[kmb]n)?(?:[-–—/+]|(?=[^\\^_={}]*\s(?![a-zA-Z]\b)[^\W\d_]{2})[^\\^_={}]*)\Z")
CLOSERS = {"$$": "$$", "\\[": "\\]", "\\(": "\\)", "$": "$"}


def add_formulas(md: MarkdownIt, *, growing: bool) -> None:
    """Plugin. `growing`: a formula that the end of the text cuts off is one block, of which more may come."""

    def block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        return formula_block(state, start, end, silent, growing)

    md.block.ruler.before("fence", "formula", block, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    md.inline.ruler.before("escape", "formula", formula_inline)


def formula_block(state: StateBlock, start: int, end: int, silent: bool, growing: bool) -> bool:
    """A formula that begins a line and whose end comes before any blank line."""
    if state.is_code_block(start):
        return False
    pos = state.bMarks[start] + state.tShift[start]
    mark = state.src[pos : pos + 2]
    if mark not in ("$$", "\\["):
        return False
    closer = CLOSERS[mark]
    hopeless: dict[str, int] = state.env.setdefault("hopeless", {})  # closer: the line before which there is none
    if start < hopeless.get(closer, 0):
        return False
    lines, closed, after = [], False, ""
    line = start
    while line < end and not closed:
        first = line == start
        if not first and (state.isEmpty(line) or state.sCount[line] < state.blkIndent):
            break
        text = state.src[pos + 2 if first else state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
        text, found, after = text.partition(closer)
        closed = bool(found)
        lines.append(text)
        line += 1
    if closed and line == start + 1 and after.strip():
        return False  # more text on its line: a formula among words
    if not closed and not (growing and line >= state.lineMax):
        hopeless[closer] = line
        return False
    if silent:
        return True
    token = state.push("formula", "math", 0)
    token.content = "\n".join(lines)
    token.info = after.strip()
    token.hidden = not closed
    token.markup = mark
    token.block = True
    token.map = [start, line]
    state.line = line
    return True


def formula_inline(state: StateInline, silent: bool) -> bool:
    """A formula among words. A dollar is one only where it hugs the formula, and no digit follows the second one."""
    src, pos = state.src, state.pos
    mark = src[pos : pos + 2]
    if mark not in ("$$", "\\(", "\\["):
        if mark[:1] != "$":
            return False
        mark = "$"
    begin = pos + len(mark)
    end = src.find(CLOSERS[mark], begin, min(state.posMax, begin + MAX_FORMULA_CHARS))
    if end < 0 or not src[begin:end].strip():
        return False
    if mark == "$" and not (
        is_hugged(src, begin, end)
        and not (pos and (src[pos - 1].isalnum() or src[pos - 1] == "\\"))
        and not src[end + 1 : end + 2].isalnum()
        and not MONEY.match(src, begin, end)
    ):
        return False
    if not silent:
        token = state.push("formula_inline", "math", 0)
        token.content = src[begin:end]
        token.markup = mark
    state.pos = end + len(CLOSERS[mark])
    return True


def is_hugged(src: str, begin: int, end: int) -> bool:
    return not src[begin].isspace() and not src[end - 1].isspace() and src[end - 1] != "\\"
