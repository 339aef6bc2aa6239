"""The official Node SDK against a live Jarvis: the rows of test_python.py, as a program in JavaScript sees them."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from accounts.models import ApiKey
from inference.api import responses
from jarvis.lib.config import config
from jarvis.lib.database import in_database
from tests.support.fake_engine import numbered
from tests.support.gateway import HELLO, asked
from tests.support.sdk import ACCEPTED, PICTURE, REFUSED
from tests.support.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)

HERE = Path(__file__).parent / "node"


@pytest.fixture(scope="session")
def sdk():
    """The folder with the SDK that the lock names; installed once, beside the packages of Python."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("NOT TRIED: the Node SDK. There is no Node or npm here; install them to run these tests.")
    lock = (HERE / "package-lock.json").read_bytes()
    place = Path(sys.prefix, "node-sdk")
    with contextlib.suppress(FileNotFoundError):
        if (place / "package-lock.json").read_bytes() == lock:
            return place
    fresh = Path(tempfile.mkdtemp(prefix="node-sdk-", dir=sys.prefix))
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, fresh)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved"]
    done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=100, check=False)
    if done.returncode:
        shutil.rmtree(fresh)
        pytest.skip(f"NOT TRIED: the Node SDK. npm could not install it: {done.stderr[-300:]}")
    shutil.rmtree(place, ignore_errors=True)
    try:
        fresh.rename(place)
    except OSError:  # another session was quicker
        shutil.rmtree(fresh)
    return place


@pytest.fixture
async def node(live, sdk):
    """`await node(name, **body)`: make one call with the SDK; a process of its own makes them all."""
    environment = os.environ | {"NODE_SDK": str(sdk), "BASE_URL": f"{live.url}/v1", "KEY": live.key}
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        "node", str(HERE / "ask.mjs"), env=environment, stdin=pipe, stdout=pipe, limit=2**24
    )

    async def ask(name, options=None, client=None, **body):
        line = {"name": name, "body": body, "options": options or {}, "client": {"maxRetries": 0} | (client or {})}
        child.stdin.write(json.dumps(line).encode() + b"\n")
        async with asyncio.timeout(30):
            return json.loads(await child.stdout.readline())

    yield ask
    child.stdin.close()
    await asyncio.wait_for(child.wait(), 10)
    child._transport.close()


WRONG = [
    ({"temperature": 5}, {}, "BadRequestError", 400, "invalid_request_error", "temperature"),
    ({"messages": []}, {}, "BadRequestError", 400, "invalid_request_error", "messages"),
    ({"priority": 5}, {}, "PermissionDeniedError", 403, "permission_denied", "priority"),
    ({"model": "gpt-99"}, {}, "NotFoundError", 404, "model_not_found", "model"),
    ({}, {"headers": {"authorization": "Bearer jv_wrong"}}, "AuthenticationError", 401, "invalid_api_key", None),
]


async def test_each_error_is_an_exception_of_its_class_with_code_and_parameter_and_is_not_repeated(node, live):
    for fields, options, kind, status, code, param in WRONG:
        for name in ("create", "stream"):
            seen = await node(name, options, {"maxRetries": 2}, **asked(**fields))
            error = seen.get("error") or seen["value"]["error"]
            assert (error["kind"], error["status"], error["code"], error["param"]) == (kind, status, code, param)
            assert error["api"]
            assert error["type"]
            assert error["requestID"]
            assert len(seen["answers"]) == 1
    for name, status, code in (("nothing", 404, "not_found"), ("wrongVerb", 405, "method_not_allowed")):
        error = (await node(name))["error"]
        assert (error["status"], error["code"]) == (status, code)
    live.fake.settings.max_model_len = 3
    assert (await node("create", **asked()))["error"]["code"] == "context_length_exceeded"
    await in_database(ApiKey.revoke, live.row)
    await asyncio.sleep(1)
    assert (await node("create", **asked()))["error"]["kind"] == "AuthenticationError"


async def test_a_full_queue_is_repeated_after_the_time_that_it_names(node, configure, caplog):
    before = config.queue_limit
    configure(queue_limit=0)
    error = (await node("create", **asked()))["error"]
    assert (error["kind"], error["status"], error["code"]) == ("InternalServerError", 503, "overloaded")
    caplog.clear()
    asking = asyncio.create_task(node("create", None, {"maxRetries": 2}, **asked()))
    await until(lambda: any(line.msg.get("status") == 503 for line in caplog.records if isinstance(line.msg, dict)))
    configure(queue_limit=before)
    seen = await asking
    first, second = seen["answers"]
    assert (first["status"], second["status"]) == (503, 200)
    assert second["at"] - first["at"] >= 1000 * float(first["retryAfter"])
    assert seen["value"]["data"]["choices"][0]["message"]["content"] == numbered(10)


async def test_a_whole_answer_with_its_id_and_its_time(node):
    value = (await node("create", **asked()))["value"]
    said = value["data"]["choices"][0]["message"]
    assert (said["role"], said["content"]) == ("assistant", numbered(10))
    assert value["request_id"] == value["id"] is not None
    headers = (await node("raw", **asked()))["value"]
    assert headers["x-request-id"]
    assert headers["openai-processing-ms"].isdigit()


async def test_a_stream_has_the_role_first_the_reason_last_and_usage_after_it(node, live, monkeypatch):
    monkeypatch.setattr(responses, "KEEP_ALIVE_SECONDS", 0.05)
    live.fake.settings.ttft = 0.2  # comments fill the silence
    seen = (await node("stream", **asked(stream_options={"include_usage": True})))["value"]
    *chunks, usage = seen["chunks"]
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"
    assert (usage["choices"], usage["usage"]["completion_tokens"]) == ([], 10)
    assert all(chunk["usage"] is None for chunk in chunks)
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == numbered(10)
    assert len({(chunk["id"], chunk["created"]) for chunk in seen["chunks"]}) == 1
    seen = (await node("helper", **asked(stream_options={"include_usage": True})))["value"]
    assert seen["final"]["choices"][0]["message"]["content"] == "".join(seen["deltas"]) == numbered(10)


@pytest.mark.parametrize("fault", ["error_after", "cut_after"])
async def test_a_stream_that_breaks_raises_and_is_never_half_an_answer(node, live, fault):
    setattr(live.fake.settings, fault, 3)
    asking = asyncio.create_task(node("stream", **asked(n=2, temperature=1)))
    async with asyncio.timeout(10):
        while not live.fake.counters.requests:
            await asyncio.sleep(0.005)
    live.fake.settings.fail_next = 10  # and the engine stays away
    seen = (await asking)["value"]
    assert seen["error"]["api"]
    assert seen["error"]["code"]


async def test_a_stream_that_is_left_frees_the_engine(node, live):
    live.fake.settings.rate = 20
    assert "value" in await node("leave", **asked(max_tokens=1000))
    async with asyncio.timeout(5):
        while live.fake.counters.running:
            await asyncio.sleep(0.02)


async def test_choices_logprobs_tools_and_schemas(node, live):
    data = (await node("create", **asked(n=3, temperature=1, logprobs=True, top_logprobs=2)))["value"]["data"]
    assert [choice["message"]["content"] for choice in data["choices"]] == [numbered(10)] * 3
    assert len(data["choices"][2]["logprobs"]["content"]) == 10
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    seen = (await node("helper", **asked(tools=[tool])))["value"]["final"]["choices"][0]
    assert seen["finish_reason"] == "tool_calls"
    assert json.loads(seen["message"]["tool_calls"][0]["function"]["arguments"]) == {"city": "Bilbao"}
    result = {"role": "tool", "tool_call_id": seen["message"]["tool_calls"][0]["id"], "content": "20"}
    assistant = {name: value for name, value in seen["message"].items() if name != "parsed"}
    more = asked(messages=[*HELLO, assistant, result], tools=[tool], tool_choice="none")
    assert "value" in await node("create", **more)
    live.fake.settings.say = '{"city": "Bilbao"}'
    wanted = {"name": "place", "schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
    schema = {"type": "json_schema", "json_schema": wanted}
    data = (await node("create", **asked(response_format=schema)))["value"]["data"]
    assert json.loads(data["choices"][0]["message"]["content"]) == {"city": "Bilbao"}
    assert live.fake.bodies[-1]["response_format"] == schema


async def test_parameters_are_taken_and_refused_as_the_table_says(node, live):
    fields = ACCEPTED | ACCEPTED["extra_body"]
    del fields["extra_body"]
    seen = await node("create", model="fake", messages=HELLO, **fields)
    assert seen["value"]["data"]["usage"]["completion_tokens"] == 9
    live.fake.bodies.clear()
    for name, value in REFUSED.items():
        error = (await node("create", **asked(**{name: value})))["error"]
        assert error["status"] == 400
        assert name in error["param"]
    error = (await node("create", **asked(messages=[{"role": "user", "content": PICTURE}])))["error"]
    assert error["status"] == 400
    assert live.fake.bodies == []


async def test_models_are_listed_and_shown(node):
    value = (await node("models"))["value"]
    assert value["ids"] == ["fake"]
    assert value["one"]["object"] == "model"
