"""Words that are nearly the same: found by the three-letter pieces that they share, then by counting slips."""

from collections.abc import Iterable

MIN_TYPO_CHARS, MAX_TYPO_CHARS = 4, 24  # letters of a word that may be mistyped
LONG_WORD_CHARS = 8  # from here on two slips are one word still
MAX_SIMILAR_WORDS = 5


def may_be_mistyped(word: str) -> bool:
    return word.isalpha() and MIN_TYPO_CHARS <= len(word) <= MAX_TYPO_CHARS


def make_trigrams(word: str) -> list[str]:
    """Its pieces of three letters, with a blank at each end: ` ca`, `cat`, `at `."""
    padded = f" {word} "
    return sorted({padded[n : n + 3] for n in range(len(padded) - 2)})


def choose_similar(word: str, others: Iterable[str]) -> list[str]:
    """Of other words those that may be meant, the nearest first."""
    allowed = 2 if len(word) >= LONG_WORD_CHARS else 1
    counted = sorted((count_slips(word, other, allowed), other) for other in others if other != word)
    return [other for slips, other in counted if slips <= allowed][:MAX_SIMILAR_WORDS]


def count_slips(one: str, other: str, limit: int) -> int:
    """How many letters are to be put in, left out, changed or swapped with their neighbour; more than `limit` is one
    more than it."""
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for n, letter in enumerate(one, 1):
        before, last, row = row, before, [n] + [0] * len(other)
        for m, wanted in enumerate(other, 1):
            row[m] = min(before[m] + 1, row[m - 1] + 1, before[m - 1] + (letter != wanted))
            if n > 1 and m > 1 and letter == other[m - 2] and one[n - 2] == wanted:
                row[m] = min(row[m], last[m - 2] + 1)
        if min(row) > limit:
            return limit + 1
    return row[-1]
