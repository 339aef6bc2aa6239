"""A search, found again in a text: where what is searched for stands, and the piece of the text around it."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from jarvis.lib.search.cutting import Term, cut_text, list_terms
from jarvis.lib.search.folding import fold_grams, fold_word
from jarvis.lib.search.nodes import All, Any, Leaf, Node, Occurrence, Span, Stems, Without, find_node, list_leaves

MAX_MARKED_CHARS = 100_000  # of a text that are looked through
WINDOW_CHARS, WINDOW_STEP = 450, 350  # of a text that are looked at together, and from one such piece to the next
MAX_WINDOWS = 2
NEEDLE_CHARS = 3  # of a word with other forms that are looked for before a piece of a text is cut
SEPARATORS = re.compile(r"[\s!-\"$-*,-/:-@\[-`{-~]+")  # all of ASCII's signs but those of `C++` and `C#`
SNIPPET_LEAD_CHARS, SNIPPET_CHARS = 60, 220  # characters shown before the first hit, and in all


class Excerpt(NamedTuple):
    """A piece of a text, and where it begins."""

    start: int
    text: str


@dataclass(frozen=True, slots=True)
class SnippetPart:
    """A piece of a text, which is what was searched for or not."""

    text: str
    hit: bool


def cut_terms(text: str) -> list[Term]:
    return list_terms(cut_text(text[:MAX_MARKED_CHARS]))


def choose_windows(node: Node | None, text: str) -> list[Excerpt]:
    """The first pieces of a text in which a search may have a hit, since to cut all of it takes longer."""
    if len(text) <= WINDOW_CHARS or node is None:
        return [Excerpt(0, text)]
    needles = {leaf.text[:NEEDLE_CHARS] if leaf.inflected else leaf.text for leaf in list_leaves(node)}
    windows = (cut_window(text, start) for start in range(0, min(len(text), MAX_MARKED_CHARS), WINDOW_STEP))
    return list(islice((w for w in windows if any(needle in squeeze(w.text) for needle in needles)), MAX_WINDOWS))


def cut_window(text: str, start: int) -> Excerpt:
    """A piece of a text that begins and ends with a word."""
    end = start + WINDOW_CHARS
    if start:
        start = text.find(" ", start, start + WINDOW_CHARS - WINDOW_STEP) + 1 or start
    if end < len(text):
        end = max(text.rfind(" ", start, end), start + WINDOW_STEP)
    return Excerpt(start, text[start:end])


@lru_cache(maxsize=64)
def squeeze(text: str) -> str:
    """Only the letters and signs of a text, folded, so that what is searched for is in it whatever stands between."""
    folded = text.lower() if text.isascii() else fold_word(text) + fold_grams(text)
    return SEPARATORS.sub("", folded)


def find_spans(node: Node | None, terms: Sequence[Term], stems: Stems) -> list[Span]:
    """Where a search stands in a text, in order and without overlaps. A part of it is enough, since what is searched
    for may be in the title and in several messages."""
    if node is None:
        return []
    by_text: dict[str, list[Term]] = defaultdict(list)
    for term in terms:
        by_text[term.text].append(term)
    by_stem: dict[str, set[str]] = defaultdict(set)
    for word in by_text if stems else ():
        for stem in stems.get(word, ()):
            by_stem[stem].add(word)

    def look_up(leaf: Leaf) -> Sequence[Occurrence]:
        texts = {leaf.text}
        if leaf.inflected:
            texts.update(w for stem in stems.get(leaf.text, ()) if stem for w in by_stem.get(stem, ()))
        if leaf.unfinished:
            longer = {text for text in by_text if text.startswith(leaf.text)}
            alone = {text for text in longer if not by_text[text][0].is_row}
            texts |= alone or longer  # `light` is marked in `light.py` without its ending
        return [one for text in texts for one in by_text.get(text, ())]

    found = sorted((one.start, one.end) for part in parts_to_mark(node) for one in find_node(part, look_up))
    return merge_spans(found)


def parts_to_mark(node: Node) -> list[Node]:
    """What is marked each by itself, though all of it is asked for."""
    match node:
        case Any(nodes) | All(nodes):
            return [part for one in nodes for part in parts_to_mark(one)]
        case Without():
            return []
    return [node]


def merge_spans(found: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in found:
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def make_snippet(text: str, spans: Sequence[Span]) -> list[SnippetPart]:
    """The piece of a text around its first hit, on one line."""
    first = spans[0][0] if spans else 0
    start = max(0, first - SNIPPET_LEAD_CHARS)
    if start:
        start = text.find(" ", start, first) + 1 or start
    end = start + SNIPPET_CHARS
    parts = [SnippetPart(" ".join(f"|{p.text}|".split())[1:-1], p.hit) for p in split_parts(text, spans, start, end)]
    parts = [SnippetPart("…", False)] * bool(start) + parts + [SnippetPart("…", False)] * (end < len(text))
    return join_parts(parts)


def split_parts(text: str, spans: Sequence[Span], start: int = 0, end: int | None = None) -> list[SnippetPart]:
    """A text, or the piece of it from `start` to `end`, cut into what was searched for and what was not."""
    end = len(text) if end is None else min(end, len(text))
    made: list[SnippetPart] = []
    for first, last in spans:
        first, last = max(first, start), min(last, end)
        if first >= last:
            continue
        made += [SnippetPart(text[start:first], False), SnippetPart(text[first:last], True)]
        start = last
    return [part for part in [*made, SnippetPart(text[start:end], False)] if part.text]


def join_parts(parts: Sequence[SnippetPart]) -> list[SnippetPart]:
    """The same without empty parts, neighbours of one kind as one."""
    made: list[SnippetPart] = []
    for part in parts:
        if made and made[-1].hit == part.hit:
            made[-1] = SnippetPart(made[-1].text + part.text, part.hit)
        elif part.text:
            made.append(part)
    return made
