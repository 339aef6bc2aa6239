"""How the chat template reads a question, for training: the tests hold the two to the same result."""

from collections.abc import Sequence

from .tokenizer import BEFORE, GUIDE, USER

QUESTION, EARLIER = 600, 200  # characters that are read of the question, and of the one before it
VARIANTS = {"a": "áàâä", "e": "éèêë", "i": "íìîï", "o": "óòôö", "u": "úùûü", "n": "ñ"}
MARKS = str.maketrans(
    {mark: plain for plain, marks in VARIANTS.items() for mark in marks}
    | dict.fromkeys("¿¡?!'\"’‘`´“”«»", "")
    | dict.fromkeys(",;:…\n\t()", " ")
)


def fold(text: str, room: int = QUESTION) -> str:
    """Small letters, no accents, no punctuation, single spaces; of a text longer than `room` both ends."""
    text = text.lower()
    if len(text) > room:
        text = f"{text[: room // 2]} {text[-(room // 2) :]}"
    text = f"{text.translate(MARKS)} ".replace("...", " ").replace(". ", " ").replace(" - ", " ")
    return " ".join(text.split())


def prompt(questions: Sequence[str]) -> str:
    """What stands before the answer, when these questions were asked one after the other."""
    earlier = f"{BEFORE} {fold(questions[-2], EARLIER)}" if len(questions) > 1 else ""
    return f"{earlier}{USER} {fold(questions[-1])}{GUIDE}"
