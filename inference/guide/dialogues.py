"""Training dialogues, drawn from the themes by a seeded source of chance, with the slips of people who type."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from .folding import fold
from .intents import DECLINED, LANGUAGES, Topic, around, topics
from .phrases import PatternChoice

DECLINED_SHARE = 0.3
PHRASED_SHARE = 0.6  # of questions: taken from phrasings, not from the patterns of the themes
STEMS = {
    "en": re.compile("(ing|ed|es|s|e)$"),
    "es": re.compile("(ando|iendo|ados|adas|ado|ido|ar|er|ir|as|os|a|o|s)$"),
}
ENDINGS = {
    "en": ("", "s", "e", "ed", "ing", "ing"),
    "es": ("o", "a", "ar", "er", "ado", "ada", "ando", "amos", "an", "e"),
}
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SMALL_WORDS = frozenset(
    "a an the my i do does is are to of in on for it can how what me you we there please".split()  # noqa: SIM905
    + "de la el los las un una mi mis que se es son en con para por como puedo hay lo del al cual".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Dialogue:
    """Questions as typed, and the topic whose answer the last one deserves."""

    questions: tuple[str, ...]
    topic: Topic


def dialogues(seed: int) -> Iterator[Dialogue]:
    """Dialogues without end; the same seed gives the same ones."""
    random = Random(seed)
    known = {
        name: [topic for topic in topics() if topic.language == name and topic.intent != DECLINED] for name in LANGUAGES
    }
    declined = {topic.language: topic for topic in topics() if topic.intent == DECLINED}

    def draw(language: str) -> Topic:
        if random.random() < DECLINED_SHARE:
            return declined[language]
        return random.choice(known[language])

    while True:
        language = random.choice(LANGUAGES)
        topic = draw(language)
        earlier: tuple[str, ...] = ()
        if random.random() < 0.2:
            other = language if random.random() < 0.85 else random.choice(LANGUAGES)
            earlier = (question(draw(other), random),)
        yield Dialogue((*earlier, question(topic, random)), topic)


def question(topic: Topic, random: Random) -> str:
    """One way to ask, with the noise of real typing."""
    asks = topic.near if topic.near and random.random() < 0.5 else topic.asks
    if random.random() < PHRASED_SHARE:
        asks = topic.phrasings
    text = fold(random.choice(asks).draw(random))
    extra = around(topic.language)
    if random.random() < 0.08:
        text = keywords(text)
    elif not topic.bare and random.random() < 0.2:
        text = loosen_sentence(text, extra.filler, random)
    if random.random() < 0.12:
        text = with_another_ending(text, topic.language, random)
    if not topic.bare:
        if random.random() < 0.22:
            text = f"{extra.before.draw(random)} {text}"
        if random.random() < 0.15:
            text = f"{text} {extra.after.draw(random)}"
    if random.random() < 0.1:
        text = without_a_small_word(text, random)
    for chance in (0.15, 0.05):
        if random.random() < chance:
            text = with_a_slip(text, random)
    return fold(text)


def keywords(text: str) -> str:
    """Only the words that carry meaning, as in a search box; short texts stay as they are."""
    kept = [word for word in text.split() if word not in SMALL_WORDS]
    return " ".join(kept) if len(kept) >= 2 else text


def loosen_sentence(text: str, filler: PatternChoice, random: Random) -> str:
    """The words that carry meaning in another sentence: small words go, others come, neighbours may change places."""
    kept = keywords(text).split()
    if len(kept) > 2 and random.random() < 0.25:
        at = random.randrange(len(kept) - 1)
        kept[at], kept[at + 1] = kept[at + 1], kept[at]
    if len(kept) > 3 and random.random() < 0.2:
        del kept[random.randrange(len(kept))]
    words = [filler.draw(random) for _ in range(random.randrange(4))]
    for word in kept:
        words += [word, *(filler.draw(random) for _ in range(random.choice((0, 0, 1, 1, 2))))]
    return " ".join(words)


def with_another_ending(text: str, language: str, random: Random) -> str:
    """One word with the ending of another form: the guide should know words by their stems."""
    words = text.split()
    long = [index for index, word in enumerate(words) if len(word) >= 5 and word.isalpha()]
    if long:
        index = random.choice(long)
        stem = STEMS[language].sub("", words[index])
        words[index] = stem + random.choice(ENDINGS[language])
    return " ".join(words)


def without_a_small_word(text: str, random: Random) -> str:
    words = text.split()
    small = [index for index, word in enumerate(words) if word in SMALL_WORDS]
    if len(words) > 3 and small:
        del words[random.choice(small)]
    return " ".join(words)


def with_a_slip(text: str, random: Random) -> str:
    """One word of four letters or more, mistyped: two letters swapped, one lost, doubled or replaced."""
    words = text.split()
    long = [index for index, word in enumerate(words) if len(word) >= 4 and word.isalpha()]
    if not long:
        return text
    index = random.choice(long)
    word = words[index]
    at = random.randrange(len(word) - 1)
    words[index] = random.choice(
        (
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + random.choice(LETTERS) + word[at + 1 :],
        )
    )
    return " ".join(words)
