"""The weights that ship: small enough, as good as promised, and the same network everywhere."""

import json
from random import Random

import pytest
import torch
from django.utils import translation
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from chat.pages.strings import suggestions
from inference.guide.intents import DECLINED, LANGUAGES, answer
from inference.guide.measure import FIGURES, MODEL, Given, figures, is_right, judge_answers, local
from inference.guide.network import Network, NetworkShape
from inference.guide.questions import MeasuredQuestion, questions


@pytest.fixture(scope="module")
def speak():
    return local(MODEL)


def test_the_folder_stays_under_twenty_megabytes():
    assert sum(path.stat().st_size for path in MODEL.rglob("*")) < 20_000_000


def test_the_figures_are_as_good_as_the_guides_page_says():
    found = json.loads((MODEL / FIGURES).read_text())
    assert found["intents"] >= 60
    assert all(found["right"][language] >= 0.9 for language in LANGUAGES)
    assert found["off_topic"] >= 100
    assert found["declined"] >= 0.9
    assert found["run_on"] == 0


def test_a_sample_of_the_measured_questions_is_answered_right(speak):
    sample = Random(1).sample([question for question in questions() if question.intent != DECLINED], 32)
    results = judge_answers(speak, sample)
    assert sum(is_right(*result) for result in results) >= 28
    assert all(given.ended for _, given in results)


def test_off_topic_questions_are_declined_in_their_language(speak):
    sample = Random(2).sample([question for question in questions() if question.intent == DECLINED], 16)
    assert sum(is_right(*result) for result in judge_answers(speak, sample)) >= 14


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_page_suggests_is_answered_and_the_first_of_it_tells_how_to_make_a_key(speak, language):
    with translation.override(language):
        asked = [MeasuredQuestion((text,), "make_key", language) for text in suggestions(guide=True)]
    given = [one.text for one in speak(asked)]
    assert given[0] == answer("make_key", language)
    assert answer(DECLINED, language) not in given
    assert len(set(given)) == len(asked)


def test_in_a_dialogue_the_last_question_decides(speak):
    results = judge_answers(speak, questions("dialogues"))
    assert sum(is_right(*result) for result in results) >= 0.8 * len(results)


def test_wrong_answers_and_run_ons_are_counted_as_such():
    asked = questions()
    right = [(question, Given(answer(question.intent, question.language), ended=True)) for question in asked]
    assert figures(right, right)["right"] == {"en": 1.0, "es": 1.0}
    cut = [(question, Given(given.text, ended=False)) for question, given in right]
    assert figures(cut, cut)["run_on"] == 2 * len(asked)
    swapped = [(question, right[at - 9][1]) for at, question in enumerate(asked)]
    assert figures(swapped, swapped)["right"] == {"en": 0.0, "es": 0.0}


def test_the_network_of_the_training_is_the_one_that_transformers_loads():
    weights = {name: weight.float() for name, weight in load_file(MODEL / "model.safetensors").items()}
    network = Network(NetworkShape(json.loads((MODEL / "config.json").read_text())["vocab_size"]))
    network.load_state_dict(weights)
    reference = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
    ids = torch.arange(5, 45).view(2, 20)
    with torch.inference_mode():
        torch.testing.assert_close(network(ids), reference(ids).logits, atol=1e-3, rtol=1e-3)
