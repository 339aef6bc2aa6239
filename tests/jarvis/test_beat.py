"""Several beats on one schedule: each task is sent once for each time that it is due, whoever of them lives."""

import time
from datetime import timedelta

import pytest
from celery import Celery
from celery.schedules import crontab, schedule

from inference.redis.client import open_sync_client
from inference.redis.keys import RAN
from jarvis.beat import SharedScheduler
from jarvis.celery import app as own_app


@pytest.fixture
def make_beat(tmp_path):
    with open_sync_client() as redis:
        redis.delete(RAN)
    beats = []

    def make(name, plan):
        app = Celery("beats", broker="memory://")
        app.conf.timezone = "UTC"
        beat = SharedScheduler(app, schedule_filename=str(tmp_path / name), lazy=True)
        beat.setup_schedule()
        beat.update_from_dict({"task": {"task": "t", "schedule": plan}})
        beat.sent = []
        beat.apply_async = lambda entry, **_: beat.sent.append(entry.name)
        beats.append(beat)
        return beat

    yield make
    for beat in beats:
        beat.close()
    with open_sync_client() as redis:
        redis.delete(RAN)


def run_for(seconds, *beats):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for beat in beats:
            beat.tick()
        time.sleep(0.01)


def test_of_two_beats_one_sends_and_the_other_goes_on_when_that_one_is_gone(make_beat):
    plan = schedule(timedelta(seconds=0.1))
    first, second = make_beat("a", plan), make_beat("b", plan)
    run_for(0.55, first, second)
    assert 4 <= len(first.sent) + len(second.sent) <= 6
    before = len(second.sent)
    run_for(0.45, second)
    assert len(second.sent) - before >= 2


def test_a_beat_that_comes_back_does_not_repeat_what_the_other_has_sent_meanwhile(make_beat):
    plan = crontab(minute="10", hour="4")
    away, other = make_beat("a", plan), make_beat("b", plan)
    for beat in (away, other):  # both last saw it sent two days ago
        beat.schedule["task"].last_run_at = beat.app.now() - timedelta(days=2)
    other.tick()
    away.tick()
    assert (other.sent, away.sent) == (["task"], [])


def test_while_redis_is_away_nothing_is_sent_and_the_beat_lives(make_beat, configure):
    beat = make_beat("a", schedule(timedelta(seconds=0.01)))
    configure(redis_url="redis://127.0.0.1:1/0")
    run_for(0.05, beat)
    assert beat.sent == []


def test_jarvis_is_scheduled_by_it_and_what_has_run_expires(make_beat):
    assert own_app.conf.beat_scheduler == "jarvis.beat:SharedScheduler"
    beat = make_beat("a", schedule(timedelta(seconds=0.01)))
    run_for(0.05, beat)
    with open_sync_client() as redis:
        assert redis.ttl(RAN) > 0
