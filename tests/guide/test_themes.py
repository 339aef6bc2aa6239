"""What the guide knows."""

from collections import Counter

from inference.guide.intents import DECLINED, LANGUAGES, answer, topics
from inference.guide.questions import questions


def test_there_are_sixty_intents_or_more_each_in_both_languages():
    known = [topic for topic in topics() if topic.intent != DECLINED]
    assert len({topic.intent for topic in known}) >= 60
    assert set(Counter(topic.intent for topic in known).values()) == {len(LANGUAGES)}


def test_every_answer_is_short_and_belongs_to_one_intent():
    answers = [topic.answer for topic in topics()]
    assert len(set(answers)) == len(answers)
    for text in answers:
        assert text == text.strip()
        assert len(text.split()) <= 60, text
        assert text.count("```") in (0, 2), text


def test_every_intent_can_be_asked_in_many_ways():
    for topic in topics():
        assert len(topic.asks) >= 5, topic.intent


def test_declining_takes_one_sentence_and_tells_how_to_load_a_full_model():
    for language in LANGUAGES:
        text = answer(DECLINED, language)
        assert "JARVIS_MODEL=Qwen/Qwen3-8B" in text
        assert text.count(". ") == 0


def test_every_intent_is_measured_with_three_questions_in_each_language():
    asked = Counter((question.intent, question.language) for question in questions())
    for topic in topics():
        assert asked[topic.intent, topic.language] >= 3, topic.intent


def test_a_hundred_questions_are_off_topic_half_in_each_language():
    asked = Counter(question.language for question in questions() if question.intent == DECLINED)
    assert asked == {"en": 50, "es": 50}
