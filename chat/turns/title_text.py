"""The title in what a model answers when it is asked for one. Pure functions of a text.

Few models answer with the title alone. They think first, greet, wrap it in JSON, a fence or quotation marks, or explain
themselves afterwards; and some titles look like any of that (`C#`, `.NET`, `"Hello" in Rust`) and have to stay.
"""

import json
import re

MAX_TITLE_CHARS = 80
MAX_ANSWER_CHARS = 20_000  # of an answer that are looked at: its end, after whatever was thought
MAX_LINE_CHARS = 400

# What a model thinks, by the marks that it puts around it; without the first one where the template has put it.
THOUGHTS = re.compile(
    r"<(think|thinking|thought|reasoning|reason|analysis|seed:think)>.*?(?:</\1>|\Z)"
    r"|\[THINK\].*?(?:\[/THINK\]|\Z)|◁think▷.*?(?:◁/think▷|\Z)"
    r"|<\|begin_of_thought\|>.*?(?:<\|end_of_thought\|>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
LONE_ENDS = re.compile(
    r"</(?:think|thinking|thought|reasoning|reason|analysis|seed:think)>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>",
    re.IGNORECASE,
)
# Channels of the harmony format, with its marks or with what is left where they were taken for special tokens.
CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<]*<\|message\|>")
BARE_CHANNEL = re.compile(
    r"\A\s*(?:assistant)?(?:analysis|commentary)(?:(?=[A-Z]|\s*\n)|(?=.*assistant\s*final))", re.DOTALL
)
BARE_FINAL = re.compile(r"assistant\s*final")
SPECIAL_TOKENS = re.compile(r"<\|[^<>|\n]{1,40}\|>|</?s>|<(?:eos|bos|pad|end_of_turn|start_of_turn)>")

FIRST_ITEM = re.compile(r"\A\s*1[.)]\s+(?=.*\n\s*2[.)]\s)")
FENCE = re.compile(r"^\s*(?:```|~~~)\s*[\w+-]*\s*$")
WRAPPER = re.compile(r"\A<(title|answer|output|result|h[1-6]|b|strong|em|p)>\s*(.+?)\s*</\1>\Z", re.IGNORECASE)
BOXED = re.compile(r"\A\$*\\(?:boxed|text)\{(.+)\}\$*\Z")
JSON_TITLE = re.compile(
    r"""["'](?:\w+[_ ])?(?:title|name|topic|subject|título|titulo|titre|titel|标题)["']\s*:\s*"""
    r"""(?:"((?:[^"\\\n]|\\.)*)|'((?:[^'\\\n]|\\.|(?<=\w)'(?=\w))*))""",
    re.IGNORECASE,
)

TITLE_WORD = r"(?:title|título|titulo|titre|titel|titolo|tytuł|название|заголовок|标题|標題|題名|タイトル|제목)"
LABEL = re.compile(
    rf"^(?:(?:the|a|my|suggested|proposed|possible|conversation|chat|thread|final|short|concise|el|le|der)\s+){{0,3}}"
    rf"{TITLE_WORD}(?:\s+(?:of|for)\s+(?:the|this)\s+(?:conversation|chat))?\s*(?:[:：]|\s[-–—]\s)\s*",
    re.IGNORECASE,
)
GREETING = re.compile(
    r"^[¡]?(?:sure(?: thing)?|certainly|of course|absolutely|okay|ok|alright|got it|great|understood|no problem|yes|"
    r"claro(?: que sí)?|por supuesto|bien sûr|natürlich|gerne|certo|конечно|好的|当然|はい)\s*[!.,:！。，、]+\s*",
    re.IGNORECASE,
)
INTRODUCTION = re.compile(
    r"^(?:here(?:'s|’s| is| are| you (?:go|are))\b|a (?:good|fitting|possible|suitable) title\b|"
    r"the title (?:is|could be)\b|i(?:'d| would| suggest| propose)\b|this (?:conversation|title)\b|"
    r"aquí (?:tienes|está)\b|voici\b|hier ist\b|ecco\b|вот\b|以下|这是|こちら)"
    r"(?P<words>[^:：\n]{0,120}?)(?P<end>[:：]|(?=[\x22“«「*])|[.。!]?$)\s*",
    re.IGNORECASE,
)
MUSING = re.compile(
    r"^(?:okay|ok|hmm|well|alright|first|so|now|we|i|let me|let's|the user|the conversation)\b"
    r".*\b(?:title|user|conversation|summari[sz]e)\b.*[.…]",
    re.IGNORECASE,
)
OBJECT = re.compile(r"\{.*(?:\}$|[\"']\s*:)|\{$")
ITEM = re.compile(r"^(?:[-•*–]\s+|#{1,6}\s+|>\s+)+")
PAIRS = [
    '""',
    "''",
    "“”",
    "„“",
    "„”",
    "‘’",
    "‚‘",
    "«»",
    "»«",
    "‹›",
    "「」",
    "『』",
    "《》",
    "``",
    "()",
    "[]",
    "**",
    "__",
]
EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3}|~~|`)(?=[^\s*])(.+?)(?<=[^\s*])\1(?![\w*])|\A(__?)(?=\S)([^_]+ [^_]+)\3\Z")
ABBREVIATION = re.compile(r"(?:\b\w\.\w|\b(?:etc|inc|ltd|co|vs|no|jr|sr|dr|mr|mrs|st))\.$", re.IGNORECASE)


def clean_title(answer: str) -> str:
    """The title in a model's answer; empty where there is none."""
    text = remove_thoughts(answer.replace("\x00", ""))[-MAX_ANSWER_CHARS:]
    if title := find_in_json(text):
        return shorten(title)
    for line in FIRST_ITEM.sub("", text).splitlines():
        if FENCE.match(line):
            continue
        words = " ".join(line[:MAX_LINE_CHARS].split())
        if MUSING.match(words) or OBJECT.match(words):
            return ""  # it thinks aloud, and what it may say in the end is anybody's guess
        if title := strip_line(words):
            return shorten(title)
    return ""


def remove_thoughts(text: str) -> str:
    """What a model says without what it thinks; a thought that never ends is all that there is."""
    if channels := list(CHANNEL.finditer(text)):
        finals = [found for found in channels if found[1].lower() == "final"]
        text = text[finals[-1].end() :].split("<|", 1)[0] if finals else ""
    elif BARE_CHANNEL.match(text):
        text = parts[-1] if len(parts := BARE_FINAL.split(text)) > 1 else ""
    text = THOUGHTS.sub("", text)
    text = text[max((found.end() for found in LONE_ENDS.finditer(text)), default=0) :]
    return SPECIAL_TOKENS.sub("", text)


def find_in_json(text: str) -> str:
    """A title that is the value of a key, also where the JSON is cut off or has Python's quotation marks."""
    if "{" not in text or not (found := JSON_TITLE.search(text, text.index("{"))):
        return ""
    written = found[1] or found[2] or ""
    try:
        value = json.loads(f'"{written}"')
    except ValueError:
        value = written
    return strip_line(" ".join(str(value).split()))


def strip_line(words: str) -> str:
    """A line without what is around the title in it; empty where that was all."""
    before = None
    while words and words != before:
        before = words
        for pattern in (ITEM, GREETING, LABEL):
            words = pattern.sub("", words)
        if found := INTRODUCTION.match(words):
            words = words[found.end() :]
        for pattern in (WRAPPER, BOXED):
            words = found.group(found.lastindex or 0) if (found := pattern.match(words)) else words
        words = strip_stop(strip_pairs(EMPHASIS.sub(r"\2\4", words))).strip()
        words = words if any(char.isalnum() or not char.isascii() for char in words) else ""
    return words


def strip_pairs(words: str) -> str:
    """Without marks that enclose the whole."""
    for pair in PAIRS:
        if len(words) > 2 and words[0] == pair[0] and words[-1] == pair[1] and not set(words[1:-1]) & set(pair):
            return words[1:-1]
    alone = words[:1] in '"“«„「《`' and words[1:].find(words[:1]) < 0 and not re.search(r'["”»“」》`]', words[1:])
    return words[1:] if alone else words  # the answer was cut off


def strip_stop(words: str) -> str:
    """Without a full stop or colon at its end, but for that of an abbreviation."""
    bare = words.rstrip(":：。 \t")
    if bare.endswith(".") and not ABBREVIATION.search(bare):
        bare = bare.rstrip(".")
    return bare


def shorten(title: str) -> str:
    return title if len(title) <= MAX_TITLE_CHARS else title[:MAX_TITLE_CHARS].rsplit(" ", 1)[0] + "…"
