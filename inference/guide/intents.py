"""What the guide knows: the themes, read from the files in `themes/`, in two languages side by side."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .phrases import PatternChoice, parse

THEMES = Path(__file__).with_name("themes")
PHRASINGS = Path(__file__).with_name("phrasings")
LANGUAGES = ("en", "es")
DECLINED = "declined"


@dataclass(frozen=True)
class Topic:
    """One intent in one language: the answer, and the ways to ask for it.

    `asks` are patterns that stand for many sentences each, `phrasings` sentences of many people; `near` (of what is
    declined) are those that sound like a question about Jarvis.
    """

    intent: str
    language: str
    answer: str
    asks: tuple[PatternChoice, ...]
    phrasings: tuple[PatternChoice, ...]
    bare: bool = False
    near: tuple[PatternChoice, ...] = ()


@dataclass(frozen=True)
class Around:
    """What people put before and after a question in one language, and between the words that count."""

    before: PatternChoice
    after: PatternChoice
    filler: PatternChoice


def read(name: str, folder: Path = THEMES) -> dict[str, Any]:
    with (folder / f"{name}.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def phrasings() -> dict[str, Any]:
    """By intent and language: {"asks": patterns with no names in them}."""
    files = (read(path.stem, PHRASINGS) for path in sorted(PHRASINGS.glob("*.toml")))
    return {intent: entry for file in files for intent, entry in file.items()}


def choices_for(intent: str, language: str) -> tuple[PatternChoice, ...]:
    return tuple(parse(ask, {}) for ask in phrasings()[intent][language]["asks"])


@cache
def topics() -> tuple[Topic, ...]:
    """All intents in all languages, the declining of everything else last."""
    words = read("words")
    found = []
    for path in sorted(THEMES.glob("*.toml")):
        if path.stem in ("words", DECLINED):
            continue
        for intent, entry in read(path.stem).items():
            for language in LANGUAGES:
                asks = tuple(parse(ask, words[language]) for ask in entry[language]["asks"])
                more = choices_for(intent, language)
                found.append(Topic(intent, language, entry[language]["answer"], asks, more, entry.get("bare", False)))
    return (*found, *(refusal_topic(language) for language in LANGUAGES))


def refusal_topic(language: str) -> Topic:
    entry = read(DECLINED)[language]
    asks, near = (tuple(parse(ask, entry["words"]) for ask in entry[kind]) for kind in ("asks", "near"))
    return Topic(DECLINED, language, entry["answer"], asks, choices_for(DECLINED, language), near=near)


@cache
def around(language: str) -> Around:
    entry = read("words")[language]["around"]
    return Around(*(parse(entry[part], {}) for part in ("before", "after", "filler")))


@cache
def answer(intent: str, language: str) -> str:
    return next(topic.answer for topic in topics() if (topic.intent, topic.language) == (intent, language))
