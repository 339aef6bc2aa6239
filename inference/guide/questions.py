"""The questions that measure the guide: written by hand, in `asked/`, and kept apart from all training."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .dialogues import Dialogue
from .folding import fold
from .intents import LANGUAGES, topics

ASKED = Path(__file__).with_name("asked")


@dataclass(frozen=True)
class MeasuredQuestion:
    """What is asked, one question after the other, and whose answer the last one deserves."""

    asked: tuple[str, ...]
    intent: str
    language: str


@cache
def questions(name: str = "test") -> tuple[MeasuredQuestion, ...]:
    """The questions of one file; `test` gives the figures, `tune` was used to improve the training."""
    with (ASKED / f"{name}.toml").open("rb") as file:
        data = tomllib.load(file)
    return tuple(
        MeasuredQuestion((text,) if isinstance(text, str) else tuple(text), intent, language)
        for intent, entry in data.items()
        for language in LANGUAGES
        for text in entry.get(language, ())
    )


def all_texts(language: str) -> frozenset[str]:
    """Every hand-written question in a language, folded; those in longer dialogues are there to test the dialogue."""
    every = (question for path in sorted(ASKED.glob("*.toml")) for question in questions(path.stem))
    return frozenset(fold(each.asked[0]) for each in every if each.language == language and len(each.asked) == 1)


class Forbidden:
    """Keeps out of training what the guide is measured with: a slip of typing may make one question of another."""

    def __init__(self) -> None:
        self.texts = frozenset().union(*map(all_texts, LANGUAGES))

    def has(self, dialogue: Dialogue) -> bool:
        """Whether one of the dialogue's questions is among the measured ones."""
        return any(text in self.texts for text in dialogue.questions)


def producible() -> list[tuple[str, str]]:
    """Measured questions that a training pattern can give, with the intent of the pattern; there must be none."""
    found = []
    for language in LANGUAGES:
        texts = all_texts(language)
        for topic in (topic for topic in topics() if topic.language == language):
            for pattern in (*topic.asks, *topic.phrasings, *topic.near):
                expression = re.compile(pattern.expression())
                found += [(text, topic.intent) for text in texts if expression.fullmatch(text)]
    return found
