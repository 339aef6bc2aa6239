"""Messages are a tree, of which one path is shown."""

import json

import pytest
from django.db import connection

from chat.models import Conversation, Message
from tests.support.sockets import link_messages

pytestmark = pytest.mark.django_db


@pytest.fixture
def talk(alice):
    """q1 a1 q2 a2, in a line."""
    made = Conversation.objects.create(owner=alice)
    for number in (1, 2):
        made.add_message("user", f"q{number}")
        made.add_message("assistant", f"a{number}")
    return made


def texts(messages):
    return [message.text for message in messages]


def get_message(text):
    return Message.objects.get(text=text)


def add_version(message, text):
    """Another version of a message, which is shown from now on."""
    made = message.conversation.messages.create(role=message.role, text=text, parent=message.parent)
    Conversation.objects.filter(pk=made.conversation_id).update(leaf=made)
    return made


def test_the_path_is_given_newest_first_in_one_query(talk, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert texts(talk.path().with_versions().select_related("generation")) == ["a2", "q2", "a1", "q1"]


def test_a_path_can_be_limited_and_go_on_before_a_message(talk):
    newest = list(talk.path(limit=3))
    assert texts(newest) == ["a2", "q2", "a1"]
    assert texts(talk.path(limit=3, before=newest[-1].pk)) == ["q1"]
    assert texts(talk.path(before=get_message("q1").pk)) == []


def test_only_the_chosen_version_and_what_led_to_it_is_on_the_path(talk):
    other = add_version(get_message("q2"), "q2, in other words")
    talk.refresh_from_db()
    assert texts(talk.path()) == ["q2, in other words", "a1", "q1"]
    assert texts(talk.path(leaf=get_message("a2").pk)) == ["a2", "q2", "a1", "q1"]
    assert texts(talk.path(before=other.pk)) == ["a1", "q1"]


def test_a_message_of_another_conversation_leads_nowhere(talk, bob):
    theirs = Conversation.objects.create(owner=bob)
    theirs.add_message("user", "a secret")
    theirs.add_message("assistant", "told")
    assert texts(talk.path(before=get_message("told").pk)) == []


def test_a_conversation_without_a_chosen_end_shows_its_newest_message_and_an_empty_one_nothing(talk, alice):
    Conversation.objects.update(leaf=None)
    talk.refresh_from_db()
    assert texts(talk.path(limit=2)) == ["a2", "q2"]
    assert texts(Conversation.objects.create(owner=alice).path()) == []


def test_each_message_knows_its_versions_the_first_one_too(talk):
    first = add_version(get_message("q1"), "q1 again")
    answer = first.conversation.messages.create(role="assistant", text="a1 again", parent=first)
    third = add_version(answer, "a1 once more")
    talk.refresh_from_db()
    shown = list(talk.path().with_versions())
    assert texts(shown) == ["a1 once more", "q1 again"]
    assert [message.versions for message in shown] == [[answer.pk, third.pk], [get_message("q1").pk, first.pk]]


def test_an_answer_that_was_continued_is_no_version_of_its_own(talk):
    stopped = get_message("a2")
    stopped.text = "a2, to here \n"
    stopped.save()
    longer = add_version(stopped, "")
    longer.continues = stopped
    longer.save()
    assert longer.prefix == "a2, to here"
    talk.refresh_from_db()
    assert [message.versions for message in talk.path(limit=1).with_versions()] == [[longer.pk]]


def test_a_version_is_followed_down_to_its_newest_end(talk):
    first = add_version(get_message("q1"), "q1 again")
    assert get_message("q1").newest_below() == get_message("a2").pk
    add_version(get_message("a1"), "a1 again")
    assert get_message("q1").newest_below() == get_message("a1 again").pk
    assert first.newest_below() == first.pk
    assert first.is_last
    assert not get_message("q1").is_last


LINE = """
INSERT INTO chat_message (conversation_id, role, text, html, created_at)
SELECT %s, CASE n %% 2 WHEN 1 THEN 'user' ELSE 'assistant' END, 'line ' || n, '', now() FROM generate_series(1, %s) n
"""


def test_the_end_of_a_long_conversation_is_read_without_the_rest_of_it(alice):
    long, other = (Conversation.objects.create(owner=alice) for _ in range(2))
    with connection.cursor() as cursor:
        cursor.execute(LINE, [long.pk, 3000])
        cursor.execute(LINE, [other.pk, 20_000])
        link_messages()
        cursor.execute("ANALYZE chat_message")
    long.refresh_from_db()
    assert long.path().count() == 3000
    end = long.path(limit=50).with_versions().select_related("generation")
    assert end[0].text == "line 3000"
    assert count_rows(end.explain(format="json", analyze=True)) < 1500


def count_rows(plan):
    """How many rows the plan touched, over all its nodes and loops."""

    def count(node):
        own = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        return own + sum(count(inner) for inner in node.get("Plans", []))

    return count(json.loads(plan)[0]["Plan"])


def test_conversations_from_before_become_a_line(alice, bob):
    made = [Conversation.objects.create(owner=owner) for owner in (alice, bob)]
    for text in ("q1", "a1", "q2", "a2"):
        for one in made:
            one.messages.create(role="user" if text[0] == "q" else "assistant", text=text)
    for _ in range(2):  # safe to repeat
        link_messages()
    for one in made:
        one.refresh_from_db()
        assert texts(one.path()) == ["a2", "q2", "a1", "q1"]
        assert one.path(limit=1).get().conversation_id == one.pk
