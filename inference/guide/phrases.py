"""Patterns of questions: "(how|where) do i {make} a key" stands for many sentences, to draw from or to recognise."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from .folding import MARKS

PARTS = re.compile(r"[()|]|\{\w+\}|[^(){}|]+")
CONSONANTS = "b bl br c ch cr d dr f fl fr g gl gr h j k kl l m n p pl pr qu r s sh sk st t th tr v w z".split()  # noqa: SIM905
VOWELS = ("a", "e", "i", "o", "u", "ai", "ea", "ie", "io", "ou")
ENDINGS = ("", "", "n", "s", "r", "l", "x", "th", "ck", "m", "do", "nte")


@dataclass(frozen=True)
class PatternChoice:
    """One of several sequences; a sequence is made of texts, further choices and inventions."""

    options: tuple[tuple["str | PatternChoice | Invention", ...], ...]

    def draw(self, random: Random) -> str:
        parts = random.choice(self.options)
        return "".join(part if isinstance(part, str) else part.draw(random) for part in parts)

    def expression(self) -> str:
        """A regular expression for all that `draw` can give, spaces counting for little."""
        sequences = ("".join(map(_expression, parts)) for parts in self.options)
        return f"(?:{'|'.join(sequences)})"


@dataclass(frozen=True)
class Invention:
    """A number, or a word that nobody has seen before."""

    kind: str

    def draw(self, random: Random) -> str:
        if self.kind == "number":
            return str(random.choice((random.randrange(12), random.randrange(100), random.randrange(10_000))))
        syllables = (random.choice(CONSONANTS) + random.choice(VOWELS) for _ in range(random.randrange(1, 4)))
        return "".join(syllables) + random.choice(ENDINGS)

    def expression(self) -> str:
        return r"\d+" if self.kind == "number" else r"(?!)"  # an invented word matches nothing that a person wrote


def _expression(part: str | PatternChoice | Invention) -> str:
    return re.escape(part.lower().translate(MARKS)).replace(r"\ ", " *") if isinstance(part, str) else part.expression()


def parse(pattern: str, words: Mapping[str, str]) -> PatternChoice:
    """The pattern as a choice; `words` has the patterns behind names in braces. Raises ValueError where malformed."""
    tokens = PARTS.findall(pattern)
    choice, rest = _options(tokens, words)
    if rest or "".join(tokens) != pattern:
        raise ValueError(f"Unbalanced brackets in the pattern {pattern!r}")
    return choice


def _options(tokens: list[str], words: Mapping[str, str]) -> tuple[PatternChoice, list[str]]:
    options: list[tuple[str | PatternChoice | Invention, ...]] = []
    parts: list[str | PatternChoice | Invention] = []
    while tokens and tokens[0] != ")":
        token, *tokens = tokens
        if token == "|":
            options.append(tuple(parts))
            parts = []
        elif token == "(":
            inner, tokens = _options(tokens, words)
            if not tokens:
                raise ValueError("A bracket is not closed")
            parts.append(inner)
            tokens = tokens[1:]
        elif token.startswith("{"):
            name = token[1:-1]
            parts.append(Invention(name) if name in ("number", "nonsense") else parse(words[name], words))
        else:
            parts.append(token)
    options.append(tuple(parts))
    return PatternChoice(tuple(options)), tokens
