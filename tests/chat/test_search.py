"""Search over titles and texts, in both languages."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat.models import Conversation, Message
from chat.search import search_conversations, write_query
from chat.search.find import MANY_MESSAGES, MAX_RANKED_MESSAGES
from chat.search.index import MESSAGES_PER_RANGE, index_new_texts

pytestmark = pytest.mark.django_db

# Messages with the same text and its terms: conversation, how many.
INSERT_MANY_SQL = """
INSERT INTO chat_message (conversation_id, role, text, html, created_at)
SELECT %s, 'user', 'hay', '', now() FROM generate_series(1, %s)
"""
INDEX_MANY_SQL = f"""
UPDATE chat_searchentry SET stale = false, words = ARRAY_TO_TSVECTOR(
    ARRAY['hay', '=' || owner_id, '=' || owner_id || '.' || message_id / {MESSAGES_PER_RANGE}]
) WHERE stale AND message_id IS NOT NULL
"""  # noqa: S608


@pytest.fixture
def write(alice):
    def write(*texts, title="untitled", owner=alice):
        made = Conversation.objects.create(owner=owner, title=title)
        for number, text in enumerate(texts):
            made.add_message("assistant" if number % 2 else "user", text)
        return made

    return write


@pytest.fixture
def search(alice):
    return lambda text, **where: [one.conversation for one in search_conversations(alice.pk, text, **where)]


def mark_parts(parts):
    return "".join(f"[{part.text}]" if part.hit else part.text for part in parts)


def test_forms_of_a_word_are_found_in_both_languages(write, search):
    english, spanish = write("She was running late."), write("Las canciones de ayer")
    assert search("runs ") == [english]
    assert search("cancion ") == search("Canción ") == search("CANCIONES ") == [spanish]
    assert search("walks ") == []


def test_accents_do_not_count(write, search):
    made = write("El pingüino comió piñas en Málaga", title="Ñandú")
    for words in ("pinguino", "comio pinas", "malaga", "MÁLAGA", "nandu", "ñandu"):
        assert search(words) == [made], words


def test_the_last_word_may_be_unfinished_and_no_other(write, search):
    made = write("organizational questions", title="Budget meeting")
    assert search("questions organizati") == [made]
    assert search("organizati questions") == []
    assert search("organizati ") == []
    assert search("budg") == search("meet") == [made]
    assert search("bu") == []  # too little to tell


def test_phrases_and_what_is_not_wanted(write, search):
    one, other = write("the red car is fast"), write("the car is red, and runs")
    assert search('"red car"') == [one]
    assert set(search("red car")) == {one, other}
    assert search("red -running") == [one]
    assert set(search("-red")) == {one, other}  # `-rf`: nobody searches for all that is without it
    assert search("-red -yellow -green") == []
    assert set(search("fast or runs ")) == {one, other}
    assert set(search('"red car" or "is red"')) == {one, other}


def test_small_words_do_not_stand_in_the_way_but_can_be_searched_for(write, search):
    made = write("resumen reunión lunes")
    assert search("resumen de la reunión ") == [made]
    to_be = write("to be or not")
    assert search("not ") == [to_be]


def test_a_title_goes_before_a_text_and_the_hit_is_marked(write, alice):
    in_text = write("x " * 100 + "We spoke of lighthouses at length. " + "y " * 300)
    in_title = write("nothing", title="A lighthouse <b>at</b> night")
    first, second = search_conversations(alice.pk, "lighthouse")
    assert (first.conversation, second.conversation) == (in_title, in_text)
    assert (first.message, first.hits) == (None, 0)
    assert mark_parts(first.title) == "A [lighthouse] <b>at</b> night"
    assert second.message == in_text.messages.get()
    assert "We spoke of [lighthouses] at length." in mark_parts(second.snippet)
    assert mark_parts(second.snippet).startswith("…")
    assert mark_parts(second.snippet).endswith("…")
    assert len(mark_parts(second.snippet)) < 250


def test_the_best_message_of_a_conversation_stands_for_it_with_how_many_there_are(write, alice):
    made = write("apples and other things that are not at all that fruit", "apples apples", "pears")
    (one,) = search_conversations(alice.pk, "apples")
    assert one.message.text == "apples apples"
    assert one.hits == 2
    assert one.conversation == made


def test_only_ones_own_and_nothing_deleted(write, search, bob):
    write("a secret", owner=bob)
    mine = write("a secret")
    assert search("secret") == [mine]
    mine.delete_softly()
    assert search("secret") == []
    mine.restore()
    mine.arrange(archived=True)
    assert search("secret") == [mine]


def test_results_come_in_pages(write, search):
    made = {write("page").pk for _ in range(7)}
    pages = [search("page", limit=3, offset=offset) for offset in (0, 3, 6)]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert {one.pk for page in pages for one in page} == made


def test_a_search_takes_the_same_few_queries_however_much_is_found(write, alice, django_assert_num_queries):
    for number in (1, 30):
        for _ in range(number):
            write("much is said here and answered", "yes", title="much")
        search_conversations(alice.pk, "much")  # indexes what is new
        # What is new, stems, a setting, how many there are, what is found, conversations, messages, stems.
        with django_assert_num_queries(8):
            assert len(search_conversations(alice.pk, "much answ")) == (1 if number == 1 else 30)


def test_a_title_that_changes_is_found_as_it_is_now(write, search):
    made = write("x", title="Before")
    made.arrange(title="Afterwards")
    assert search("before") == []
    assert search("afterwards") == [made]


def test_a_text_that_is_too_much_for_the_index_is_stored_all_the_same(write, search):
    words = " ".join(f"{chr(0x10400 + n % 40)}{n:x}-{n * 7919:x}/w{n}" for n in range(12_000))
    made = write("needle " + words * 3)
    assert Message.objects.get(conversation=made).text.endswith(words[-10:])
    assert search("needle") == [made]


def test_the_index_serves_a_search(write, alice):
    made = write("start")
    lines = [Message(conversation=made, role="user", text=f"line {n} of much text") for n in range(3000)]
    Message.objects.bulk_create([*lines, Message(conversation=made, role="user", text="the needle")])
    with connection.cursor() as cursor:
        query = write_query(alice.pk, "needle ")
        while index_new_texts():
            pass
        cursor.execute("ANALYZE chat_searchentry")
        cursor.execute("SET LOCAL enable_seqscan = off")  # so few rows are as quickly read one by one
        cursor.execute("EXPLAIN SELECT id FROM chat_searchentry e WHERE e.words @@ %s::tsquery", [query])
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "words_of_entries" in plan


@pytest.mark.parametrize("text", ["", " ", '"', '""', "-", '-"', "or", "or or", "\x00", ":*", "a & | !", "' \\ :* <->"])
def test_what_asks_for_nothing_finds_nothing_and_does_not_fail(search, write, text):
    write("something")
    assert search(text) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet=st.sampled_from("abñé \"-or\x00'\\&|!():*<>\U0001f600%s") | st.characters(), max_size=40))
def test_whatever_is_searched_for_is_no_fault(alice, text):
    search_conversations(alice.pk, text.encode("utf-8", "replace").decode())


def test_of_many_messages_with_a_word_the_newest_are_enough_and_a_rare_one_is_found_among_all(write, alice, bob):
    """As many as make a difference, with the terms of one that the index has cut."""
    old, theirs, busy = write("needle and hay"), write("needle and hay", owner=bob), write("hay")
    search_conversations(alice.pk, "hay")
    with connection.cursor() as cursor:
        cursor.execute(INSERT_MANY_SQL, [busy.pk, MANY_MESSAGES + MESSAGES_PER_RANGE])
        cursor.execute(INDEX_MANY_SQL)
    (only,) = search_conversations(alice.pk, "hay")
    assert (only.conversation, only.hits) == (busy, MAX_RANKED_MESSAGES)
    assert [hit.conversation for hit in search_conversations(alice.pk, "needle hay")] == [old]
    assert theirs not in [hit.conversation for hit in search_conversations(alice.pk, "needle")]
