"""What counts of a character in a search: its kind, and its letters without case, accents and forms."""

import unicodedata
from functools import lru_cache

# Kinds of characters, one letter each, so that the kinds of a text are a text of the same length.
SMALL, CAPITAL, DIGIT, MARK = "a", "A", "d", "m"  # of words; a mark belongs to the letter before it
GRAM, GRAM_MARK = "g", "k"  # of scripts that are written without blanks between words, or with endings joined on
SYMBOL, IGNORED, BLANK, OTHER = "s", "i", " ", "."

# First and last code points of the scripts whose texts are cut into pairs of characters: Indic to Myanmar, Hangul,
# Khmer, scripts of the Tai and of Java and Bali, Han and kana with what belongs to them, Yi.
GRAM_RANGES = (
    (0x0900, 0x109F), (0x1100, 0x11FF), (0x1780, 0x17FF), (0x1950, 0x19DF), (0x1A20, 0x1AAF), (0x1B00, 0x1B7F),
    (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x312F), (0x3130, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0xA4CF),
    (0xA960, 0xA9DF), (0xAA60, 0xAA7F), (0xAC00, 0xD7FF), (0xF900, 0xFAFF), (0xFF66, 0xFFDC), (0x1B000, 0x1B16F),
    (0x20000, 0x323AF),
)  # fmt: skip
SKIN_TONES = range(0x1F3FB, 0x1F400)
KEYCAP = "\u20e3"
NUKTA_CLASS = 7  # combining class of the dot that people leave out in Indic scripts

# Letters that Unicode does not take apart, though people do.
LETTERS = {
    "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ı": "i", "ł": "l", "ŋ": "n", "ŧ": "t",
    "ɓ": "b", "ɖ": "d", "ɗ": "d", "ɠ": "g", "ɨ": "i", "ƙ": "k", "ɲ": "n", "ƴ": "y", "ǝ": "e", "ə": "e", "ɛ": "e",
    "ɔ": "o", "ƀ": "b", "ƶ": "z", "ɫ": "l", "ĸ": "k", "ٱ": "ا", "ی": "ي", "ى": "ي", "ک": "ك",
    "ґ": "г", "ӏ": "і",
}  # fmt: skip


class _Kinds(dict[int, str]):
    """For `str.translate`: the kind of each character, found when it is first met."""

    def __missing__(self, code: int) -> str:
        kind = self[code] = find_kind(chr(code))
        return kind


def find_kind(char: str) -> str:
    code, category = ord(char), unicodedata.category(char)
    if category in ("Zs", "Zl", "Zp", "Cc"):
        return BLANK
    if category == "Cf" or code in SKIN_TONES or char == KEYCAP or 0xFE00 <= code <= 0xFE0F:
        return IGNORED
    if category[0] == "N" and unicodedata.normalize("NFKD", char)[0].isdigit():
        return DIGIT
    if category[0] in "LMN" and any(first <= code <= last for first, last in GRAM_RANGES):
        return GRAM_MARK if category[0] == "M" else GRAM
    if category[0] == "M":
        return MARK
    if category[0] in "LN":
        return CAPITAL if category in ("Lu", "Lt") else SMALL
    if category in ("So", "Sm", "Sc", "Sk") and code > 0x7F and char not in "´¨¯¸˙˚˜":
        return SYMBOL
    return OTHER


KINDS = _Kinds()


def kinds_of(text: str) -> str:
    """The kinds of a text's characters, one for each."""
    return text.translate(KINDS)


def fold_word(word: str) -> str:
    """A word without case, accents and forms: `ＣＡＦÉ` is `cafe`, `ﬁle` is `file`, `Łódź` is `lodz`."""
    return word.lower() if word.isascii() else _fold_word(word)


@lru_cache(maxsize=8192)
def _fold_word(word: str) -> str:
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", word).casefold())
    kept = (LETTERS.get(c) or fold_digit(c) for c in plain if unicodedata.category(c) not in ("Mn", "Me", "Cf"))
    return "".join(c for c in unicodedata.normalize("NFC", "".join(kept)) if c.isalnum() or KINDS[ord(c)] == MARK)


def fold_digit(char: str) -> str:
    """A digit of any script as one of ours; any other character as it is."""
    return str(unicodedata.decimal(char)) if char.isdecimal() else char


@lru_cache(maxsize=8192)
def fold_grams(run: str) -> str:
    """A run of a script without blanks in one form: half width is full width, parts of a letter are one letter."""
    plain = unicodedata.normalize("NFKD", run)
    kept = (c for c in plain if unicodedata.combining(c) != NUKTA_CLASS and unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFC", "".join(kept))


def fold_symbol(char: str) -> str:
    """A sign or an emoji; `™` is `tm`."""
    return unicodedata.normalize("NFKC", char).casefold()
