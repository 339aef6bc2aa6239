r"""LaTeX as MathML that browsers can show: what latex2mathml makes of it, mended."""

import re
from collections.abc import Sequence
from colorsys import rgb_to_hls
from functools import lru_cache
from html import escape
from xml.etree.ElementTree import Element, tostring

from latex2mathml.converter import Converter

from chat.rendering.tex import expand_commands

MAX_FORMULA_CHARS = 3000
MAX_BRACE_DEPTH = 40  # braces in braces
MAX_LINE_SIGNS = 24  # of a formula in a line; a longer one scrolls in itself where the line is too narrow
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
CHILDREN = {"msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "mover": 2, "munderover": 3, "mfrac": 2, "mroot": 2}
# Where the capital and small Latin letters, the digits, and the capital and small Greek letters of a style begin.
VARIANTS = {
    "bold": (0x1D400, 0x1D41A, 0x1D7CE, 0x1D6A8, 0x1D6C2),
    "bold-italic": (0x1D468, 0x1D482, 0x1D7CE, 0x1D71C, 0x1D736),
    "bold-script": (0x1D4D0, 0x1D4EA, 0x1D7CE, 0x1D6A8, 0x1D6C2),
}
HEX_COLOUR = re.compile(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")
HUES = ((20, "red"), (65, "orange"), (160, "green"), (200, "teal"), (260, "blue"), (330, "purple"), (360, "red"))
COLOUR_NAMES = {
    "orange yellow gold brown amber peach melon": "orange",
    "teal cyan aqua turquoise": "teal",
    "purple violet magenta fuchsia orchid plum lavender": "purple",
    "red maroon crimson salmon pink rose brick": "red",
    "blue navy": "blue",
    "green lime olive": "green",
}
TONES = frozenset(["gray", *COLOUR_NAMES.values()])
UNDER_AND_OVER = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}
BIG_OPERATORS = frozenset(
    ["∑", "∏", "∐", "⋃", "⋂", "⋁", "⋀", "⨁", "⨂", "lim", "max", "min", "sup", "inf"]
)  # what takes its limits below and above
ESCAPED = re.compile(r"\\[{}\\]")
CHARACTER = re.compile(r"&#x([0-9A-Fa-f]{1,6});")


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
    known = ENVIRONMENT.sub(replace_environment, expand_commands(source))
    if len(known) > 3 * MAX_FORMULA_CHARS:
        return None
    try:
        root = Converter(display="block" if block else "inline").convert_to_element(known)
    except Exception:  # noqa: BLE001  # the errors of latex2mathml have no class in common, and it lets others through
        return None
    # Its own way to text takes back the escaping of what was written; here only its character references are resolved.
    for element in root.iter():
        element.text = map_characters(element.text)
        element.tail = map_characters(element.tail)
    for element in list(root.iter()):
        group_base(element)
        if element.tag in UNDER_AND_OVER and takes_limits(element[0]):
            element.tag = UNDER_AND_OVER[element.tag]
            element[0].set("movablelimits", "true")
        apply_variant(element)
        if colour := element.attrib.pop("mathcolor", ""):
            element.set("class", f"tone-{find_tone(colour)}")
    for row in [element for element in root.iter() if element.tag not in CHILDREN]:
        space_names(row)
    root.attrib.pop("xmlns", None)
    root.set("alttext", source)  # what is copied
    html = tostring(root, encoding="unicode")
    is_long = not block and len("".join(root.itertext())) > MAX_LINE_SIGNS
    return f'<span class="long" tabindex="0">{html}</span>' if is_long else html


def takes_limits(base: Element) -> bool:
    return base.tag == "mo" and (base.text in BIG_OPERATORS or "movablelimits" in base.attrib)


def group_base(element: Element) -> None:
    """Give an element as many children as it must have: a script after a matrix belongs to its brackets, too."""
    count = CHILDREN.get(element.tag)
    if count is None:
        return
    while len(element) < count:
        element.append(Element("mrow"))
    if extra := len(element) - count:
        base = Element("mrow")
        base.extend(element[: extra + 1])
        element[: extra + 1] = [base]


def apply_variant(element: Element) -> None:
    """Letters of a style as characters of their own: browsers know none of the styles but `normal`."""
    first = VARIANTS.get(element.get("mathvariant", ""))
    if first and element.text and (styled := [style_letter(char, first) for char in element.text]) and all(styled):
        element.text = "".join(styled)
        del element.attrib["mathvariant"]


def style_letter(char: str, first: Sequence[int]) -> str:
    for begin, end, place in zip("Aa0Αα", "Zz9Ωω", first, strict=True):
        if begin <= char <= end:
            return chr(place + ord(char) - ord(begin))
    return ""


def find_tone(colour: str) -> str:
    """Which of the page's colours comes next to a name or a number: they can be read in both themes."""
    if found := HEX_COLOUR.fullmatch(colour):
        digits = found[1] if len(found[1]) == 6 else "".join(2 * digit for digit in found[1])
        hue, lightness, saturation = rgb_to_hls(*(int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)))
        if saturation < 0.15 or not 0.05 < lightness < 0.95:
            return "gray"
        return next(tone for limit, tone in HUES if 360 * hue <= limit)
    name = colour.lower()
    return next((tone for words, tone in COLOUR_NAMES.items() if any(word in name for word in words.split())), "gray")


def space_names(row: Element) -> None:
    r"""Set the name of a function apart from what it is applied to, as in \log n and \sin^2 x."""
    for index in range(len(row) - 2, -1, -1):
        name, operand = row[index], row[index + 1]
        name = name[0] if name.tag in ("msub", "msup", "msubsup") else name
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
