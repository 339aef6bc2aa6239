"""Conversations that nobody has gone on with for long: they go where the site says so, and their figures stay."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from chat.models import Conversation, Message, Share
from chat.tasks import forget_old
from inference.models import Generation
from jarvis.celery import app
from tests.support.live import static_files

pytestmark = pytest.mark.django_db(transaction=True)

CANARY = "said long ago"


@pytest.fixture(autouse=True)
def thirty_days(configure):
    configure(retention_conversations_days=30)


def conversation(owner, days, status="done", **fields):
    """An exchange, in which something was said last so many days ago."""
    made = Conversation.objects.create(owner=owner, title=CANARY, model="fake")
    fields_of_row = {"model": "fake", "door": "chat", "request_id": "r", "request": {"messages": [CANARY]}}
    figures = {"prompt_tokens": 10, "completion_tokens": 5}
    row = Generation.objects.create(owner=owner, status=status, text=CANARY, **fields_of_row, **figures)
    made.add_message("user", CANARY, client_key=uuid.uuid4())
    made.add_message("assistant", CANARY, generation=row)
    Conversation.objects.filter(pk=made.pk).update(updated_at=timezone.now() - timedelta(days=days), **fields)
    return made, row


def test_old_ones_go_with_all_that_was_said_and_their_figures_stay(alice, bob, monkeypatch):
    monkeypatch.setattr("chat.tasks.CONVERSATIONS_PER_TRANSACTION", 2)
    old = [conversation(owner, 31) for owner in (alice, alice, bob)]
    young, row = conversation(alice, 29)
    assert forget_old() == 3
    assert forget_old() == 0
    assert list(Conversation.objects.all()) == [young]
    assert Message.objects.count() == 2
    row.refresh_from_db()
    assert row.text == CANARY
    for _, row in old:
        row.refresh_from_db()
        assert (row.request, row.text, row.choices) == (None, "", None)
        assert (row.prompt_tokens, row.completion_tokens, row.status) == (10, 5, "done")


def test_pinned_archived_filed_shared_and_deleted_ones_are_no_exception(alice, client):
    now = timezone.now()
    for fields in ({"pinned_at": now}, {"archived_at": now}, {"folder": "work"}, {"deleted_at": now}, {}):
        conversation(alice, 31, **fields)
    share = conversation(alice, 31)[0].create_share()
    static_files()
    assert client.get(share.get_absolute_url()).status_code == 200
    assert forget_old() == 6
    assert not Share.objects.exists()
    assert client.get(share.get_absolute_url()).status_code == 404


def test_one_in_which_an_answer_is_under_way_waits_for_its_end(alice):
    made, row = conversation(alice, 99, status="running")
    assert forget_old() == 0
    Generation.objects.filter(pk=row.pk).update(status="done")
    assert forget_old() == 1
    assert not Conversation.objects.filter(pk=made.pk).exists()


def test_what_is_gone_on_with_while_the_old_ones_are_deleted_stays(alice):
    """Somebody asks between the look and the deletion: the row is looked at again under its lock."""
    made, _ = conversation(alice, 31)
    asked = False

    def ask(execute, sql, params, many, context):
        nonlocal asked
        if "FOR UPDATE" in sql and not asked:
            asked = True
            made.add_message("user", "and now?")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(ask):
        assert forget_old() == 0
    assert asked
    assert made.messages.filter(text="and now?").exists()


def test_nothing_goes_unless_asked_for(alice, configure):
    configure(retention_conversations_days=0)
    conversation(alice, 9999)
    assert forget_old() == 0


def test_celery_does_it_each_night_and_the_page_tells_people(alice, client, configure):
    assert "chat.tasks.forget_old" in {entry["task"] for entry in app.conf.beat_schedule.values()}
    static_files()
    client.force_login(alice)
    configure(retention_conversations_days=0)
    assert "days after its last message" not in client.get("/conversations/").content.decode()
    configure(retention_conversations_days=30)
    assert "deleted 30 days after its last message" in client.get("/conversations/").content.decode()
