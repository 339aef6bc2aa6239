"""Logs are JSON lines that follow a call through all processes, and hold no secret and nothing that was said."""

import json
import logging
import subprocess
import sys

import pytest
import structlog

from inference.models import Generation
from inference.tasks import give_up
from jarvis.celery import carry_request_id, drop_request_id, take_request_id
from jarvis.lib.config import BASE
from jarvis.lib.database import in_database
from jarvis.lib.logs import without_blame
from tests.support.gateway import live
from tests.support.workers import alice, fake, held

__all__ = ["alice", "fake", "held", "live"]


def lines(**variables):
    """What a process of its own logs, to a pipe."""
    code = (
        "import logging, structlog; from jarvis.lib import logs; logs.set_up_logging('web')\n"
        "structlog.contextvars.bind_contextvars(request_id='abc')\n"
        "structlog.get_logger('x').info('thing.happened', size=3, id=object)\n"
        "structlog.get_logger('x').debug('thing.detail')\n"
        "logging.getLogger('other').warning('from %s', 'elsewhere')\n"
        "try: 1/0\nexcept ZeroDivisionError: structlog.get_logger('x').exception('thing.broke')\n"
    )
    environment = {"PATH": "/usr/bin:/bin", "JARVIS_ENV_FILE": "/dev/null"} | variables
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=BASE, capture_output=True, text=True, check=True
    )
    return ended.stderr.splitlines()


def test_a_line_is_json_with_event_level_time_process_and_request():
    happened, other, broke = [json.loads(line) for line in lines()]
    assert happened["event"] == "thing.happened"
    assert (happened["level"], happened["process"], happened["request_id"], happened["size"]) == (
        "info",
        "web",
        "abc",
        3,
    )
    assert happened["timestamp"].endswith("Z")
    assert (other["event"], other["level"], other["request_id"]) == ("from elsewhere", "warning", "abc")
    assert "ZeroDivisionError" in broke["exception"]


def test_the_level_and_the_form_can_be_chosen():
    assert any("thing.detail" in line for line in lines(JARVIS_LOG_LEVEL="DEBUG"))
    (first, *_) = lines(JARVIS_LOG_FORMAT="text", JARVIS_LOG_LEVEL="INFO")
    assert not first.startswith("{")
    assert "thing.happened" in first


def test_an_odd_request_is_a_warning_of_one_line_and_a_fault_of_ours_is_not():
    def record(name):
        try:
            _ = 1 / 0
        except ZeroDivisionError:
            return logging.LogRecord(name, logging.ERROR, "", 1, "odd", (), sys.exc_info())

    client, ours = record("django.security.DisallowedHost"), record("django.request")
    assert without_blame(client)
    assert without_blame(ours)
    assert (client.exc_info, client.levelname) == (None, "WARNING")
    assert ours.exc_info
    assert ours.levelname == "ERROR"


@pytest.mark.django_db(transaction=True)
async def test_a_call_can_be_followed_by_its_id_and_no_line_tells_a_secret(live, caplog):
    live.fake.settings.answer_tokens = 5
    header = {"x-request-id": "follow-me-1"}
    async with live.http.post("/api/chat", json={"message": "the canary sings"}, headers=header) as response:
        assert response.status == 200
    for body in ('{"message": "the canary', '{"message": ""}', '{"message": "canary", "x": 1}'):
        async with live.http.post("/api/chat", data=body) as response:
            assert response.status == 400
    async with live.http.post("/v1/chat/completions", data=b'{"model": "canary", "messages": "canary"}') as response:
        assert response.status == 400
    async with live.http.get("/api/status", headers={"authorization": "Bearer jv_canary"}) as response:
        assert response.status == 401
    row = await in_database(Generation.objects.get)
    assert row.request_id == "follow-me-1"
    records = [
        record.msg if isinstance(record.msg, dict) else {"event": record.getMessage()} for record in caplog.records
    ]
    assert {line["event"] for line in records if line.get("request_id") == "follow-me-1"} >= {
        "request",
        "generation.ended",
    }
    everything = json.dumps(records, default=str)
    assert not [secret for secret in (live.key, "canary", "t0 t1", "hunter2") if secret in everything]


def test_a_task_has_the_request_id_of_the_call_that_sent_it():
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        headers = {}
        carry_request_id(headers=headers)
    task = give_up
    task.push_request(headers=headers)
    try:
        take_request_id(task=task, task_id="1")
        assert structlog.contextvars.get_contextvars()["request_id"] == "abc"
        drop_request_id()
        assert "request_id" not in structlog.contextvars.get_contextvars()
    finally:
        task.pop_request()
