"""A text, cut into what it is searched by: the same function for a query and for what is searched.

A *piece* is a run of letters and digits, a run of a script that is written without blanks, or a sign. It is *joined* to
the one before it where nothing but a few signs stand between: `settings.py` is two pieces, the second of them joined.
A run has *parts*, where small letters are followed by a capital or letters by digits: `getUserName`, `GPT4`.

Of the pieces come *terms*, each with its place: a run as a whole and each of its parts; two neighbours that are joined
as one (`settingspy`, and `3.11` of digits); a joined row as a whole (`email` of `e-mail`, `10000` of `10,000`); pairs
of characters of scripts without blanks. So whatever stands in a text is found as it stands there, with other signs
between its parts or with none, and a file name or a version costs a look at a few rare terms.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Literal, NamedTuple

from jarvis.lib.search.folding import fold_grams, fold_symbol, fold_word, kinds_of

MAX_JOINT_CHARS = 3  # signs between two pieces that are joined
MAX_PARTS = 8  # of a run; one with more, such as a key in base64, is only a whole
MAX_MIXED_PARTS = 4  # of a run with digits, such as a hash
MAX_JOINED_PIECES = 5  # of a row that is also one term
MAX_TERM_CHARS = 60  # what is longer is cut off

PIECE = re.compile(r"(?P<simple>(?:A?a+|d+)(?![aAdmi]))|(?P<word>[aAd][aAdmi]*)|(?P<grams>[gk][gkmi]*)|(?P<symbol>s)")
PART = re.compile(r"(?:A[mi]*){2,}a(?![aAdmi])|(?:A[mi]*)+(?![ami])|(?:A[mi]*)?(?:a[mi]*)+|(?:d[mi]*)+")
CLUSTER = re.compile(r"[gk][kmi]*")
SIGN = re.compile(r"\+\+|#(?!\w)")  # `C++` and `C#` are more than their letter
MAX_SIGNED_CHARS = 16  # of a run that may have a sign
THOUSANDS = re.compile(r"[,.'’_]")
NEVER_BLANK = re.compile("[\u1100-\u11ff]")  # Korean in parts of syllables, as some file systems have it
CLUSTER_TAIL = "\uff9e\uff9f"  # marks of voice in half width


class Part(NamedTuple):
    """A part of a piece, folded, and where it is in the text."""

    text: str
    start: int
    end: int


class Piece(NamedTuple):
    """A run of a text. Each of its parts has a place of its own, counted from `place`."""

    kind: Literal["word", "grams", "symbol"]
    whole: str
    parts: tuple[Part, ...]
    place: int
    joint: str | None  # the signs between it and the piece before it; None where a blank is there, or many signs

    @property
    def start(self) -> int:
        return self.parts[0].start

    @property
    def end(self) -> int:
        return self.parts[-1].end

    @property
    def last_place(self) -> int:
        return self.place + len(self.parts) - 1

    @property
    def is_joined(self) -> bool:
        return self.joint is not None


class Term(NamedTuple):
    """What a text is found by: at which place, and from where to where it stands in the text."""

    text: str
    place: int
    start: int
    end: int
    is_word: bool = False  # a run of letters as a whole: it has other forms
    is_row: bool = False  # several pieces as one


def cut_text(text: str) -> list[Piece]:
    """The pieces of a text in their order."""
    kinds = kinds_of(text)
    lower = text.lower() if text.isascii() else ""
    pieces: list[Piece] = []
    place = end = 0
    for match in PIECE.finditer(kinds):
        kind = match.lastgroup
        start, last = match.span()
        if kind == "simple":  # most of a text: worth not to be looked at twice
            whole = (lower[start:last] if lower else fold_word(text[start:last]))[:MAX_TERM_CHARS]
            parts: tuple[Part, ...] = (Part(whole, start, last),) if whole else ()
        else:
            parts = find_parts(kind or "", text, kinds, start, last)
            whole = "".join([part.text for part in parts])[:MAX_TERM_CHARS] if kind == "word" else ""
        if not parts:
            continue
        joint = None
        if start - end <= MAX_JOINT_CHARS and pieces and " " not in kinds[end:start]:
            joint = text[end:start]
        pieces.append(Piece("word" if kind == "simple" else kind, whole, parts, place, joint))  # type: ignore[arg-type]
        place += len(parts)
        end = last
        if text[last : last + 1] in ("+", "#") and len(whole) <= MAX_SIGNED_CHARS and (sign := SIGN.match(text, last)):
            pieces[-1] = with_sign(pieces[-1], sign[0])
    return pieces


def with_sign(piece: Piece, sign: str) -> Piece:
    """A run that ends with a sign that belongs to it, as in `C#`."""
    end = piece.end + len(sign)
    last = Part(piece.parts[-1].text + sign, piece.parts[-1].start, end)
    return Piece(piece.kind, piece.whole + sign, (*piece.parts[:-1], last), piece.place, piece.joint)


def find_parts(kind: str, text: str, kinds: str, start: int, end: int) -> tuple[Part, ...]:
    match kind:
        case "word":
            return tuple(find_word_parts(text, kinds, start, end))
        case "grams":
            return tuple(find_grams(text, kinds, start, end))
    return (Part(fold_symbol(text[start:end]), start, end),)


def find_word_parts(text: str, kinds: str, start: int, end: int) -> list[Part]:
    run = kinds[start:end]
    spans = [match.span() for match in PART.finditer(kinds, start, end)] if len(set(run)) > 1 else []
    limit = MAX_MIXED_PARTS if "d" in run else MAX_PARTS
    if not 1 < len(spans) <= limit:
        spans = [(start, end)]
    folded = ((fold_word(text[first:last])[:MAX_TERM_CHARS], first, last) for first, last in spans)
    return [Part(*one) for one in folded if one[0]]


def find_grams(text: str, kinds: str, start: int, end: int) -> list[Part]:
    """The characters of a run, each with the marks that belong to it where these change it."""
    run = text[start:end]
    if run.isascii() or (folded := fold_grams(run)) == run:
        return [Part(char, start + n, start + n + 1) for n, char in enumerate(run)]
    if NEVER_BLANK.search(run):  # which of these make a syllable only the whole tells
        return [Part(char, start, end) for char in folded]
    spans: list[tuple[int, int]] = []
    for match in CLUSTER.finditer(kinds, start, end):
        if spans and text[match.start()] in CLUSTER_TAIL:
            spans[-1] = spans[-1][0], match.end()
        else:
            spans.append(match.span())
    return [Part(char, first, last) for first, last in spans for char in fold_grams(text[first:last])]


def split_rows(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """The pieces in rows of those that are joined."""
    row: list[Piece] = []
    for piece in pieces:
        if row and not piece.is_joined:
            yield row
            row = []
        row.append(piece)
    if row:
        yield row


def join_words(one: str, other: str) -> str:
    """Two runs as one term. Numbers keep a point between them: 3.11 is not 311."""
    numbers = one[-1:].isdigit() and other[:1].isdigit()
    return (f"{one}.{other}" if numbers else one + other)[:MAX_TERM_CHARS]


def join_row(row: list[Piece]) -> str:
    """A row of runs as one term: `email` of `e-mail`, 10000 of 10,000. Empty where it makes none."""
    if not 1 < len(row) <= MAX_JOINED_PIECES or any(piece.kind != "word" for piece in row):
        return ""
    words = [piece.whole for piece in row]
    if all(word.isdigit() for word in words):
        grouped = len(words[0]) <= 3 and all(len(word) == 3 for word in words[1:])
        return "".join(words) if grouped and all(THOUSANDS.fullmatch(p.joint or "") for p in row[1:]) else ""
    if any(one[-1:].isdigit() and other[:1].isdigit() for one, other in pairwise(words)):
        return ""
    return "".join(words)[:MAX_TERM_CHARS]


def list_terms(pieces: Iterable[Piece]) -> list[Term]:
    """Whatever a text is found by."""
    terms: list[Term] = []
    row: list[Piece] = []
    for piece in pieces:
        if piece.joint is None:
            if len(row) > 1:
                add_row(terms, row)
            row = []
        row.append(piece)
        if piece.kind != "word":
            terms += terms_of_grams(piece)
        elif len(piece.parts) == 1 and piece.whole[-1] not in "+#":  # most of a text
            terms.append(Term(piece.whole, piece.place, piece.parts[0].start, piece.parts[0].end, True))
        else:
            terms += terms_of_word(piece)
    if len(row) > 1:
        add_row(terms, row)
    return terms


def add_row(terms: list[Term], row: list[Piece]) -> None:
    """What pieces that are joined are found by together."""
    for before, piece in pairwise(row):
        if before.kind == piece.kind == "word":
            terms += terms_between(before, piece)
    if joined := join_row(row):
        terms.append(Term(joined, row[0].place, row[0].start, row[-1].end, is_row=True))


def terms_of_word(piece: Piece) -> Iterator[Term]:
    parts = piece.parts
    yield Term(piece.whole, piece.place, piece.start, piece.end, is_word=True)
    if (plain := piece.whole.rstrip("+#")) != piece.whole:
        yield Term(plain, piece.place, piece.start, piece.end)
    if len(parts) == 1:
        return
    yield Term(piece.whole, piece.last_place, piece.start, piece.end)
    for n, part in enumerate(parts):
        yield Term(part.text, piece.place + n, part.start, part.end, is_word=True)
        if n and len(parts) > 2:
            yield Term(parts[n - 1].text + part.text, piece.place + n - 1, parts[n - 1].start, part.end)


def terms_between(before: Piece, piece: Piece) -> Iterator[Term]:
    """The two as one, as wholes and by the parts that touch."""
    if len(before.parts) == len(piece.parts) == 1:
        yield Term(join_words(before.whole, piece.whole), before.place, before.start, piece.end, is_row=True)
        return
    ends = {before.whole: before.start, before.parts[-1].text: before.parts[-1].start}
    starts = {piece.whole: piece.end, piece.parts[0].text: piece.parts[0].end}
    for one, start in ends.items():
        for other, end in starts.items():
            yield Term(join_words(one, other), before.last_place, start, end, is_row=True)


def terms_of_grams(piece: Piece) -> Iterator[Term]:
    """Pairs of characters, and the last one alone: so that one is found as the beginning of a term."""
    parts = piece.parts
    for n, (one, other) in enumerate(pairwise(parts)):
        yield Term(one.text + other.text, piece.place + n, one.start, other.end)
    yield Term(parts[-1].text, piece.last_place, parts[-1].start, parts[-1].end)
