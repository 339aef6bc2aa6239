"""The one sanitiser: an allow-list of elements, attributes, classes and addresses, whatever the HTML was made of."""

import re

import nh3

from chat.rendering.code import CLASSES
from chat.rendering.mathml import TONES

OWN_PLACES = ("/static/",)  # of this site, from which a picture may come
PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|avif);base64,[A-Za-z0-9+/=]+")
LENGTH = re.compile(r"([+-]?)(\d{0,2}(?:\.\d{1,4})?)(em|ex|px|pt)?")
WORDS = re.compile(r"[a-z0-9 -]{1,80}")
FOOTNOTE = re.compile(r"fn(?:ref)?-[\w-]{1,80}(?::\d{1,6})?")
SPACE = {"em": 4.0, "ex": 8.0, "px": 64.0, "pt": 48.0, None: 64.0}  # a formula stays near its place

TEXT = """p br hr h3 h4 h5 h6 strong em s code pre blockquote ul ol li table thead tbody tr th td a img sup section
div span sub kbd mark u ins small details summary"""
MATH = """math mrow mi mo mn mtext mspace mstyle msub msup msubsup munder mover munderover mfrac msqrt mroot mtable mtr
mtd mpadded mphantom menclose"""
MATH_WORDS = """display stretchy fence form accent accentunder movablelimits largeop symmetric columnalign columnlines
columnspacing rowlines displaystyle scriptlevel mathvariant notation"""
MATH_LENGTHS = frozenset(
    ["width", "height", "depth", "voffset", "lspace", "rspace", "minsize", "maxsize", "linethickness"]
)
MATH_TAGS = frozenset(MATH.split())
ALIGNED = {"left", "center", "right"}


def filter_attribute(tag: str, name: str, value: str) -> str | None:
    """The value of an attribute that is allowed, or None to leave it out."""
    if name == "src":
        return value if is_allowed_picture(value) else None
    if name == "href":
        if value.startswith("#"):
            return value if FOOTNOTE.fullmatch(value[1:]) else None
        return value if value.lower().startswith(("http://", "https://", "mailto:")) else None
    if name == "open":
        return ""
    if name == "id":
        return value if FOOTNOTE.fullmatch(value) else None
    if name == "alttext":
        return value
    if tag in MATH_TAGS:
        if name in MATH_LENGTHS:
            return value if is_short_length(value) else None
        return value if WORDS.fullmatch(value) else None
    return value


def is_allowed_picture(address: str) -> bool:
    """Whether a picture may be loaded: never from elsewhere, since its server would see who reads the answer."""
    if address.startswith(OWN_PLACES):
        return ".." not in address and "\\" not in address
    return PICTURE.fullmatch(address) is not None


def is_short_length(length: str) -> bool:
    found = LENGTH.fullmatch(length)
    if not found or not found[2]:
        return False
    size = float(found[2]) / SPACE[found[3]]
    return size <= (0.25 if found[1] == "-" else 1)


# None of them may mean something on the page itself.
CLASSES_OF_TAGS = {
    "span": {*CLASSES, "task", "ticked", "lang", "long"},
    "div": {"code", "head", "wide", "formula"},
    "code": {"tex"},
    "mstyle": {f"tone-{tone}" for tone in TONES},
    "pre": {"plain"},
    "th": ALIGNED,
    "td": ALIGNED,
    "a": {"picture", "back"},
    "li": {"todo"},
    "section": {"footnotes"},
    "sup": {"mark"},
}

_cleaner = nh3.Cleaner(
    tags={*TEXT.split(), *MATH_TAGS},
    clean_content_tags={"script", "style"},
    attributes={
        "*": set(),
        "a": {"href", "title", "id"},
        "img": {"src", "alt"},
        "ol": {"start"},
        "li": {"id"},
        "details": {"open"},
        **{tag: {*MATH_WORDS.split(), *MATH_LENGTHS} for tag in MATH_TAGS},
        "math": {"display", "alttext"},
    },
    tag_attribute_values={
        "a": {"target": {"_blank"}},
        "pre": {"tabindex": {"0"}},
        "div": {"tabindex": {"0"}},
        **{tag: {"dir": {"auto"}} for tag in ("ul", "ol", "blockquote", "table")},
        "span": {"tabindex": {"0"}},
        "img": {"loading": {"lazy"}},
    },
    attribute_filter=filter_attribute,
    allowed_classes=CLASSES_OF_TAGS,
    link_rel="noopener noreferrer nofollow",
    url_schemes={"http", "https", "mailto", "data"},
)


def sanitise_html(html: str) -> str:
    """The HTML with nothing in it but what is allowed."""
    return _cleaner.clean(html)
