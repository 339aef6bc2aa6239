"""Patterns of questions."""

import re
from random import Random

import pytest

from inference.guide.folding import fold
from inference.guide.intents import topics
from inference.guide.phrases import parse


def test_a_pattern_gives_each_of_its_choices():
    pattern = parse("(make|{get}) a key( now|)", {"get": "(get|obtain)"})
    drawn = {pattern.draw(Random(seed)) for seed in range(200)}
    assert drawn == {f"{verb} a key{end}" for verb in ("make", "get", "obtain") for end in (" now", "")}


@pytest.mark.parametrize("malformed", ["(make|get a key", "make) a key", "{make a key", "make a }key"])
def test_a_malformed_pattern_is_refused(malformed):
    with pytest.raises(ValueError, match=r"[Bb]racket"):
        parse(malformed, {"make": "make"})


def test_what_a_pattern_draws_its_expression_recognises():
    random = Random(7)
    for topic in topics():
        if topic.intent == "declined":
            continue  # an invented word is drawn, and never recognised
        for pattern in topic.asks:
            text = fold(pattern.draw(random))
            assert re.compile(pattern.expression()).fullmatch(text), text


def test_invented_words_recognise_nothing_that_a_person_wrote():
    assert not re.compile(parse("what is {nonsense}", {}).expression()).fullmatch("what is rust")
