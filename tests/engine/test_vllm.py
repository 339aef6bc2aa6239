"""The keeper with real vLLM. Each test takes the engine over from the one before, and whole stacks from the last."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inference.engine import processes
from inference.engine.base import VllmEngine
from inference.engine.process.spawn import is_isolated
from inference.openai.request import check_chat_request
from jarvis.lib.processes import process_name

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(400)]
QUESTION = {"messages": [{"role": "user", "content": "How do I make a key?"}], "temperature": 0, "ignore_eos": True}


@pytest.fixture(scope="module")
def left_behind(vllm_home):
    """Configuration and pid of an engine whose worker was killed with SIGKILL once it was ready."""
    config = vllm_home
    command = [sys.executable, "-m", "tests.support.holder", str(config.var), config.model]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        line = next(line for line in worker.stdout if line.startswith("pid "))
        worker.kill()
    assert line.split()[2] == "ready", line
    return config, int(line.split()[1])


@pytest.fixture
async def engine(left_behind):
    engine = VllmEngine(left_behind[0])
    task = asyncio.create_task(engine.run())
    await asyncio.wait_for(engine.wait_ready(), 300)
    yield engine
    task.cancel()
    await asyncio.wait([task])


async def stream(engine, path, body):
    """Token ids and text of one answer."""
    ids, text = [], ""
    body = body | {"stream": True, "return_token_ids": True}
    async with engine.session().post(f"{engine.base_url}/v1/{path}", json=body) as response:
        answer = await response.text()
    assert response.status == 200, answer
    for line in answer.splitlines():
        if line.startswith("data: {"):
            for choice in json.loads(line[6:])["choices"]:
                ids += choice.get("token_ids") or []
                text += choice.get("text") or choice.get("delta", {}).get("content") or ""
    return ids, text


async def test_it_serves_its_model_under_its_name_with_its_window(engine):
    assert (engine.state.model, engine.state.max_model_len, engine.state.slots) == ("tiny", 1024, 64)


@pytest.mark.alone
async def test_after_a_killed_worker_the_next_token_comes_at_once_from_the_same_engine(left_behind):
    config, pid = left_behind
    began = time.monotonic()
    engine = VllmEngine(config)
    task = asyncio.create_task(engine.run())
    await asyncio.wait_for(engine.wait_ready(), 30)
    ids, _ = await stream(engine, "chat/completions", QUESTION | {"max_tokens": 1})
    assert time.monotonic() - began < 3
    assert len(ids) == 1
    assert engine.state.pid == pid
    assert engine.state.adopted
    task.cancel()
    await asyncio.wait([task])


def test_no_port_of_it_can_be_reached(left_behind):
    """Of all that listens on this machine's network, nothing belongs to the engine's processes."""
    listening = {}
    for family in ("tcp", "tcp6"):
        for row in Path("/proc/self/net", family).read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == "0A":
                listening[f"socket:[{fields[9]}]"] = fields[1]
    ours = processes.find_marked(left_behind[0].run_dir)
    assert len(ours) >= 2
    for process in ours:
        links = [os.readlink(entry) for entry in Path("/proc", str(process.pid), "fd").iterdir()]
        ports = [listening[link] for link in links if link in listening]
        if is_isolated(process.pid):
            assert ports == []
        else:  # this system allows no network namespaces: then loopback at most
            assert all(port.startswith("0100007F") for port in ports)


@pytest.mark.alone
async def test_closing_the_connection_frees_the_engine_within_a_second(engine):
    body = QUESTION | {"max_tokens": 900, "stream": True}
    async with engine.session().post(f"{engine.base_url}/v1/chat/completions", json=body) as response:
        seen = 0
        async for _ in response.content.iter_any():
            seen += 1
            if seen % 20 == 0 and await engine.count_running() == 1:
                break
        response.close()
    left = time.monotonic()
    while await engine.count_running():
        assert time.monotonic() - left < 1
        await asyncio.sleep(0.02)
    assert (await engine.fetch_counters()).generation_tokens < 900


async def test_an_answer_continued_by_its_ids_equals_the_uninterrupted_one(engine):
    async with engine.session().post(
        f"{engine.base_url}/v1/chat/completions", json=QUESTION | {"max_tokens": 60, "return_token_ids": True}
    ) as response:
        whole = await response.json()
    prompt, ids = whole["prompt_token_ids"], whole["choices"][0]["token_ids"]
    for cut in range(1, 60, 7):
        body = {"prompt": prompt + ids[:cut], "max_tokens": 60 - cut, "temperature": 0, "ignore_eos": True}
        assert ids[:cut] + (await stream(engine, "completions", body))[0] == ids


async def test_an_answer_that_was_begun_goes_on_after_its_last_word(engine):
    begun = {"role": "assistant", "content": "First, open the"}
    question = {"model": "tiny", "messages": [QUESTION["messages"][0], begun], "max_tokens": 4, "temperature": 0}
    body = check_chat_request(question).as_continuation().engine_body()
    async with engine.session().post(f"{engine.base_url}/v1/chat/completions", json=body) as response:
        lines = (await response.text()).splitlines()
    assert response.status == 200, lines
    prompt = json.loads(lines[0][6:])["prompt_token_ids"]
    async with engine.session().post(f"{engine.base_url}/detokenize", json={"tokens": prompt}) as response:
        assert (await response.json())["prompt"].endswith("First, open the")


@pytest.mark.alone
async def test_logprobs_do_not_make_the_engine_compile(engine):
    began = time.monotonic()
    await stream(engine, "chat/completions", QUESTION | {"max_tokens": 3, "logprobs": True, "top_logprobs": 5})
    await stream(engine, "chat/completions", QUESTION | {"max_tokens": 3, "temperature": 1, "top_k": 5, "min_p": 0.1})
    assert time.monotonic() - began < 5


async def test_a_core_that_stands_still_is_noticed_though_its_front_is_well(left_behind):
    """Leaves the start of a new one to the next test."""
    engine = VllmEngine(left_behind[0].model_copy(update={"engine_stall_seconds": 4}))
    task = asyncio.create_task(engine.run())
    await asyncio.wait_for(engine.wait_ready(), 30)
    [core] = [p.pid for p in processes.find_marked(engine.home) if "EngineCore" in process_name(p.pid)]
    body = QUESTION | {"max_tokens": 900, "stream": True}
    async with engine.session().post(f"{engine.base_url}/v1/chat/completions", json=body) as response:
        await response.content.readany()
        os.kill(core, signal.SIGSTOP)
        assert await engine.check_health() == "well"
        async with asyncio.timeout(20):
            while not engine.deaths:
                await engine.check_stall()
                await asyncio.sleep(0.1)
    async with asyncio.timeout(30):
        while "had work and did nothing for 4 s" not in engine.state.detail:  # told once it has been put away
            await asyncio.sleep(0.05)
    assert core not in {p.pid for p in processes.find_marked(engine.home)}
    task.cancel()
    await asyncio.wait([task])


async def test_a_core_that_is_killed_is_replaced_with_the_front(left_behind):
    """It costs a start, and leaves the new engine to those who come next."""
    engine = VllmEngine(left_behind[0])
    task = asyncio.create_task(engine.run())
    await asyncio.wait_for(engine.wait_ready(), 300)
    first = engine.state.pid
    [core] = [p.pid for p in processes.find_marked(engine.home) if "EngineCore" in process_name(p.pid)]
    os.kill(core, signal.SIGKILL)
    assert not await asyncio.wait_for(engine.verify(), 5)
    assert engine.deaths == 1
    await asyncio.wait_for(engine.wait_ready(), 300)
    assert engine.state.pid != first
    assert {p.group for p in processes.find_marked(engine.home)} == {engine.state.pid}
    task.cancel()
    await asyncio.wait([task])
