"""Markdown in a fence, with fences in it.

In CommonMark the first bare fence ends the outer one, so a document that a model shows in a fence of three backticks
falls apart at its first code block. Here fences in a fence of Markdown are counted: one with a language opens, a bare
one closes; it opens where a blank line is above and none below it. No more than the next line is looked at, so that a
block that has ended stays as it is while a text grows.
"""

import re

from markdown_it.rules_block import StateBlock, fence

MARKDOWN_NAMES = frozenset(["markdown", "md", "mdx", "mdown", "mkd", "rmd", "qmd", "rmarkdown", "commonmark", "gfm"])
FENCE = re.compile(r"(`{3,}|~{3,})[ \t]*(.*)")


def fence_with_fences(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Block rule: fences, those of Markdown with fences in them."""
    found = None if state.is_code_block(start) else FENCE.match(line_text(state, start))
    if found is None or not is_markdown(found[2]):
        return fence(state, start, end, silent)
    if silent:
        return True
    last, closed = find_end(state, start, end, found[1])
    token = state.push("fence", "code", 0)
    token.info = found[2]
    token.content = state.getLines(start + 1, last, state.sCount[start], True)
    token.markup = found[1]
    state.line = last + closed
    token.map = [start, state.line]
    return True


def find_end(state: StateBlock, start: int, end: int, outer: str) -> tuple[int, bool]:
    """The line that closes a fence of Markdown, and True; the line after it where none does, and False."""
    open_fences = [(len(outer), True)]  # length, and whether fences are looked for in it
    for line in range(start + 1, end):
        if not state.isEmpty(line) and state.sCount[line] < state.blkIndent:
            return line, False
        found = None if state.is_code_block(line) else FENCE.match(line_text(state, line))
        if found is None or found[1][0] != outer[0] or len(found[1]) < len(outer):
            continue
        mark, info = found.groups()
        length, is_document = open_fences[-1]
        if info:
            if is_document and not (mark[0] == "`" and "`" in info):
                open_fences.append((len(mark), is_markdown(info)))
        elif is_document and looks_like_opener(state, line, start, end):
            open_fences.append((len(mark), False))
        elif len(mark) >= length:
            open_fences.pop()
            if not open_fences:
                return line, True
    return end, False


def looks_like_opener(state: StateBlock, line: int, start: int, end: int) -> bool:
    return line - 1 > start and state.isEmpty(line - 1) and line + 1 < end and not state.isEmpty(line + 1)


def is_markdown(info: str) -> bool:
    return (info.split() or [""])[0].lower() in MARKDOWN_NAMES


def line_text(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].rstrip()
