"""Celery is told when there is something to do about titles, and does not look for it every other second."""

from contextlib import closing

import pytest
from django.utils import timezone

from chat.models import Conversation
from inference.models import Generation
from inference.queue.outcome import Outcome, store_outcomes
from inference.redis.client import open_sync_client
from inference.redis.keys import DOORBELL
from inference.redis.workers import hear_rings_sync, ring_doorbell_sync
from jarvis.celery import app

pytestmark = pytest.mark.django_db


@pytest.fixture
def end(clean_redis, django_capture_on_commit_callbacks):
    """Stores how a generation ends; gives what the doorbell said."""
    with open_sync_client() as redis, closing(redis.pubsub(ignore_subscribe_messages=True)) as subscription:
        subscription.subscribe(DOORBELL)

        def end(*rows):
            ended = [Outcome(row.id, row.attempt, "done", text="Light", finished_at=timezone.now()) for row in rows]
            with django_capture_on_commit_callbacks(execute=True):
                assert store_outcomes(ended)
            ring_doorbell_sync("that is all")
            said = []
            while said[-1:] != ["that is all"]:
                if message := subscription.get_message(timeout=5):
                    said.append(message["data"].decode())
            return said[:-1]

        yield end


@pytest.fixture
def create_running(alice):
    def create_running(model="fake", door="chat"):
        return Generation.objects.create(owner=alice, model=model, door=door, request_id="r", status="running")

    return create_running


@pytest.fixture
def create_asked(alice, create_running):
    def create_asked(model="fake", **fields):
        made = Conversation.objects.create(owner=alice, model=model, title="How do", **fields)
        made.add_message("user", "How do lighthouses work?")
        row = create_running(model)
        made.add_message("assistant", generation=row)
        return made, row

    return create_asked


def test_an_answer_without_a_title_rings_once(end, create_asked):
    assert end(create_asked()[1], create_asked()[1]) == ["titles"]


def test_a_title_that_has_come_rings(end, create_asked, create_running):
    made, answer = create_asked()
    title = create_running(door="title")
    Conversation.objects.filter(pk=made.pk).update(titled_by=title)
    assert end(title) == ["titles"]
    assert end(answer) == []  # asked for already


def test_nothing_else_rings(end, create_asked, create_running, configure):
    assert end(create_running(door="v1")) == []
    assert end(create_asked(model="guide")[1]) == []
    assert end(create_asked(title_source="owner")[1]) == []
    configure(titles="off")
    assert end(create_asked()[1]) == []


def test_who_listens_hears_several_rings_as_one(clean_redis):
    heard = hear_rings_sync("titles")
    next(heard)  # at once, for what was rung before
    ring_doorbell_sync("work", "titles", "orders", "titles")
    next(heard)
    ring_doorbell_sync("titles")
    next(heard)
    heard.close()


def test_the_schedule_only_makes_up_for_lost_rings():
    assert app.conf.beat_schedule["make titles"]["schedule"] >= 60
    # Each run is two lines in Celery's log: every two seconds that was 29 MB a day.
    assert all(
        not isinstance(one["schedule"], float) or one["schedule"] >= 20 for one in app.conf.beat_schedule.values()
    )
