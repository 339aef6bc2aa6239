"""The HTML that models write in Markdown: a closed list of tags, without their attributes. Any other is text.

`<br>` and pairs of tags that mark words are found in paragraphs and cells, `<details>` around blocks. A tag that lacks
its partner, or that crosses emphasis or a link, is text.
"""

import re
from html import unescape

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

ELEMENTS = {name: name for name in ["br", "sub", "sup", "kbd", "mark", "u", "ins", "small", "strong", "em", "s"]}
ELEMENTS |= {"b": "strong", "i": "em", "del": "s", "strike": "s"}
TAG = re.compile(rf"<(/?)({'|'.join(ELEMENTS)})(?:\s[^<>]{{0,200}})?/?>", re.IGNORECASE)
HALF_TAG = re.compile(r"</?[a-zA-Z]{0,10}$")
CODE = re.compile(r"<code>([^<\n]{1,500})</code>", re.IGNORECASE)
ITEM = re.compile(r"</?(?:ul|ol|li)>", re.IGNORECASE)  # a list in a cell, whose items are lines there

DETAILS = re.compile(r"<details(?:\s[^<>]{0,200})?>\s*", re.IGNORECASE)
SUMMARY = re.compile(r"<summary(?:\s[^<>]{0,200})?>(.{0,1000}?)</summary>[ \t]*", re.IGNORECASE | re.DOTALL)
DETAILS_TAG = re.compile(r"<(/?)details(?:\s[^<>]{0,200})?>", re.IGNORECASE)
HEADING_TAG = re.compile(r"</?h[1-6]>", re.IGNORECASE)
FENCE = re.compile(r"`{3,}|~{3,}")


def add_tags(md: MarkdownIt) -> None:
    """Plugin."""
    md.inline.ruler.before("autolink", "tag", tag)
    md.core.ruler.after("inline", "pair_tags", pair_tags)
    md.block.ruler.before("fence", "details", details, {"alt": ["paragraph", "reference", "blockquote", "list"]})


def tag(state: StateInline, silent: bool) -> bool:
    """Inline rule: a tag of the list."""
    if state.src[state.pos] != "<":
        return False
    if code := CODE.match(state.src, state.pos, state.posMax):
        if not silent:
            state.push("code_inline", "code", 0).content = unescape(code[1])
        state.pos = code.end()
        return True
    found = TAG.match(state.src, state.pos, state.posMax) or ITEM.match(state.src, state.pos, state.posMax)
    if found is None:
        return False
    if not silent:
        token = state.push("tag", "", 0)
        token.content = found[0]
        token.tag = ELEMENTS.get(found[2].lower(), "") if found.re is TAG else "li"
        token.info = "close" if found[0][1] == "/" else "open"
    state.pos = found.end()
    return True


def pair_tags(state: StateCore) -> None:
    """Core rule: what has no partner in its own place becomes text."""
    for index, block in enumerate(state.tokens):
        children = block.children or []
        if block.type == "inline" and any(child.type == "tag" for child in children):
            in_cell = state.tokens[index - 1].type in ("td_open", "th_open")
            paired = find_pairs(children)
            is_first = True  # nothing but tags of lists came before
            for child in children:
                if child.type == "tag" and child.tag == "li" and in_cell:
                    child.info = item_mark(child.content, is_first)
                elif child.type == "tag" and id(child) not in paired:
                    child.type, child.tag, child.info = "text", "", ""
                is_first = is_first and child.type == "tag" and child.info == ""


def item_mark(tag: str, is_first: bool) -> str:
    """What stands in a cell for a tag of a list."""
    return ("• " if is_first else "<br>• ") if tag.lower() == "<li>" else ""


def find_pairs(children: list[Token]) -> set[int]:
    """Ids of the tags that are shown as such."""
    paired: set[int] = set()
    around: list[Token] = []  # what has been opened: tags and other elements
    for child in children:
        if child.type == "tag" and child.tag == "br":
            paired.add(id(child))
        elif child.type == "tag" and child.tag != "li":
            if child.info == "open":
                around.append(child)
            elif around and around[-1].type == "tag" and around[-1].tag == child.tag:
                paired |= {id(around.pop()), id(child)}
        elif child.nesting > 0:
            around.append(child)
        elif child.nesting < 0:
            while around and around.pop().type == "tag":
                pass
    return paired


def close_tags(source: str) -> str:
    """The source with the ends of tags that are still open, and without half a tag."""
    source = HALF_TAG.sub("", source)
    opened: list[str] = []
    for found in TAG.finditer(source):
        name = found[2].lower()
        if found[1]:
            opened = opened[:-1] if opened[-1:] == [name] else opened
        elif name != "br":
            opened.append(name)
    return source + "".join(f"</{name}>" for name in reversed(opened[-10:]))


def details(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Block rule: `<details>` with or without a summary, and blocks in it. Without an end it goes on to that of all."""
    if state.is_code_block(start):
        return False
    pos = state.bMarks[start] + state.tShift[start]
    found = DETAILS.match(state.src, pos, state.eMarks[start])
    if found is None:
        return False
    if silent:
        return True
    last, close = find_details_end(state, start, found.end(), end)
    kept = {line: (state.bMarks[line], state.tShift[line], state.eMarks[line]) for line in range(start, last)}
    content_end = close.start() if close else state.eMarks[last - 1]
    if close:
        state.eMarks[last - 1] = content_end
    opening = state.push("details_open", "details", 1)
    opening.map = [start, last]
    if close is None:
        opening.attrs["open"] = ""  # more may come, and nobody is to miss it
    first = found.end()
    if summary := SUMMARY.match(state.src, find_text(state, first, start, last), content_end):
        push_summary(state, HEADING_TAG.sub("", summary[1]), start)
        first = summary.end()
    parse_content(state, first, content_end, start, last)
    closing = state.push("details_close", "details", -1)
    closing.info = state.src[close.end() : kept[last - 1][2]].strip() if close else ""
    for line, marks in kept.items():
        state.bMarks[line], state.tShift[line], state.eMarks[line] = marks
    state.line = last
    return True


def find_details_end(state: StateBlock, start: int, pos: int, end: int) -> tuple[int, re.Match[str] | None]:
    """The line after the details, and the tag that ends it: the one that fits, outside of fences."""
    depth, fence = 1, ""
    for line in range(start, end):
        begin = max(pos, state.bMarks[line] + state.tShift[line])
        if line > start and not state.isEmpty(line) and state.sCount[line] < state.blkIndent:
            return line, None
        mark = FENCE.match(state.src, begin, state.eMarks[line])
        if mark and (not fence or mark[0].startswith(fence)):
            fence = "" if fence else mark[0]
        elif not fence:
            for found in DETAILS_TAG.finditer(state.src, begin, state.eMarks[line]):
                depth += -1 if found[1] else 1
                if depth == 0:
                    return line + 1, found
    return end, None


def push_summary(state: StateBlock, text: str, line: int) -> None:
    state.push("summary_open", "summary", 1)
    inline = state.push("inline", "", 0)
    inline.content, inline.children, inline.map = " ".join(text.split()), [], [line, line + 1]
    state.push("summary_close", "summary", -1)


def parse_content(state: StateBlock, first: int, content_end: int, start: int, last: int) -> None:
    """Parse the blocks between two places of the source, of which the first may be within a line."""
    first = skip_blank(state.src, first, content_end)
    line = next((line for line in range(start, last) if first < state.eMarks[line]), last)
    if line == last or first >= content_end:
        return
    if state.bMarks[line] < first and state.src[state.bMarks[line] : first].strip():
        state.bMarks[line], state.tShift[line], state.sCount[line] = first, 0, state.blkIndent
    parent, state.parentType = state.parentType, "details"
    line_max, state.lineMax = state.lineMax, last
    state.md.block.tokenize(state, line, last)
    state.parentType, state.lineMax = parent, line_max


def find_text(state: StateBlock, pos: int, line: int, last: int) -> int:
    """Where the text goes on after a place in a line, beyond blank lines and the marks of quotes."""
    if state.src[pos : state.eMarks[line]].strip():
        return pos
    line = next((below for below in range(line + 1, last) if not state.isEmpty(below)), line)
    return max(pos, state.bMarks[line] + state.tShift[line])


def skip_blank(source: str, pos: int, end: int) -> int:
    while pos < end and source[pos].isspace():
        pos += 1
    return pos
