"""The fake engine must behave as vLLM does, or the tests that lean on it prove nothing."""

import asyncio
import contextlib
from typing import Any

import aiohttp
import openai
import pytest

from inference.openai.engine_events import decode_chunk
from inference.openai.sse import DONE, SseParser
from tests.support.fake_engine import FIRST_ID, FakeEngine, process, threaded

HELLO: Any = [{"role": "user", "content": "Say hello to everyone"}]


def body(**fields):
    return {"model": "fake", "messages": HELLO, "stream": True, "return_token_ids": True} | fields


@contextlib.asynccontextmanager
async def connected(path):
    async with aiohttp.ClientSession("http://engine", connector=aiohttp.UnixConnector(str(path))) as session:
        yield session


async def events(session, route, request):
    parser, found = SseParser(), []
    async with session.post(route, json=request) as response:
        assert response.status == 200
        async for data in response.content.iter_any():
            found += parser.feed(data)
    assert found.pop() == DONE
    return [decode_chunk(event) for event in found]


def said(chunks):
    text = "".join(chunk.plain_text() or "" for chunk in chunks)
    ids = [i for chunk in chunks for choice in chunk.choices for i in choice.token_ids or []]
    return text, ids


@pytest.fixture
async def engine(tmp_path):
    async with FakeEngine(tmp_path / "e.sock") as engine:
        yield engine


@pytest.fixture
async def session(engine):
    async with connected(engine.path) as session:
        yield session


async def test_tokens_are_numbered_and_counted(engine, session):
    chunks = await events(session, "/v1/chat/completions", body(max_tokens=5, stream_options={"include_usage": True}))
    assert said(chunks) == ("t0 t1 t2 t3 t4 ", [1000, 1001, 1002, 1003, 1004])
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "length"
    prompt = len(chunks[0].prompt_ids())
    assert chunks[-1].usage == {"prompt_tokens": prompt, "completion_tokens": 5, "total_tokens": prompt + 5}


@pytest.mark.parametrize("answer_tokens", [0, 8, 12])
@pytest.mark.parametrize("cut", [0, 1, 7, 8])
async def test_a_continuation_by_ids_says_the_rest(engine, session, cut, answer_tokens):
    engine.settings.answer_tokens = answer_tokens
    whole = await events(session, "/v1/chat/completions", body(max_tokens=9))
    ids = said(whole)[1][:cut]
    rest = await events(
        session,
        "/v1/completions",
        body(prompt=whole[0].prompt_ids() + ids, max_tokens=9 - cut),
    )
    assert ids + said(rest)[1] == said(whole)[1]
    assert "".join(f"t{i - FIRST_ID} " for i in ids) + said(rest)[0] == said(whole)[0]
    assert rest[-1].choices[0].finish_reason == whole[-1].choices[0].finish_reason


async def test_a_request_whose_client_leaves_is_aborted_within_a_second(engine, session):
    engine.settings.rate = 2
    async with session.post("/v1/chat/completions", json=body(max_tokens=100)) as response:
        await response.content.readany()
        assert engine.counters.running == 1
        response.close()
    for _ in range(50):
        if not engine.counters.running:
            break
        await asyncio.sleep(0.02)
    assert (engine.counters.running, engine.counters.aborted) == (0, 1)


async def test_requests_beyond_the_slots_wait(engine, session):
    engine.settings.slots, engine.settings.rate = 2, 200
    await asyncio.gather(*[events(session, "/v1/chat/completions", body(max_tokens=10)) for _ in range(6)])
    assert (engine.counters.most_running, engine.counters.finished) == (2, 6)


async def test_faults_come_when_they_are_ordered(engine, session):
    engine.settings.fail_next, engine.settings.fail_status = 1, 503
    async with session.post("/v1/chat/completions", json=body()) as response:
        assert response.status == 503
    engine.settings.error_after = 2
    chunks = await events(session, "/v1/chat/completions", body(max_tokens=5))
    assert said(chunks)[0] == "t0 t1 "
    assert chunks[-1].error["code"] == 500
    engine.settings.error_after, engine.settings.cut_after = -1, 2
    with pytest.raises(aiohttp.ClientPayloadError):
        await events(session, "/v1/chat/completions", body(max_tokens=5))


async def test_metrics_and_models_have_vllms_names(engine, session):
    async with session.get("/metrics") as response:
        text = await response.text()
    for name in ("num_requests_running", "prompt_tokens_total", "generation_tokens_total"):
        assert f'vllm:{name}{{model_name="fake"}} 0.0' in text
    async with session.get("/v1/models") as response:
        assert (await response.json())["data"][0]["max_model_len"] == 100_000
    async with session.post("/tokenize", json={"messages": HELLO}) as response:
        assert (await response.json())["count"] == 7
    async with session.post("/detokenize", json={"tokens": [1000, 1001]}) as response:
        assert (await response.json())["prompt"] == "t0 t1 "


def test_the_official_client_reads_every_kind_of_answer():
    tool: Any = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    with (
        threaded(reasoning=2) as engine,
        openai.OpenAI(base_url=f"http://127.0.0.1:{engine.port}/v1", api_key="x") as client,
    ):
        answer: Any = client.chat.completions.create(model="fake", messages=HELLO, max_tokens=3, n=2, logprobs=True)
        assert [choice.message.content for choice in answer.choices] == ["t0 t1 t2 "] * 2
        assert answer.choices[0].logprobs.content[2].token == "t2 "
        call: Any = client.chat.completions.create(model="fake", messages=HELLO, tools=[tool]).choices[0]
        assert call.finish_reason == "tool_calls"
        assert call.message.tool_calls[0].function.arguments == '{"city": "Bilbao"}'
        stream: Any = client.chat.completions.create(model="fake", messages=HELLO, max_tokens=3, stream=True)
        deltas = [chunk.choices[0].delta for chunk in stream]
        assert "".join(getattr(delta, "reasoning", None) or "" for delta in deltas) == "r0 r1 "


async def test_the_process_can_be_killed_by_itself_in_the_middle(tmp_path):
    with process(tmp_path / "e.sock", die_after=3, rate=100.0) as child:
        async with connected(tmp_path / "e.sock") as session:
            with pytest.raises(aiohttp.ClientError):
                await events(session, "/v1/chat/completions", body(max_tokens=10))
        assert child.wait(5) == -9
