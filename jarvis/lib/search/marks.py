"""A search, found again in a text: where what is searched for stands, and the piece of the text around it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from jarvis.lib.search.cutting import Term, cut_text, list_terms
from jarvis.lib.search.nodes import All, Any, Leaf, Node, Occurrence, Span, Stems, Without, find_node

MAX_MARKED_CHARS = 100_000  # of a text that are looked through
SNIPPET_LEAD_CHARS, SNIPPET_CHARS = 60, 220  # characters shown before the first hit, and in all


@dataclass(frozen=True, slots=True)
class SnippetPart:
    """A piece of a text, which is what was searched for or not."""

    text: str
    hit: bool


def cut_terms(text: str) -> list[Term]:
    return list(list_terms(cut_text(text[:MAX_MARKED_CHARS])))


def find_spans(node: Node | None, terms: Sequence[Term], stems: Stems) -> list[Span]:
    """Where a search stands in a text, in order and without overlaps. A part of it is enough, since what is searched
    for may be in the title and in several messages."""
    if node is None:
        return []
    by_text: dict[str, list[Occurrence]] = defaultdict(list)
    words: set[str] = set()
    rows: set[str] = set()
    for term in terms:
        if term.is_row:
            rows.add(term.text)
        by_text[term.text].append(Occurrence(term.place, term.start, term.end))
        if term.is_word:
            words.add(term.text)
    by_stem: dict[str, set[str]] = defaultdict(set)
    for word in words:
        for stem in stems.get(word, ()):
            by_stem[stem].add(word)

    def look_up(leaf: Leaf) -> list[Occurrence]:
        texts = {leaf.text}
        if leaf.inflected:
            texts.update(w for stem in stems.get(leaf.text, ()) if stem for w in by_stem.get(stem, ()))
        if leaf.unfinished:
            longer = {text for text in by_text if text.startswith(leaf.text)}
            texts |= longer - rows or longer  # `light` is marked in `light.py` without its ending
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
