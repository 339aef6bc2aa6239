r"""LaTeX between $…$, $$…$$, \(…\) and \[…\]: found in the Markdown, and turned into MathML."""

import re
from functools import lru_cache
from html import escape
from xml.etree.ElementTree import Element, tostring

from latex2mathml.converter import Converter
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

MAX_FORMULA_CHARS = 3000  # characters of a formula
MAX_BRACE_DEPTH = 40  # braces in braces
MACROS = re.compile(r"\\(?:re|provide)?newcommand|\\[egx]?def\b|\\let\b|\\newenvironment|\\DeclareMathOperator")
ENVIRONMENT = re.compile(
    r"\\(begin|end)\{(aligned|align|alignat\*?|alignedat|eqnarray\*?|gathered|gather\*?|multline\*?|dcases)\}"
)
ENVIRONMENTS = {
    "gathered": "matrix",
    "gather": "matrix",
    "gather*": "matrix",
    "multline": "matrix",
    "multline*": "matrix",
}
UNDER_AND_OVER = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}
BIG_OPERATORS = frozenset(
    ["∑", "∏", "∐", "⋃", "⋂", "⋁", "⋀", "⨁", "⨂", "lim", "max", "min", "sup", "inf"]
)  # what takes its limits below and above
ESCAPED = re.compile(r"\\[{}\\]")
CHARACTER = re.compile(r"&#x([0-9A-Fa-f]{1,6});")
CLOSERS = {"$$": "$$", "\\[": "\\]", "\\(": "\\)", "$": "$"}


@lru_cache(maxsize=512)
def render_formula(source: str, *, block: bool) -> str:
    """A formula as MathML; its source as code where it cannot be read, is very long, or defines commands."""
    source = source.strip()
    fits = (
        source
        and len(source) <= MAX_FORMULA_CHARS
        and brace_depth(source) <= MAX_BRACE_DEPTH
        and not MACROS.search(source)
    )
    if not fits or (made := convert_to_mathml(source, block=block)) is None:
        return f'<code class="tex">{escape(source, quote=False)}</code>'
    return made


def convert_to_mathml(source: str, *, block: bool) -> str | None:
    try:
        root = Converter(display="block" if block else "inline").convert_to_element(
            ENVIRONMENT.sub(replace_environment, source)
        )
    except Exception:  # noqa: BLE001  # the errors of latex2mathml have no class in common, and it lets others through
        return None
    # Its own way to text takes back the escaping of what was written; here only its character references are resolved.
    for element in root.iter():
        element.text = map_characters(element.text)
        element.tail = map_characters(element.tail)
    for element in [found for found in root.iter() if found.tag in UNDER_AND_OVER]:
        if element[0].tag == "mo" and element[0].text in BIG_OPERATORS:
            element.tag = UNDER_AND_OVER[element.tag]
            element[0].set("movablelimits", "true")
    for row in list(root.iter()):
        space_names(row)
    root.attrib.pop("xmlns", None)
    return tostring(root, encoding="unicode")


def space_names(row: Element) -> None:
    r"""Set the name of a function apart from what it is applied to, as in \log n."""
    for index in range(len(row) - 2, -1, -1):
        name, operand = row[index], row[index + 1]
        if name.tag == "mi" and len(name.text or "") > 1 and (name.text or "").isascii() and operand.tag != "mo":
            row.insert(index + 1, Element("mspace", width="0.167em"))


def replace_environment(found: re.Match[str]) -> str:
    """An environment that latex2mathml does not know, under the name of one that looks like it."""
    name = "cases" if found[2] == "dcases" else ENVIRONMENTS.get(found[2], "align*")
    return f"\\{found[1]}{{{name}}}"


def map_characters(text: str | None) -> str | None:
    return CHARACTER.sub(lambda found: map_character(int(found[1], 16)), text) if text and "&#x" in text else text


def map_character(code: int) -> str:
    return chr(code) if 0x20 <= code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\ufffd"


def brace_depth(source: str) -> int:
    """How deep braces lie in braces; more than anything where they do not match."""
    now = most = 0
    for char in ESCAPED.sub("", source):
        now += (char == "{") - (char == "}")
        most = max(most, now)
        if now < 0:
            break
    return most if now == 0 else MAX_FORMULA_CHARS


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
