"""The official Python SDK against a live Jarvis: each row of what clients of an OpenAI-compatible server expect.

What the server says byte by byte is tried in tests/openai; this is what a program sees that uses the SDK.
"""

import asyncio
import json
import time

import httpx
import openai
import pydantic
import pytest

from accounts.models import ApiKey
from inference.api import responses
from inference.models import Generation
from jarvis.lib.config import config
from jarvis.lib.database import in_database
from tests.support.fake_engine import numbered
from tests.support.gateway import HELLO, asked
from tests.support.sdk import ACCEPTED, PICTURE, REFUSED

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def calls(live):
    """Every answer that the SDK got, those that it repeated included."""
    seen = []

    async def note(response):
        seen.append(response)

    live.client._client.event_hooks = {"response": [note]}
    return seen


def retrying(live, times=2):
    return live.client.with_options(max_retries=times)


# Errors: status, class, code, param


class Place(pydantic.BaseModel):
    city: str


class Weather(Place):
    degrees: int


WRONG = [
    ({"temperature": 5}, openai.BadRequestError, "invalid_request_error", "temperature"),
    ({"messages": []}, openai.BadRequestError, "invalid_request_error", "messages"),
    ({"n": 100}, openai.BadRequestError, "invalid_request_error", "n"),
    ({"max_tokens": 10**9}, openai.BadRequestError, "invalid_request_error", "max_tokens"),
    ({"extra_body": {"priority": 5}}, openai.PermissionDeniedError, "permission_denied", "priority"),
    ({"model": "gpt-99"}, openai.NotFoundError, "model_not_found", "model"),
    ({"extra_headers": {"authorization": "Bearer jv_wrong"}}, openai.AuthenticationError, "invalid_api_key", None),
    ({"extra_headers": {"authorization": ""}}, openai.AuthenticationError, "invalid_api_key", None),
]


@pytest.mark.parametrize("streamed", [False, True])
async def test_each_error_is_an_exception_of_its_class_with_code_and_parameter_and_is_not_repeated(
    live, calls, streamed
):
    for fields, kind, code, param in WRONG:
        calls.clear()
        with pytest.raises(kind) as found:
            await retrying(live).chat.completions.create(**asked(stream=streamed, **fields))
        error = found.value
        assert (error.code, error.param) == (code, param), fields
        assert error.type
        assert error.message.endswith(".'}}") or str(error.body["message"]).endswith(".")
        assert error.request_id == calls[0].headers["x-request-id"]
        assert len(calls) == 1, fields


async def test_too_long_for_the_model_is_a_bad_request(live):
    live.fake.settings.max_model_len = 3
    with pytest.raises(openai.BadRequestError) as found:
        await live.client.chat.completions.create(**asked())
    assert found.value.code == "context_length_exceeded"


@pytest.mark.alone
async def test_a_revoked_and_an_expired_key_are_authentication_errors(live):
    expired, secret = await in_database(ApiKey.create_with_secret, live.row.owner_id, "old")
    await in_database(lambda: ApiKey.objects.filter(pk=expired.pk).update(expires_at=expired.created_at))
    with pytest.raises(openai.AuthenticationError):
        await live.client.with_options(api_key=secret).models.list()
    await in_database(live.row.revoke)
    await asyncio.sleep(1)
    with pytest.raises(openai.AuthenticationError) as found:
        await live.client.chat.completions.create(**asked())
    assert found.value.code == "invalid_api_key"


async def test_routes_and_methods_that_are_not_there_are_errors_with_a_body(live):
    with pytest.raises(openai.NotFoundError) as found:
        await live.client.post("/nothing", cast_to=object)
    assert found.value.code == "not_found"
    with pytest.raises(openai.APIStatusError) as found:
        await live.client.delete("/models", cast_to=object)
    assert (found.value.status_code, found.value.code) == (405, "method_not_allowed")


async def test_a_body_that_is_too_large_is_told_so_and_is_not_repeated(live, calls, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 20_000
    with pytest.raises(openai.APIStatusError) as found:
        await retrying(live).chat.completions.create(**asked(messages=[{"role": "user", "content": "x" * 30_000}]))
    assert (found.value.status_code, found.value.code, len(calls)) == (413, "request_too_large", 1)


# Retries


async def test_a_full_queue_is_repeated_after_the_time_that_it_names(live, calls, configure):
    """The SDK waits for Retry-After, and its second call is answered."""
    before = config.queue_limit
    configure(queue_limit=0)
    began = time.monotonic()
    asking = asyncio.create_task(retrying(live).chat.completions.create(**asked()))
    async with asyncio.timeout(10):
        while not calls:
            await asyncio.sleep(0.01)
    configure(queue_limit=before)
    answer = await asking
    assert [call.status_code for call in calls] == [503, 200]
    assert time.monotonic() - began >= float(calls[0].headers["retry-after"])
    assert answer.choices[0].message.content == numbered(10)
    assert await in_database(Generation.objects.count) == 1


async def test_a_queue_that_stays_full_is_an_internal_server_error(live, configure):
    configure(queue_limit=0)
    with pytest.raises(openai.InternalServerError) as found:
        await live.client.chat.completions.create(**asked())
    assert (found.value.status_code, found.value.code) == (503, "overloaded")


async def test_a_limit_is_a_rate_limit_error_that_says_when_to_come_back(live, calls):
    await in_database(lambda: ApiKey.objects.filter(pk=live.row.pk).update(requests_per_minute=1))
    raw = await live.client.chat.completions.with_raw_response.create(**asked())
    assert raw.headers["x-ratelimit-limit-requests"] == "1"
    assert raw.headers["x-ratelimit-remaining-requests"] == "0"
    assert raw.headers["x-ratelimit-reset-requests"].endswith("s")
    with pytest.raises(openai.RateLimitError) as found:
        await live.client.chat.completions.create(**asked())
    assert found.value.code == "rate_limit_exceeded"
    assert 0 < float(found.value.response.headers["retry-after"]) <= 60
    assert live.fake.counters.requests == 1


async def test_a_budget_that_is_used_up_is_not_tried_again(live, calls):
    await in_database(lambda: ApiKey.objects.filter(pk=live.row.pk).update(tokens_per_month=1))
    with pytest.raises(openai.RateLimitError) as found:
        await retrying(live).chat.completions.create(**asked())
    assert found.value.code == "insufficient_quota"
    assert [call.headers["x-should-retry"] for call in calls] == ["false"]


# Headers


async def test_every_answer_carries_its_id_and_its_time(live):
    raw = await live.client.chat.completions.with_raw_response.create(**asked())
    assert raw.parse()._request_id == raw.headers["x-request-id"]
    assert 0 < int(raw.headers["openai-processing-ms"]) < 30_000
    raw = await live.client.chat.completions.with_raw_response.create(**asked(extra_headers={"x-request-id": "mine-1"}))
    assert raw.headers["x-request-id"] == "mine-1"


# Streams


async def chunks(live, **fields):
    stream = await live.client.chat.completions.create(**asked(stream=True, **fields))
    return [chunk async for chunk in stream]


async def test_a_stream_opens_with_the_role_and_closes_with_the_reason(live):
    told = await chunks(live)
    assert told[0].choices[0].delta.role == "assistant"
    assert all(chunk.choices[0].delta.role is None for chunk in told[1:])
    assert [chunk.choices[0].finish_reason for chunk in told[:-1]] == [None] * (len(told) - 1)
    assert told[-1].choices[0].finish_reason == "length"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in told) == numbered(10)
    assert len({(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in told}) == 1
    assert all(chunk.usage is None for chunk in told)


async def test_usage_comes_last_when_it_is_asked_for(live):
    told = await chunks(live, stream_options={"include_usage": True})
    assert told[-2].choices[0].finish_reason == "length"
    assert told[-1].choices == []
    assert told[-1].usage.completion_tokens == 10
    assert told[-1].usage.total_tokens == told[-1].usage.prompt_tokens + 10
    assert all(chunk.usage is None for chunk in told[:-1])


async def test_silence_is_filled_with_comments_that_the_sdk_passes_over(live, monkeypatch):
    monkeypatch.setattr(responses, "KEEP_ALIVE_SECONDS", 0.05)
    live.fake.settings.ttft = 0.3
    told = await chunks(live)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in told) == numbered(10)


@pytest.mark.parametrize("fault", ["error_after", "cut_after"])
async def test_a_stream_that_breaks_raises_and_is_never_half_an_answer(live, fault):
    """With `n` the answer cannot be continued, so the client that has part of it has to be told."""
    setattr(live.fake.settings, fault, 3)
    stream = await live.client.chat.completions.create(**asked(stream=True, n=2, temperature=1))
    live.fake.settings.fail_next = 10  # and the engine stays away
    with pytest.raises(openai.APIError) as found:
        [chunk async for chunk in stream]
    assert found.value.code
    assert "/usr/" not in str(found.value)


async def test_a_stream_that_is_left_frees_the_engine(live):
    live.fake.settings.rate = 20
    stream = await live.client.chat.completions.create(**asked(stream=True, max_tokens=1000))
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    await stream.close()
    async with asyncio.timeout(5):
        while live.fake.counters.running:
            await asyncio.sleep(0.02)


async def test_a_client_that_gives_up_waiting_gets_a_timeout_and_frees_the_engine(live):
    live.fake.settings.ttft = 30
    with pytest.raises(openai.APITimeoutError):
        await live.client.with_options(timeout=httpx.Timeout(0.5)).chat.completions.create(**asked())
    async with asyncio.timeout(5):
        while live.fake.counters.running:
            await asyncio.sleep(0.02)


# What can be asked for


async def test_several_choices_with_their_logprobs(live):
    answer = await live.client.chat.completions.create(**asked(n=3, temperature=1, logprobs=True, top_logprobs=2))
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    for choice in answer.choices:
        assert choice.message.content == numbered(10)
        assert [entry.token for entry in choice.logprobs.content] == [f"t{k} " for k in range(10)]
        assert all(len(entry.top_logprobs) == 2 and entry.bytes for entry in choice.logprobs.content)
    assert answer.usage.completion_tokens == 30
    told = await chunks(live, n=3, temperature=1)
    for index in range(3):
        mine = [c for chunk in told for c in chunk.choices if c.index == index]
        assert "".join(choice.delta.content or "" for choice in mine) == numbered(10)
        assert [choice.finish_reason for choice in mine if choice.finish_reason] == ["length"]


async def test_a_tool_is_called_and_its_result_is_sent_back(live):
    tool = openai.pydantic_function_tool(Place, name="weather")
    for choice in ("auto", {"type": "function", "function": {"name": "weather"}}):
        answer = await live.client.chat.completions.create(**asked(tools=[tool], tool_choice=choice))
        assert answer.choices[0].finish_reason == "tool_calls"
        assert json.loads(answer.choices[0].message.tool_calls[0].function.arguments) == {"city": "Bilbao"}
    said = answer.choices[0].message
    result = {"role": "tool", "tool_call_id": said.tool_calls[0].id, "content": '{"degrees": 20}'}
    more = [*HELLO, said.model_dump(), result]  # every field as it came, the empty ones included
    answer = await live.client.chat.completions.create(**asked(messages=more, tools=[tool], tool_choice="none"))
    assert answer.choices[0].message.content == numbered(10)
    assert [message["role"] for message in live.fake.bodies[-1]["messages"]] == ["user", "assistant", "tool"]
    async with live.client.chat.completions.stream(**asked(tools=[tool])) as stream:
        done = [event async for event in stream if event.type == "tool_calls.function.arguments.done"]
    assert done[0].parsed_arguments == Place(city="Bilbao")


async def test_an_answer_after_a_schema_is_parsed(live):
    live.fake.settings.say = '{"city": "Bilbao", "degrees": 20}'
    answer = await live.client.chat.completions.parse(**asked(response_format=Weather))
    assert answer.choices[0].message.parsed == Weather(city="Bilbao", degrees=20)
    schema = live.fake.bodies[-1]["response_format"]["json_schema"]
    assert schema["schema"]["required"] == ["city", "degrees"]
    async with live.client.chat.completions.stream(**asked(response_format=Weather)) as stream:
        async for _ in stream:
            pass
        final = await stream.get_final_completion()
    assert final.choices[0].message.parsed == Weather(city="Bilbao", degrees=20)
    answer = await live.client.chat.completions.create(**asked(response_format={"type": "json_object"}))
    assert json.loads(answer.choices[0].message.content)["city"] == "Bilbao"


async def test_the_parameters_of_the_table_are_taken(live):
    answer = await live.client.chat.completions.create(model="fake", messages=HELLO, **ACCEPTED)
    assert answer.usage.completion_tokens == 9
    body = live.fake.bodies[-1]
    sent = {name for name in ACCEPTED.keys() | ACCEPTED["extra_body"].keys() if name in body}
    assert sent == {
        *("temperature", "top_p", "stop", "seed", "presence_penalty", "frequency_penalty", "logit_bias"),
        *("reasoning_effort", "top_k", "min_p", "repetition_penalty", "chat_template_kwargs"),
    }
    assert body["max_tokens"] == 9


async def test_the_parameters_that_the_table_refuses_are_refused_by_name(live):
    for name, value in REFUSED.items():
        with pytest.raises(openai.BadRequestError) as found:
            await live.client.chat.completions.create(**asked(extra_body={name: value}))
        assert name in found.value.param, name
    with pytest.raises(openai.BadRequestError):
        await live.client.chat.completions.create(**asked(messages=[{"role": "user", "content": PICTURE}]))
    assert live.fake.bodies == []


async def test_models_are_listed_page_by_page_and_shown(live):
    assert [model.id async for model in live.client.models.list()] == ["fake"]
    assert (await live.client.models.retrieve("fake")).object == "model"
    with pytest.raises(openai.NotFoundError):
        await live.client.models.retrieve("no/such")
