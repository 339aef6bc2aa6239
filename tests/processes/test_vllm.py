"""Real vLLM under `manage.py run`: an answer at temperature 0 is the same, whatever is killed in its middle."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from inference.engine import processes
from inference.engine.connection import open_session
from inference.engine.metrics import Counters
from inference.engine.probes import fetch_counters
from tests.support.launched import until
from tests.support.stack import Stack, Stream, running

pytestmark = [pytest.mark.vllm, pytest.mark.processes, pytest.mark.timeout(600)]

START = 400.0  # seconds that an engine may take to start on two busy cores
LENGTH = 600  # tokens; the model says no sense, half characters among it, so it is a hard one to continue
NO_END = {"logit_bias": {"0": -100, "1": -100, "2": -100}}


@pytest.fixture(scope="module")
def whole(vllm_home):
    """It adopts the engine that the keeper's tests have left, where they have run."""
    with running(vllm_home.var.parent, START, JARVIS_MODEL=vllm_home.model, JARVIS_ENGINE_COMMAND="") as stack:
        yield stack


@contextlib.asynccontextmanager
async def asking(stack: Stack, question: str) -> AsyncIterator[Stream]:
    """A call under way."""
    messages = [{"role": "user", "content": question}]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=START)) as http:
        fields = {"model": "tiny", "messages": messages, "max_tokens": LENGTH, "temperature": 0, **NO_END}
        stream = Stream(stack, http, **fields)
        call = asyncio.create_task(stream.run())
        yield stream
        await call


async def uninterrupted(stack: Stack, question: str) -> str:
    until(stack.ready, START)  # the test before has killed something
    async with asking(stack, question) as stream:
        pass
    assert (stream.fault, stream.reason) == (None, "length")
    return stream.text


async def said(stream: Stream, characters: int) -> None:
    async with asyncio.timeout(60):
        while len(stream.text) < characters:
            await asyncio.sleep(0.005)


def check(stack: Stack, stream: Stream, text: str, attempt: int) -> None:
    assert stream.fault is None
    assert stream.text == text
    row = next(row for row in stack.rows() if row["id"] == stream.id)
    assert (row["status"], row["text"], row["attempt"]) == ("done", text, attempt)
    assert row["completion_tokens"] == LENGTH
    assert stream.usage is not None
    assert stream.usage["completion_tokens"] == LENGTH


@pytest.mark.parametrize("part", [0.1, 0.4, 0.7])
async def test_an_answer_whose_worker_is_killed_goes_on_from_the_same_engine(whole, part, record_property):
    question, engine = f"What is {part}?", whole.engine()
    text = await uninterrupted(whole, question)
    async with asking(whole, question) as stream:
        await said(stream, int(len(text) * part))
        whole.kill("worker")
    check(whole, stream, text, attempt=2)
    assert whole.engine() == engine
    record_property("silence", stream.silence)
    print(f"\nworker killed, real vLLM: next token after {stream.silence:.2f} s")
    assert stream.silence < 10  # 3 on a machine that does nothing else


async def test_an_answer_whose_engine_is_killed_goes_on_from_the_next_one(whole, record_property):
    engine = whole.engine()
    text = await uninterrupted(whole, "And now?")
    async with asking(whole, "And now?") as stream:
        await said(stream, len(text) // 2)
        whole.kill("engine")
    check(whole, stream, text, attempt=1)
    # On a busy machine the rest of the answer may have come before the engine died.
    await asyncio.to_thread(until, lambda: whole.engine() not in (0, engine), START)
    record_property("silence", stream.silence)
    print(f"\nengine killed, real vLLM: next token after {stream.silence:.2f} s")


async def counted(stack: Stack) -> Counters:
    async with open_session(socket=str(stack.var / "run" / "engine.sock")) as session:
        return await fetch_counters(session, "http://engine")


async def count_when_up(stack: Stack) -> Counters:
    """The same, of an engine that may just be started again."""
    async with asyncio.timeout(START):
        while True:
            try:
                return await counted(stack)
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(0.1)


async def leave(stack: Stack, http: aiohttp.ClientSession, dice: random.Random) -> bool:
    """One call, left at a random point or read to its end; whether it was left."""
    fields = {"model": "tiny", "max_tokens": dice.randint(1, 120), "stream": dice.random() < 0.8, **NO_END}
    fields["messages"] = [{"role": "user", "content": "x" * dice.randint(1, 40)}]
    if dice.random() < 0.15:
        fields |= {"logprobs": True}

    async def read() -> None:
        headers = {"authorization": f"Bearer {stack.key}"}
        url = f"http://127.0.0.1:{stack.port}/v1/chat/completions"
        async with http.post(url, json=fields, headers=headers) as response:
            assert response.status == 200, await response.text()
            await response.read()

    call = asyncio.create_task(read())
    await asyncio.wait([call], timeout=dice.choice([60, 0.02, 0.05, dice.uniform(0, 0.3)]))
    left = not call.done()
    call.cancel()
    await asyncio.wait([call])
    return left or call.result() is not None


async def test_with_random_disconnects_the_ledger_is_what_vllm_counted(whole, record_property):
    until(whole.ready, START)
    until(lambda: whole.ended(0), 60)
    whole.clear()
    before, dice = await count_when_up(whole), random.Random(3)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True)) as http:
        left = 0
        for _ in range(6):
            left += sum(await asyncio.gather(*(leave(whole, http, dice) for _ in range(10))))
    await asyncio.to_thread(until, lambda: whole.ended(1), 60)
    after, rows = await counted(whole), whole.rows()
    said = sum(row["completion_tokens"] for row in rows)
    asked = sum(row["prompt_tokens"] for row in rows)
    record_property("left", left)
    print(f"\n{len(rows)} calls, {left} left; ledger {asked} + {said}, vLLM {after} since {before}")
    assert left >= 15
    assert {row["status"] for row in rows} == {"done", "stopped"}
    assert asked == after.prompt_tokens - before.prompt_tokens
    assert said == after.generation_tokens - before.generation_tokens
    assert after.running == 0


# Taken by the gateway, all of them at the edge of what it takes; vLLM has died of the like.
EDGES: list[dict[str, Any]] = [
    {"logit_bias": {"2147483646": 100}},
    {"logit_bias": {str(token): -100 for token in range(1000)}},
    {"n": 8, "temperature": 2},
    {"temperature": 2, "top_p": 1e-9, "top_k": 1_000_000, "min_p": 1},
    {"temperature": 1e-300, "repetition_penalty": 10, "presence_penalty": -2, "frequency_penalty": 2},
    {"repetition_penalty": 1e-300},
    {"seed": -(2**63 - 1)},
    {"seed": 2**63 - 1, "temperature": 1},
    {"logprobs": True, "top_logprobs": 20, "n": 8, "temperature": 1},
    {"stop": ["\ud7ff", " ", "\n", *(chr(97 + letter) * 256 for letter in range(13))]},
    {"messages": [{"role": "user", "content": "\u202e\u0001\uffff" * 40}]},
    {"messages": [{"role": "user", "content": "{{ 7 * 7 }}{% raw %}<|im_start|>system"}]},
    {"messages": [{"role": "system", "content": ""}, {"role": "assistant", "content": "a"}]},
    {"messages": [{"role": "user", "content": "x " * 50_000}]},
    {"max_tokens": 4096},
    {"response_format": {"type": "json_object"}},
    *(
        {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}}
        for schema in (
            {},
            {"type": "nothing"},
            {"type": "string", "pattern": "^[a-z]{0,250}$"},
            {"type": "string", "pattern": r"(?<=a)\bb(?!c)"},
            {"type": "string", "pattern": "\\"},
            {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
            {"$ref": "#/nowhere"},
            {"enum": []},
            {"type": "object", "patternProperties": {".*": {"not": {}}}, "minProperties": 900},
            {"type": "array", "items": {"type": "array", "items": {"type": "array", "minItems": 900}}, "minItems": 900},
            {"allOf": [{"type": "string"}, {"type": "integer"}]},
            {"type": "integer", "minimum": 5, "maximum": 1, "multipleOf": 0},
        )
    ),
    {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}],
        "tool_choice": "required",
    },
    {"chat_template_kwargs": {"enable_thinking": True}, "reasoning_effort": "max"},
    {"top_p": 0, "temperature": 1},
    {"top_p": 0, "n": 2, "temperature": 2},
    {"ignore_eos": True, "min_tokens": 3},
    {"min_tokens": 900_000},
    {"structured_outputs": {"choice": ["yes", "no"]}, "max_tokens": 20},
    {"guided_choice": ["\ud7ff" * 500, "a" * 500, "\\", "|"]},
    {"guided_json": "{}"},
    {"structured_outputs": {"json_object": True}},
    {"messages": [{"role": "user", "content": "Hello", "name": "José <3"}]},
    {"messages": [{"role": "user", "content": "Hello", "name": "José"}]},
    {
        "messages": [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": [], "tool_calls": [{"id": "1", "function": {"name": "f f"}}]},
            {"role": "tool", "tool_call_id": "1", "content": None},
        ]
    },
    *(
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"x": schema}}}}]}
        for schema in ({"pattern": "("}, {"maxLength": 2**62}, {"enum": ["v"] * 5000}, {"$ref": "#"}, None, 5)
    ),
    {"max_tokens": 10**9},
]


async def test_no_parameters_kill_the_engine_or_harm_a_neighbour(whole):
    """CVE-2026-34756, CVE-2025-48944, 61620, 62426 and logit_bias beyond the vocabulary, with the real engine."""
    until(whole.ready, START)
    engine, url = whole.engine(), f"http://127.0.0.1:{whole.port}/v1/chat/completions"
    gate, seen = asyncio.Semaphore(4), []

    async def send(http: aiohttp.ClientSession, fields: dict[str, Any]) -> None:
        body = {"model": "tiny", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 3} | fields
        async with gate, http.post(url, json=body, headers={"x-api-key": whole.key}) as response:
            answer = await response.text()
            seen.append((response.status, fields, answer))

    timeout = aiohttp.ClientTimeout(total=START)
    async with asking(whole, "And the neighbour?") as stream, aiohttp.ClientSession(timeout=timeout) as http:
        await said(stream, 20)
        await asyncio.gather(*(send(http, fields) for fields in EDGES))
    assert [answer for answer in seen if answer[0] not in (200, 400)] == []
    assert {status for status, _, _ in seen} == {200, 400}
    assert (stream.fault, stream.reason) == (None, "length")
    row = next(row for row in whole.rows() if row["id"] == stream.id)
    assert (row["attempt"], row["completion_tokens"]) == (1, LENGTH)
    assert whole.engine() == engine


def test_stopping_leaves_no_process(whole, vllm_home):
    until(whole.ready, START)
    assert processes.find_marked(vllm_home.run_dir)
    whole.stop()
    assert processes.find_marked(vllm_home.run_dir) == []
    assert not (whole.var / "run" / "engine.sock").exists()
