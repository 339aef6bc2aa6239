"""The /v1 routes as the official client sees them: each row of what clients expect."""

import asyncio
import json

import openai
import pytest

from accounts.models import ApiKey
from inference.api import responses
from inference.api.model_list import MAX_AGE_SECONDS
from inference.models import Generation, LanguageModel
from jarvis.lib.database import in_database
from tests.support.fake_engine import numbered
from tests.support.gateway import HELLO, asked, events, post

pytestmark = pytest.mark.django_db(transaction=True)

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


async def the_row():
    return await in_database(Generation.objects.get)


async def until(condition):
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.02)


async def test_a_whole_answer(live):
    answer = await live.client.chat.completions.create(**asked())
    assert answer.choices[0].message.content == numbered(10)
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "length"
    row = await the_row()
    assert answer.id == f"chatcmpl-{row.id.hex}"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (row.prompt_tokens, 10)
    assert (row.status, row.text, row.door, row.key_id, row.owner_id) == (
        "done",
        numbered(10),
        "v1",
        live.row.pk,
        live.row.owner_id,
    )


async def test_a_streamed_answer(live):
    stream = await live.client.chat.completions.create(**asked(stream=True))
    told = [chunk async for chunk in stream]
    assert told[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in told) == numbered(10)
    assert [chunk.choices[0].finish_reason for chunk in told if chunk.choices[0].finish_reason] == ["length"]
    assert told[-1].choices[0].finish_reason == "length"
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in told}) == 1
    assert all(chunk.usage is None for chunk in told)


async def test_an_answer_names_the_set_up_that_made_it(live):
    first = await live.client.chat.completions.create(**asked())
    stream = await live.client.chat.completions.create(**asked(stream=True))
    assert {chunk.system_fingerprint async for chunk in stream} == {first.system_fingerprint}
    assert first.system_fingerprint.startswith("fp_")
    await in_database(lambda: LanguageModel.objects.update(engine_args="--seed 5"))
    await asyncio.sleep(MAX_AGE_SECONDS)  # that a look at the models may be old
    later = await live.client.chat.completions.create(**asked())
    assert later.system_fingerprint not in (None, first.system_fingerprint)


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "min_tokens"])
async def test_an_answer_may_be_as_long_as_the_models_context(live, name):
    body = {"model": "fake", "messages": HELLO}
    status, _, answer = await post(live, body | {name: 100_001})
    assert (status, json.loads(answer)["error"]["param"]) == (400, name)
    assert "100000" in json.loads(answer)["error"]["message"]
    live.fake.settings.answer_tokens = 5
    assert (await post(live, body | {name: 100_000}))[0] == 200
    assert live.fake.bodies[-1][name.replace("completion_", "")] == 100_000


async def test_an_answer_without_a_limit_is_cut_by_nothing_but_its_context(live, configure):
    live.fake.settings.answer_tokens = 5000
    whole = await live.client.chat.completions.create(model="fake", messages=HELLO)
    assert (whole.choices[0].finish_reason, whole.usage.completion_tokens) == ("stop", 5001)
    assert "max_tokens" not in live.fake.bodies[-1]
    configure(max_answer_tokens=50)
    short = await live.client.chat.completions.create(model="fake", messages=HELLO)
    assert (short.choices[0].finish_reason, short.usage.completion_tokens) == ("length", 50)
    configure(max_answer_tokens=0)
    await in_database(lambda: ApiKey.objects.filter(pk=live.row.pk).update(tokens_per_month=10_000))
    await asyncio.sleep(1)
    reserved = await live.client.chat.completions.create(model="fake", messages=HELLO)
    assert (reserved.choices[0].finish_reason, reserved.usage.completion_tokens) == ("length", 4096)


async def test_every_event_is_one_line_of_data_and_the_last_is_done(live):
    told = await events(live)
    assert told[-1] == "data: [DONE]"
    assert all(event.startswith("data: {") and "\n" not in event for event in told[:-1])
    assert not any('"usage"' in event for event in told)


async def test_usage_is_told_to_those_who_ask(live):
    told = [json.loads(event[6:]) for event in (await events(live, stream_options={"include_usage": True}))[:-1]]
    assert told[-1]["choices"] == []
    assert told[-1]["usage"]["completion_tokens"] == 10
    assert all(chunk["usage"] is None for chunk in told[:-1])


async def test_usage_so_far_is_told_to_those_who_ask(live):
    told = await events(live, stream_options={"include_usage": True, "continuous_usage_stats": True})
    usages = [json.loads(event[6:])["usage"] for event in told[:-1]]
    assert all(usage["prompt_tokens"] == usages[-1]["prompt_tokens"] > 0 for usage in usages)
    made = [usage["completion_tokens"] for usage in usages]
    assert made == sorted(made)
    assert made[-1] == 10


async def test_the_first_token_comes_before_the_last_is_made(live):
    live.fake.settings.rate = 20
    stream = await live.client.chat.completions.create(**asked(stream=True))
    async with asyncio.timeout(5):
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        assert live.fake.counters.generation_tokens < 5
    await stream.close()


async def test_tools_are_streamed_and_whole(live):
    answer = await live.client.chat.completions.create(**asked(tools=[TOOL]))
    call = answer.choices[0].message.tool_calls[0]
    assert (answer.choices[0].finish_reason, answer.choices[0].message.content) == ("tool_calls", None)
    assert (call.function.name, call.function.arguments) == ("weather", '{"city": "Bilbao"}')
    async with live.client.chat.completions.stream(**asked(tools=[TOOL])) as stream:
        async for _ in stream:
            pass
        final = (await stream.get_final_completion()).choices[0]
    assert final.finish_reason == "tool_calls"
    assert final.message.tool_calls[0].function.arguments == '{"city": "Bilbao"}'


async def test_several_choices_with_logprobs(live):
    answer = await live.client.chat.completions.create(**asked(n=3, logprobs=True, top_logprobs=2))
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    for choice in answer.choices:
        assert choice.message.content == numbered(10)
        assert [entry.token for entry in choice.logprobs.content] == [f"t{k} " for k in range(10)]
    live.fake.settings.answer_tokens = 10  # the client's helper takes "length" for an error
    async with live.client.chat.completions.stream(**asked(n=2, logprobs=True, max_tokens=20)) as stream:
        async for _ in stream:
            pass
        final = await stream.get_final_completion()
    assert [choice.message.content for choice in final.choices] == [numbered(10)] * 2
    assert len(final.choices[1].logprobs.content) == 11


async def test_reasoning_comes_beside_the_content(live):
    live.fake.settings.reasoning = 2
    answer = await live.client.chat.completions.create(**asked())
    assert answer.choices[0].message.reasoning == answer.choices[0].message.reasoning_content == "r0 r1 "
    assert answer.choices[0].message.content == numbered(10)
    assert answer.usage.completion_tokens_details.reasoning_tokens == (await the_row()).reasoning_tokens == 2


async def test_silence_is_filled_with_comments_that_the_client_passes_over(live, monkeypatch):
    monkeypatch.setattr(responses, "KEEP_ALIVE_SECONDS", 0.1)
    live.fake.settings.ttft = 0.5
    told = await events(live)
    assert ": keep-alive" in told
    stream = await live.client.chat.completions.create(**asked(stream=True))
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == numbered(10)


async def test_a_client_that_leaves_frees_the_engine_within_a_second(live):
    live.fake.settings.rate = 20
    async with live.http.post("/v1/chat/completions", json=asked(stream=True, max_tokens=1000)) as response:
        await response.content.readany()
        response.close()
    began = asyncio.get_running_loop().time()
    await until(lambda: asyncio.sleep(0, live.fake.counters.running == 0))
    assert asyncio.get_running_loop().time() - began < 1

    async def stored():
        return (await the_row()).status == "stopped"

    await until(stored)
    row = await the_row()
    assert row.text.startswith("t0 ")
    assert row.completion_tokens == len(row.text.split())


async def test_a_client_that_leaves_before_the_first_token_frees_the_engine(live):
    live.fake.settings.ttft = 30
    for streamed in (True, False):
        call = asyncio.create_task(post(live, asked(stream=streamed)))
        await until(lambda: asyncio.sleep(0, live.fake.counters.running == 1))
        call.cancel()
        await until(lambda: asyncio.sleep(0, live.fake.counters.running == 0))

    async def all_stopped():
        return await in_database(lambda: [g.status for g in Generation.objects.all()] == ["stopped"] * 2)

    await until(all_stopped)


async def test_a_failure_before_the_first_token_has_a_status_of_its_own(live):
    live.fake.settings.max_model_len = 3
    for streamed in (True, False):
        with pytest.raises(openai.BadRequestError) as found:
            await live.client.chat.completions.create(**asked(stream=streamed))
        assert (found.value.code, found.value.param) == ("context_length_exceeded", "messages")
        assert "This model's maximum context length is 3 tokens. However, you requested" in found.value.message


async def test_a_failure_in_mid_stream_raises_and_is_never_half_an_answer(live):
    live.fake.settings.error_after = 3
    stream = await live.client.chat.completions.create(**asked(stream=True, logprobs=True))
    with pytest.raises(openai.APIError) as found:
        async for _ in stream:
            pass
    assert found.value.code == "engine_error"
    assert (await events(live, logprobs=True))[-1] == "data: [DONE]"
    with pytest.raises(openai.InternalServerError) as found:
        await live.client.chat.completions.create(**asked(logprobs=True))
    assert "/usr" not in str(found.value)


async def test_both_headers_open_the_door(live):
    for header, value in (("authorization", f"Bearer {live.key}"), ("x-api-key", live.key)):
        async with live.http.get("/v1/models", headers={"authorization": "", header: value}) as response:
            assert response.status == 200


async def test_a_wrong_or_revoked_key_is_a_401(live):
    with pytest.raises(openai.AuthenticationError) as found:
        await live.client.with_options(api_key="jv_wrong").chat.completions.create(**asked())
    assert found.value.code == "invalid_api_key"
    await in_database(ApiKey.revoke, live.row)

    async def refused():
        async with live.http.get("/v1/models") as response:
            return response.status == 401

    async with asyncio.timeout(1.5):
        await until(refused)


async def test_no_key_is_a_401_on_every_route(live):
    for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/models"), ("GET", "/v1/models/fake")):
        async with live.http.request(method, path, headers={"authorization": ""}) as response:
            assert response.status == 401
            assert (await response.json())["error"]["code"] == "invalid_api_key"


async def test_an_unknown_model_is_a_404(live):
    with pytest.raises(openai.NotFoundError) as found:
        await live.client.chat.completions.create(**asked(model="gpt-99"))
    assert (found.value.code, found.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        await live.client.models.retrieve("gpt-99")


async def test_models_are_listed_and_shown(live):
    assert [model.id async for model in live.client.models.list()] == ["fake"]
    assert (await live.client.models.retrieve("fake")).owned_by == "jarvis"


async def test_a_wrong_parameter_is_a_400_that_names_it(live):
    with pytest.raises(openai.BadRequestError) as found:
        await live.client.chat.completions.create(**asked(temperature=5))
    assert (found.value.code, found.value.param) == ("invalid_request_error", "temperature")
    with pytest.raises(openai.BadRequestError) as found:
        await live.client.chat.completions.create(**asked(extra_body={"chat_template": "{{ 1 }}"}))
    assert found.value.param == "chat_template"
    assert not await in_database(Generation.objects.exists)


ROUTING = [
    ("GET", "/v1/nothing", 404, "not_found"),
    ("GET", "/v1/", 404, "not_found"),
    ("GET", "/v1", 404, "not_found"),
    ("POST", "/v1/chat/completions/", 404, "not_found"),
    ("GET", "/v1/models/", 404, "not_found"),
    ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
    ("OPTIONS", "/v1/chat/completions", 405, "method_not_allowed"),
    ("DELETE", "/v1/models", 405, "method_not_allowed"),
    ("POST", "/v1/models/fake", 405, "method_not_allowed"),
    ("PATCH", "/v1/models", 405, "method_not_allowed"),
]


async def test_errors_of_routing_have_the_shape(live):
    for method, path, status, code in ROUTING:
        async with live.http.request(method, path, allow_redirects=False) as response:
            assert response.status == status, path
            error = (await response.json())["error"]
            assert set(error) == {"message", "type", "param", "code"}
            assert error["code"] == code
            assert response.headers["x-request-id"]


async def test_head_is_answered_without_a_body(live):
    for path, status in (("/v1/models", 200), ("/v1/models/fake", 200), ("/v1/chat/completions", 405)):
        async with live.http.head(path) as response:
            assert response.status == status
            assert int(response.headers["content-length"]) > 0
            assert await response.read() == b""
    assert (await post(live, asked()))[0] == 200


async def test_a_body_beyond_the_limit_is_a_413(live, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 20_000
    status, headers, body = await post(live, b"x" * 30_000)
    assert (status, json.loads(body)["error"]["code"]) == (413, "request_too_large")
    assert headers["x-request-id"]


async def test_a_malformed_body_is_a_400_and_the_next_call_works(live):
    for body in (b"", b"{", b"\xff", b"[" * 10_000, b'{"model": "fake"}', b"null", b"\x00" * 50):
        status, headers, answer = await post(live, body)
        assert (status, json.loads(answer)["error"]["code"]) == (400, "invalid_request_error")
        assert headers["content-type"] == "application/json"
    assert (await post(live, asked()))[0] == 200


async def test_every_answer_has_an_id_and_its_time(live):
    status, headers, _ = await post(live, asked(), headers={"x-request-id": "mine-1"})
    assert (status, headers["x-request-id"]) == (200, "mine-1")
    assert 0 < int(headers["openai-processing-ms"]) < 30_000
    assert (await the_row()).request_id == "mine-1"
    for body in (asked(stream=True), asked(model="x"), b"{"):
        _, headers, _ = await post(live, body)
        assert headers["x-request-id"]
        assert headers["openai-processing-ms"].isdigit()


async def test_a_full_queue_is_a_503_that_says_when_to_come_back(live, configure):
    configure(queue_limit=0, queue_limit_per_user=0)
    status, headers, body = await post(live, asked())
    assert (status, json.loads(body)["error"]["code"]) == (503, "overloaded")
    assert int(headers["retry-after"]) >= 1


async def test_the_ordinary_parameters_reach_the_engine(live):
    fields = {"temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": ["x"], "presence_penalty": 0.1, "user": "u"}
    await live.client.chat.completions.create(**asked(**fields, metadata={"a": "b"}, store=False))
    body = live.fake.bodies[-1]
    assert {name: body.get(name) for name in ("temperature", "top_p", "seed", "stop")} == {
        name: fields[name] for name in ("temperature", "top_p", "seed", "stop")
    }
    assert body["stream_options"] == {"include_usage": True}
    assert not {"user", "metadata", "store"} & body.keys()


async def test_many_streams_at_once_are_each_whole(live):
    live.fake.settings.rate = 100

    async def one():
        stream = await live.client.chat.completions.create(**asked(stream=True, max_tokens=50))
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert await asyncio.gather(*[one() for _ in range(40)]) == [numbered(50)] * 40
