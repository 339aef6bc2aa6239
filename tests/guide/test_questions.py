"""Measured questions and training questions are kept apart."""

from itertools import islice

from inference.guide.batches import trainable_dialogues
from inference.guide.dialogues import Dialogue, dialogues
from inference.guide.folding import fold
from inference.guide.intents import topics
from inference.guide.questions import Forbidden, all_texts, producible, questions
from inference.guide.train import SEED


def test_no_training_pattern_can_give_a_measured_question():
    assert producible() == []


def test_no_training_dialogue_holds_a_measured_question():
    measured = all_texts("en") | all_texts("es")
    assert len(measured) > 600
    for dialogue in islice(trainable_dialogues(SEED), 30_000):
        assert measured.isdisjoint(dialogue.questions)


def test_a_measured_question_is_known_however_it_is_typed():
    measured = fold(questions()[0].asked[0].upper())
    assert Forbidden().has(Dialogue(("something else", measured), topics()[0]))
    assert not Forbidden().has(Dialogue(("something else",), topics()[0]))


def test_no_measured_question_is_asked_twice():
    texts = [fold(question.asked[0]) for name in ("test", "tune") for question in questions(name)]
    assert len(set(texts)) == len(texts)


def test_the_same_seed_gives_the_same_dialogues():
    assert list(islice(dialogues(5), 500)) == list(islice(dialogues(5), 500))
