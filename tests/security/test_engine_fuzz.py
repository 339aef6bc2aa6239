"""Any parameters of a chat request: taken or refused, the engine lives, and no neighbour's answer is harmed.

CVE-2026-34756 (n without a bound), CVE-2025-61620 and 62426 (templates), CVE-2025-48944 (schemas, patterns), prompt
embeds and remote media (CVE-2025-62164, 2026-22778). The same with real vLLM: tests/processes/test_vllm.py.
"""

import ast
import asyncio
import io
import json

import hypothesis
import pytest
from hypothesis import strategies as st

from inference.models import Generation
from inference.openai.fields import REFUSED_FIELDS
from jarvis.lib.config import BASE
from jarvis.lib.database import in_database
from tests.support.fake_engine import numbered
from tests.support.fuzz import NAMES, SOUND, VALUES, WORDS

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESSES = [
    "http://127.0.0.1:9/",
    "http://[::ffff:169.254.169.254]/latest/meta-data/",
    "http://169.254.169.254/",
    "http://localhost/admin/",
    "http://0x7f000001/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "data:image/png;base64,AAAA",
]
CRAFTED = [
    {"n": 10**9},
    {"n": 8, "temperature": 1, "max_tokens": 1},
    {"best_of": 10**6},
    {"chat_template": "{% for _ in range(10**9) %}x{% endfor %}"},
    {"chat_template_kwargs": {"x": "{{ 7 * 7 }}"}},
    {"prompt_embeds": "gAAA"},
    {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"pattern": "(a+)+$"}}}},
    {"guided_regex": "(.*)*"},
    {"structured_outputs": {"grammar": "root ::= root root"}},
    {"logit_bias": {"99999999": 100}},
    {"logit_bias": {"-1": 1}},
    {"top_logprobs": 10**6, "logprobs": True},
    {"max_tokens": 10**12},
    {"stop": ["a"] * 1000},
    {"seed": 2**70},
    {"temperature": 1e308},
    {"kv_transfer_params": {"do_remote_prefill": True, "remote_host": "127.0.0.1"}},
    {"model": "../../etc/passwd"},
    {"messages": [{"role": "user", "content": "x" * 1_500_000}]},
    {
        "messages": [
            {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "[" * 9000}}]}
        ]
    },
]
PARTS = [
    {"type": f"{kind}_url", f"{kind}_url": {"url": url}} for kind in ("image", "video", "audio") for url in ADDRESSES
]


def generated():
    """What hypothesis finds, the same each time."""
    made = []

    @hypothesis.settings(max_examples=120, database=None, deadline=None, derandomize=True)
    @hypothesis.given(st.dictionaries(NAMES, VALUES, max_size=4), st.dictionaries(WORDS, VALUES, max_size=4))
    def gather(fields, message):
        made.append(SOUND | {"model": "fake", "max_tokens": 3} | fields)
        made.append(SOUND | {"model": "fake", "max_tokens": 3, "messages": [message]})

    gather()
    return made


async def test_no_parameters_make_a_call_fail_or_touch_the_neighbour(live):
    bodies = [SOUND | {"model": "fake", "max_tokens": 3} | fields for fields in CRAFTED]
    bodies += generated()
    live.fake.settings.rate = 50
    neighbour = {"model": "fake", "messages": SOUND["messages"], "max_tokens": 400, "stream": True}
    stream = await live.client.chat.completions.create(**neighbour)
    pid, seen = live.fake.counters.pid, set()
    gate = asyncio.Semaphore(8)

    async def send(body):
        async with gate, live.http.post("/v1/chat/completions", data=io.BytesIO(json.dumps(body).encode())) as response:
            text = await response.text()
            assert response.status in (200, 400, 403, 404, 413), (body, text)
            assert "internal_error" not in text, (body, text)
            seen.add(response.status)

    await asyncio.gather(*map(send, bodies))
    assert seen >= {200, 400, 404}
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert text == numbered(400)
    assert live.fake.counters.pid == pid
    sent = [name for body in live.fake.bodies for name in body if name in REFUSED_FIELDS.keys() - {"return_token_ids"}]
    assert sent == []


async def test_no_address_in_a_request_is_ever_fetched_or_handed_on(live):
    """CVE-2025-62164, 2026-22778, 2026-31943: media by address is refused before anything looks at the address."""
    for part in PARTS:
        for content in ([part], [{"type": "text", "text": "look"}, part], part["type"]):
            body = SOUND | {"model": "fake", "max_tokens": 3, "messages": [{"role": "user", "content": content}]}
            async with live.http.post("/v1/chat/completions", json=body) as response:
                assert response.status == (200 if isinstance(content, str) else 400)
    told = json.dumps(live.fake.bodies)
    assert not [address for address in ADDRESSES if address in told]
    refused = {"role": "user", "content": [PARTS[0]]}
    async with live.http.post("/v1/chat/completions", json=SOUND | {"messages": [refused]}) as response:
        assert (await response.json())["error"]["param"].startswith("messages")
    ended = await in_database(lambda: set(Generation.objects.values_list("status", flat=True)))
    assert ended == {"done"}


def test_only_known_modules_can_reach_out():
    """None of them takes an address from a request: the engine's socket or JARVIS_ENGINE_URL, the hub, our own port."""
    reaching = set()
    for package in ("accounts", "chat", "inference", "jarvis"):
        for path in (BASE / package).rglob("*.py"):
            tree = ast.parse(path.read_text())
            named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
            named |= {f"{node.module}" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
            if named & CLIENTS:
                reaching.add(str(path.relative_to(BASE)))
    assert reaching == MAY_REACH, "Whatever takes an address from a person needs a test of its own."


CLIENTS = {"aiohttp", "http.client", "httpx", "requests", "urllib.request", "websockets", "huggingface_hub"}
MAY_REACH = {
    "accounts/views/sign_in.py",  # the provider of sign-in that JARVIS_OIDC_… names
    *(f"inference/engine/{name}.py" for name in ("base", "connection", "vllm", "probes", "remote")),
    "inference/engine/model/hub.py",  # the model that JARVIS_MODEL names
    "inference/guide/measure.py",  # a program for developers
    *(f"inference/worker/{name}.py" for name in ("engine_call", "relay")),
}
