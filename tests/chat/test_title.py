"""Titles that the model finds in the background."""

import pytest
from django.db import transaction
from django.utils import timezone

from chat import tasks
from chat.models import Conversation
from chat.tasks import make_titles
from chat.turns import title as titles
from inference.models import Generation, LanguageModel
from inference.queue.outcome import Outcome, store_outcomes
from jarvis.lib.database import in_database
from tests.support.waiting import until
from tests.support.workers import working

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fake_is_offered(db, clean_redis):
    LanguageModel.objects.register_served("fake")


@pytest.fixture
def create_answered(alice):
    def create_answered(question="How do lighthouses work?", model="fake", owner=alice, status="done", **fields):
        title = Conversation.make_title(question)
        made = Conversation.objects.create(owner=owner, model=model, title=title, **fields)
        made.add_message("user", question)
        about = {"owner": owner, "model": model, "door": "chat", "request_id": "r", "finished_at": timezone.now()}
        made.add_message("assistant", "They shine.", generation=Generation.objects.create(**about, status=status))
        return made

    return create_answered


def title_generations():
    return Generation.objects.filter(door="title")


def store_title(text, status="done"):
    """What a worker would store for the title."""
    row = title_generations().get()
    assert store_outcomes([Outcome(row.id, row.attempt, status, text=text)])


def test_a_title_is_asked_for_once_as_a_row_of_its_own_in_the_ledger(create_answered, alice):
    conversation = create_answered()
    for _ in range(3):
        make_titles()
    row = title_generations().get()
    assert (row.owner, row.model, row.key, row.status) == (alice, "fake", None, "queued")
    fields = row.request["fields"]
    assert fields["max_tokens"] == titles.MAX_TITLE_TOKENS
    assert "How do lighthouses work?" in fields["messages"][0]["content"]
    assert "They shine." in fields["messages"][0]["content"]
    assert conversation.messages.count() == 2  # it is no part of the conversation


def test_what_the_model_finds_becomes_the_title(create_answered):
    conversation = create_answered()
    make_titles()
    store_title('"Light at Sea."\nBecause …')
    assert make_titles() == 1
    assert make_titles() == 0
    conversation.refresh_from_db()
    assert (conversation.title, conversation.title_source) == ("Light at Sea", "model")
    assert title_generations().count() == 1


def test_a_title_that_its_owner_has_written_stays(create_answered):
    before, meanwhile = create_answered("one"), None
    before.arrange(title="Mine")
    make_titles()
    assert not title_generations().exists()
    meanwhile = create_answered("two")
    make_titles()
    meanwhile.arrange(title="Mine too")
    store_title("The model's")
    assert make_titles() == 0
    assert list(Conversation.objects.order_by("title").values_list("title", flat=True)) == ["Mine", "Mine too"]


@pytest.mark.parametrize(("text", "status"), [("", "done"), (" \n**\n", "done"), ("", "failed"), ("", "stopped")])
def test_where_none_is_found_the_first_words_stay_and_it_is_not_asked_again(create_answered, text, status):
    conversation = create_answered()
    make_titles()
    store_title(text, status)
    for _ in range(2):
        assert make_titles() == 0
    conversation.refresh_from_db()
    assert conversation.title == "How do lighthouses work?"
    assert title_generations().count() == 1


def test_a_small_model_and_a_site_without_titles_are_left_alone(create_answered, configure):
    LanguageModel.objects.register_served("guide")
    LanguageModel.objects.filter(name="fake").update(enabled=True)
    create_answered(model="guide")
    make_titles()
    assert not title_generations().exists()
    create_answered(model="fake")
    configure(titles="off")
    make_titles()
    assert not title_generations().exists()


def test_who_waits_for_an_answer_goes_first(create_answered, alice):
    create_answered()
    waiting = Generation.objects.create(owner=alice, model="fake", door="chat", request_id="r")
    make_titles()
    assert not title_generations().exists()
    waiting.delete()
    make_titles()
    assert title_generations().exists()


def test_what_is_unanswered_deleted_imported_or_of_long_ago_is_not_asked_for(create_answered):
    create_answered(status="running")
    create_answered(status="failed")
    create_answered().delete_softly()
    create_answered(imported_from="chatgpt:1")
    old = create_answered()
    Conversation.objects.filter(pk=old.pk).update(updated_at=timezone.now() - timezone.timedelta(hours=2))
    make_titles()
    assert not title_generations().exists()


def test_a_loser_of_two_that_ask_at_once_leaves_nothing(create_answered):
    conversation = create_answered()
    assert tasks.ask_title(conversation)
    with transaction.atomic():
        assert not tasks.ask_title(conversation)
    assert title_generations().count() == 1


def test_a_model_that_thinks_is_told_not_to_or_has_room_for_it(create_answered):
    LanguageModel.objects.register_served("elsewhere", goes_on=False)
    LanguageModel.objects.register_served("narrow", max_model_len=2048)
    LanguageModel.objects.update(enabled=True)
    rows = {name: titles.build_title_request(create_answered(model=name)) for name in ("fake", "elsewhere", "narrow")}
    fields = {name: row["fields"] for name, row in rows.items()}
    assert fields["fake"]["chat_template_kwargs"] == {"enable_thinking": False, "thinking": False}
    assert "chat_template_kwargs" not in fields["elsewhere"]
    assert [one["max_tokens"] for one in fields.values()] == [1024, 1024, 512]


def test_what_the_model_thought_is_no_part_of_what_it_is_asked_to_name(create_answered):
    conversation = create_answered("What is <think> for?")
    conversation.messages.filter(role="assistant").update(text="<think>Hm, a tag.</think>It hides thoughts.")
    content = titles.build_title_request(conversation)["fields"]["messages"][0]["content"]
    assert content.endswith("Question: What is <think> for?\n\nAnswer: It hides thoughts.")


@pytest.mark.django_db(transaction=True)
async def test_a_new_title_comes_to_open_windows_by_itself(create_answered, alice, bob, held, fake, open_as):
    fake.settings.answer_tokens = 3
    conversation = await in_database(create_answered)
    socket, other = await open_as(alice), await open_as(bob)
    async with working(held):
        await in_database(make_titles)

        async def found():
            return await in_database(Conversation.objects.with_ready_title().exists)

        await until(found)
    await in_database(make_titles)
    frame = await socket.receive_frame("changed")
    assert frame == {
        "type": "changed",
        "conversation": str(conversation.pk),
        "title": "t0 t1 t2",
        "folder": "",
        "pinned": False,
        "archived": False,
        "deleted": False,
    }
    await other.send_frame(type="ping")
    await other.receive_frame("pong")
    assert "changed" not in {frame["type"] for frame in other.seen}
