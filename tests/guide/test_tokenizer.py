"""The tokenizer and the chat template, as transformers and vLLM load them from the model folder."""

import pytest
from transformers import AutoTokenizer

from inference.guide.folding import fold, prompt
from inference.guide.measure import MODEL
from inference.guide.questions import questions
from inference.guide.tokenizer import TEMPLATE

TEXTS = (
    "How do I create an API key?",
    "¿Cómo creo una clave de API? ¡Rápido, por favor, pingüino!",
    "emoji 🦊👩‍🚀 and 漢字, Ελληνικά, \t tabs\nand lines",
    "  two  spaces  ",
    '{"model": "guide", "messages": []}',
)


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(MODEL)


def user(text):
    return {"role": "user", "content": text}


def rendered(tokenizer, *messages, **options):
    return tokenizer.apply_chat_template(list(messages), tokenize=False, **{"add_generation_prompt": True, **options})


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_comes_back_unchanged(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_the_folder_holds_the_template_of_the_sources():
    assert (MODEL / "chat_template.jinja").read_text() == TEMPLATE.read_text()


@pytest.mark.parametrize("text", [*TEXTS, "a. b... c - d", "x" * 700, "Ñandú, «ÉL»: ‘sí’…", "v1.2 /health .env", ""])
def test_template_and_training_read_a_question_alike(tokenizer, text):
    assert rendered(tokenizer, user(text)) == prompt([text])
    assert rendered(tokenizer, user(text), {"role": "assistant", "content": "x"}, user("ok")) == prompt([text, "ok"])


def test_every_measured_question_is_read_alike(tokenizer):
    for question in questions():
        assert rendered(tokenizer, *map(user, question.asked)) == prompt(question.asked)


def test_case_accents_and_punctuation_do_not_count():
    assert fold("¿CÓMO hago, una COPIA?") == fold("como hago una copia")


def test_system_messages_and_old_turns_are_left_out(tokenizer):
    system = {"role": "system", "content": "Answer like a pirate."}
    answer = {"role": "assistant", "content": "Hello!"}
    text = rendered(tokenizer, system, user("first"), answer, user("second"), answer, user("third"))
    assert text == prompt(["second", "third"])


def test_an_answer_that_was_begun_is_continued(tokenizer):
    begun = [user("hi"), {"role": "assistant", "content": "Hel"}]
    text = tokenizer.apply_chat_template(begun, tokenize=False, continue_final_message=True)
    assert text.endswith("<|guide|>Hel")


def test_special_tokens_are_one_token_each(tokenizer):
    ids = tokenizer.encode(prompt(["hi", "ok"]), add_special_tokens=False)
    assert tokenizer.convert_ids_to_tokens(ids)[0] == "<|before|>"
    assert tokenizer.convert_ids_to_tokens(ids)[-1] == "<|guide|>"
    assert tokenizer.eos_token == "<|end|>"
