"""A server that refuses what it does not know: nobody who asks is blamed for it, and it is asked once."""

import json

import pytest
from structlog.testing import capture_logs

from inference.openai.request import parse_chat_request
from jarvis.lib.api_errors import ApiError
from tests.support.fake_engine import numbered
from tests.support.workers import TOOL, ask, stored, text_of, told, working

pytestmark = pytest.mark.django_db(transaction=True)


def refuse_all_but(*known):
    """A server with a list of its own, and OpenAI's words."""
    refusals = []

    def refuse(body):
        if (name := next((name for name in body if name not in known), None)) is None:
            return None
        refusals.append(name)
        message = f"Unrecognized request argument supplied: {name}"
        return 400, json.dumps({"error": {"message": message, "param": None, "code": None}}).encode()

    return refusals, refuse


KNOWN = ("model", "messages", "max_tokens", "stream", "stream_options", "temperature", "top_p", "stop")


async def test_what_a_server_does_not_know_is_left_out_from_then_on(alice, held, fake):
    held.state.goes_on = False
    refusals, fake.refuse = refuse_all_but(*KNOWN)
    with capture_logs() as logs:
        async with working(held):
            for fields in ({}, {"top_k": 5, "min_p": 0.1}, {"top_k": 5, "temperature": 0.5}):
                row = await ask(alice, 10, **fields)
                assert text_of(await told(row)) == numbered(10)
                ended = await stored(row)
                assert (ended.status, ended.completion_tokens, ended.engine_deaths) == ("done", 10, 0)
    assert sorted(refusals) == ["min_p", "return_token_ids", "top_k"]  # each once
    assert held.unknown_fields == set(refusals)
    assert fake.bodies[-1]["temperature"] == 0.5
    notes = [(line["unknown"], line["said"]) for line in logs if line["event"] == "engine.refused"]
    assert notes == [(name, f"Unrecognized request argument supplied: {name}") for name in refusals]


async def test_calls_at_the_same_time_learn_it_together(alice, held, fake):
    refusals, fake.refuse = refuse_all_but(*KNOWN)
    async with working(held):
        rows = [await ask(alice, 5) for _ in range(20)]
        assert [text_of(await told(row)) for row in rows] == [numbered(5)] * 20
    assert set(refusals) == {"return_token_ids"}


async def test_another_jarvis_is_such_a_server(alice, held, fake):
    def refuse(body):
        try:
            parse_chat_request(json.dumps(body).encode())
        except ApiError as error:
            return error.status, json.dumps(error.body()).encode()
        return None

    fake.refuse, held.state.goes_on = refuse, False
    async with working(held):
        for fields in ({}, {"n": 2, "logprobs": True}, {"response_format": {"type": "json_object"}, "seed": 5}):
            row = await ask(alice, 10, **fields)
            assert text_of(await told(row)) == numbered(10)
    assert held.unknown_fields == {"return_token_ids"}
    assert fake.bodies[0]["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"tools": [TOOL]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
    ],
)
async def test_what_the_answer_depends_on_is_told_to_who_asks(alice, held, fake, fields, name):
    _, fake.refuse = refuse_all_but(*KNOWN)
    async with working(held):
        problem = (await told(await ask(alice, 10, **fields)))[-1][1].problem
        assert text_of(await told(await ask(alice, 5))) == numbered(5)
    assert (problem.code, problem.param) == ("invalid_request_error", name)
    assert problem.message.startswith("This model's server does not know")
    assert name not in held.unknown_fields


async def test_choices_that_a_server_would_pass_over_are_refused(alice, held, fake):
    async with working(held):
        row = await ask(alice, 10, guided_choice=["t0 ", "t1 "])
        assert (await told(row))[-1][1].status == "done"
        held.state.goes_on = False
        problem = (await told(await ask(alice, 10, guided_choice=["t0 ", "t1 "])))[-1][1].problem
    assert (problem.code, problem.param) == ("invalid_request_error", "structured_outputs")


@pytest.mark.parametrize(
    ("message", "code", "calls"),
    [
        ("Unknown parameter: 'messages[0].role'.", "invalid_request_error", 1),
        ("Unknown parameter: 'return_token_ids'.", "engine_error", 2),
        ("Unknown parameter: 'top_k'.", "engine_error", 2),
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.", "engine_error", 2),
    ],
)
async def test_a_server_that_refuses_without_end_is_not_asked_without_end(alice, held, fake, message, code, calls):
    """Whoever asks is not blamed for what was left out already."""
    bodies = []

    def refuse(body):
        bodies.append(body)
        return 400, json.dumps({"error": {"message": message}}).encode()

    fake.refuse = refuse
    async with working(held):
        problem = (await told(await ask(alice, 10, top_k=5)))[-1][1].problem
    assert (problem.code, len(bodies)) == (code, calls)
