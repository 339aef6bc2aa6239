"""What a person writes into a search field, read into what it asks for.

Words, all of which have to be there; `"a phrase"`; `-without`; `this or that`. The last word may be unfinished, since
people search while they type. One dash before a word means *without*, two are those of a command line.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from jarvis.lib.search.cutting import Piece, cut_text, join_row, join_words, split_rows
from jarvis.lib.search.nodes import Leaf, Node, Stems, Without, make_all, make_any, make_chain

MAX_QUERY_CHARS = 200  # of a search that count
MIN_PREFIX_CHARS = 3  # letters of an unfinished word; fewer are looked for as a word

TERM = re.compile(r'(?P<without>(?<!\S)-(?!-))?(?:"(?P<phrase>[^"]*)"|(?P<text>[^\s"]+))')
OPENING, CLOSING = "\u201c\u201d\u201e\u00ab\u00bb", '"'  # what other languages and phones write for a quotation mark
QUOTES = str.maketrans(dict.fromkeys(OPENING, CLOSING))


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing that a search asks for; `row`: the pieces of it, where it is no phrase."""

    node: Node
    is_without: bool = False
    row: tuple[Piece, ...] = ()

    @property
    def words(self) -> list[str]:
        return [piece.whole for piece in self.row if piece.kind == "word" and not self.is_without]


def parse_query(text: str) -> list[list[Wanted]]:
    """What a search asks for: one of the lists has to hold, and of it everything."""
    text = text.replace("\x00", " ")[:MAX_QUERY_CHARS].translate(QUOTES)
    groups = read_groups(text)
    if not any(not wanted.is_without for group in groups for wanted in group):
        groups = read_groups(text, dashes_are_text=True)  # `-rf` alone: nobody searches for all but that
    return [group for group in groups if any(not wanted.is_without for wanted in group)]


def read_groups(text: str, dashes_are_text: bool = False) -> list[list[Wanted]]:
    groups: list[list[Wanted]] = [[]]
    for match in TERM.finditer(text):
        without = match["without"] is not None and not dashes_are_text
        if match["text"] and match["text"].lower() == "or" and not match["without"]:
            groups.append([])
            continue
        pieces = cut_text(match["phrase"] or match["text"] or "")
        if not pieces:
            continue
        if match["phrase"] is not None:
            groups[-1].append(Wanted(node_of_phrase(pieces), without))
            continue
        at_end = match.end() == len(text) and not without
        for row in split_rows(pieces):
            node = node_of_row(row, at_end and row[-1] is pieces[-1])
            groups[-1].append(Wanted(node, without, tuple(row)))
    return groups


def build_node(groups: list[list[Wanted]], stems: Stems) -> Node | None:
    """All that is searched for. A word that a language passes over, such as `the` or `la`, is not looked for, unless
    there is nothing else."""
    found = [[w for w in group if w.is_without or not is_passed_over(w.node, stems)] for group in groups]
    useful = [group for group in found if any(not wanted.is_without for wanted in group)] or groups
    nodes = [make_all(Without(w.node) if w.is_without else w.node for w in group) for group in useful]
    return make_any(nodes) if nodes else None


def is_passed_over(node: Node, stems: Stems) -> bool:
    return isinstance(node, Leaf) and node.inflected and not node.unfinished and not all(stems.get(node.text, (".",)))


def loosen(groups: list[list[Wanted]], similar: Mapping[str, Sequence[str]]) -> list[list[Wanted]]:
    """The same search, content with what is nearly the same: words like one that is written nowhere, the words of a row
    in any order, a run without its beginning or its ending."""
    return [[loosen_one(wanted, similar) for wanted in group] for group in groups]


def loosen_one(wanted: Wanted, similar: Mapping[str, Sequence[str]]) -> Wanted:
    if wanted.is_without or not wanted.row:
        return wanted
    nodes: list[Node] = []
    for piece in wanted.row:
        if piece.kind == "word":
            others = [Leaf(word, inflected=is_inflected(word)) for word in similar.get(piece.whole, ())]
            nodes.append(make_any([node_of_word(piece, unfinished=False), *others]))
        else:
            nodes.append(loose_grams(piece))
    return replace(wanted, node=make_any([wanted.node, make_all(nodes)]))


def node_of_row(row: list[Piece], unfinished: bool = False) -> Node:
    """Pieces that are joined: as they stand there, with other signs between them, or with none."""
    if any(piece.kind != "word" for piece in row):
        return node_of_phrase(row)
    if len(row) == 1:
        return node_of_word(row[0], unfinished)
    links = [
        (one.last_place, Leaf(join_words(one.whole, other.whole), unfinished and other is row[-1]))
        for one, other in pairwise(row)
    ]
    has_numbers = any(one.whole[-1:].isdigit() and other.whole[:1].isdigit() for one, other in pairwise(row))
    ways = [make_chain(links) if has_numbers else make_all(node for _, node in links)]
    if (joined := join_row(row)) and (len(row) > 2 or has_numbers):
        ways.append(Leaf(joined))
    return make_any(ways)


def node_of_word(piece: Piece, unfinished: bool) -> Node:
    whole = Leaf(piece.whole, unfinished and len(piece.whole) >= MIN_PREFIX_CHARS, is_inflected(piece.whole))
    if len(piece.parts) <= 2:
        return whole
    # No chain of its parts: for that Postgres would have to unpack each text that has all of them.
    return make_any([whole, make_all(Leaf(one.text + other.text) for one, other in pairwise(piece.parts))])


def node_of_phrase(pieces: list[Piece]) -> Node:
    """Pieces one after the other, whatever stands between them."""
    return make_chain(list(links_of(pieces)))


def links_of(pieces: list[Piece]) -> Iterator[tuple[int, Node]]:
    for piece in pieces:
        parts = piece.parts
        if piece.kind == "grams" and len(parts) > 1:
            for n, (one, other) in enumerate(pairwise(parts)):
                yield piece.place + n, Leaf(one.text + other.text)
        elif piece.kind == "word":
            for n, part in enumerate(parts):
                yield piece.place + n, Leaf(part.text, inflected=is_inflected(part.text))
        else:
            yield piece.place, Leaf(parts[0].text, unfinished=piece.kind == "grams")


def is_inflected(word: str) -> bool:
    """Whether a word may have forms in the languages that have stems."""
    return word.isascii() and word.isalpha()


def loose_grams(piece: Piece) -> Node:
    """A run that may be without one or two of its last characters, such as a particle, or without its first."""
    parts = piece.parts
    shorter = [parts[:-1], parts[1:], parts[:-2]] if len(parts) > 3 else [parts[:-1]] if len(parts) == 3 else [parts]
    return make_any(node_of_phrase([piece._replace(parts=some)]) for some in shorter)
