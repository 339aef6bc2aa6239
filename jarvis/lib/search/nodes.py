"""What a search asks for, as a tree that can be written as a tsquery and found again in a text."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Protocol, TypeAlias

Span: TypeAlias = tuple[int, int]  # from where to where in a text
Stems: TypeAlias = Mapping[str, tuple[str, str]]  # of a word, in Spanish and English; empty: passed over there


@dataclass(frozen=True, slots=True)
class Leaf:
    """A term; `unfinished`: also a longer one; `inflected`: in any form of the word."""

    text: str
    unfinished: bool = False
    inflected: bool = False


@dataclass(frozen=True, slots=True)
class Any:
    """One of them is enough."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class All:
    """Each of them is there, wherever."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """Each of them is there, at its distance from the first."""

    links: tuple[tuple[int, "Node"], ...]


@dataclass(frozen=True, slots=True)
class Without:
    node: "Node"


Node: TypeAlias = Leaf | Any | All | Chain | Without


def make_any(nodes: Iterable[Node]) -> Node:
    found = tuple(dict.fromkeys(nodes))
    return found[0] if len(found) == 1 else Any(found)


def make_all(nodes: Iterable[Node]) -> Node:
    found = tuple(dict.fromkeys(nodes))
    return found[0] if len(found) == 1 else All(found)


def make_chain(links: Sequence[tuple[int, Node]]) -> Node:
    return links[0][1] if len(links) == 1 else Chain(tuple(links))


def list_words(node: Node) -> Iterable[str]:
    """The words of a search that have other forms."""
    match node:
        case Leaf():
            return (node.text,) if node.inflected else ()
        case Any(nodes) | All(nodes):
            return (word for one in nodes for word in list_words(one))
        case Chain(links):
            return (word for _, one in links for word in list_words(one))
        case Without(one):
            return list_words(one)


def list_leaves(node: Node) -> Iterable[Leaf]:
    """The terms that a search wants to be there."""
    match node:
        case Leaf():
            return (node,)
        case Any(nodes) | All(nodes):
            return (leaf for one in nodes for leaf in list_leaves(one))
        case Chain(links):
            return (leaf for _, one in links for leaf in list_leaves(one))
        case Without():
            return ()


def write_tsquery(node: Node, stems: Stems) -> str:
    """The node in Postgres's language, without anything of it to be cut or stemmed again."""
    match node:
        case Leaf():
            forms = dict.fromkeys((node.text, *stems.get(node.text, ()))) if node.inflected else [node.text]
            written = [quote_lexeme(form) for form in forms if form]
            if node.unfinished:
                written.append(quote_lexeme(node.text) + ":*")
            return written[-1] if node.unfinished and len(written) == 2 else join_with(" | ", written)
        case Any(nodes):
            return join_with(" | ", [write_tsquery(one, stems) for one in nodes])
        case All(nodes):
            return join_with(" & ", [write_tsquery(one, stems) for one in nodes])
        case Chain(links):
            written = [write_tsquery(one, stems) for _, one in links]
            steps = [f" <{later - sooner}> " for (sooner, _), (later, _) in pairwise(links)]
            return f"({written[0]}{''.join(s + w for s, w in zip(steps, written[1:], strict=True))})"
        case Without(one):
            return f"!({write_tsquery(one, stems)})"


def join_with(operator: str, written: Sequence[str]) -> str:
    return written[0] if len(written) == 1 else f"({operator.join(written)})"


def quote_lexeme(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


class Occurrence(Protocol):
    """Something in a text."""

    @property
    def place(self) -> int: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


class Stretch(NamedTuple):
    """From one term of a chain to another."""

    place: int
    start: int
    end: int


TermLookup: TypeAlias = Callable[[Leaf], Sequence[Occurrence]]


def find_node(node: Node, look_up: TermLookup) -> Sequence[Occurrence]:
    """Where in a text a node holds; what is to be missing is nowhere."""
    match node:
        case Leaf():
            return look_up(node)
        case Any(nodes) | All(nodes):
            found = [find_node(one, look_up) for one in nodes]
            return [one for some in found for one in some] if isinstance(node, Any) or all(found) else []
        case Chain(links):
            return find_chain(links, look_up)
        case Without():
            return []


def find_chain(links: Sequence[tuple[int, Node]], look_up: TermLookup) -> Sequence[Occurrence]:
    (first, node), *others = links
    found: dict[int, Occurrence] = {one.place: one for one in find_node(node, look_up)}
    for offset, other in others:
        here = {one.place - (offset - first): one for one in find_node(other, look_up)}
        found = {
            place: Stretch(place, min(one.start, here[place].start), max(one.end, here[place].end))
            for place, one in found.items()
            if place in here
        }
    return list(found.values())
