"""An engine that says odd things: the call that asked fails alone or is mended, and everybody else goes on."""

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.log.events import Choices, Text
from inference.models import Generation
from inference.worker.publisher import Publisher
from inference.worker.quarantine import Quarantine
from inference.worker.relay import Relay
from inference.worker.worker import Worker
from jarvis.lib.api_errors import error_from_code
from jarvis.lib.database import in_database
from tests.support.fake_engine import numbered
from tests.support.odd_events import EVENT
from tests.support.waiting import until
from tests.support.workers import TOOL, ask, killed, stored, text_of, told, working

pytestmark = pytest.mark.django_db(transaction=True)

SSE = "text/event-stream"
USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}


def stream(*deltas, finish="stop", usage=USAGE, more=()):
    """An answer in the shape of vLLM's, with these deltas."""
    events = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    events += [*more, {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}]
    return said(*events, {"choices": [], "usage": usage})


def said(*events, done=True):
    pieces = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    return SSE, [*pieces, b"data: [DONE]\n\n"] if done else pieces


@pytest.fixture
def odd(fake):
    """Sets what the engine says to those who ask for something odd; all others get numbered tokens."""
    answers = {}

    def script(body):
        return answers.get(body["messages"][-1]["content"]) if "messages" in body else None

    fake.script = script
    return answers


async def ask_odd(alice, odd, answer, **fields):
    content = f"odd {len(odd)}"
    odd[content] = answer
    return await ask(alice, messages=[{"role": "user", "content": content}], **fields)


async def test_arguments_as_an_object_arrive_as_text(alice, held, odd):
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": {"town": "Bilbao"}}}
    async with working(held):
        row = await ask_odd(alice, odd, stream({"tool_calls": [call]}, finish="tool_calls"), tools=[TOOL])
        await told(row)
    ended = await stored(row)
    assert (ended.status, ended.finish_reason) == ("done", "tool_calls")
    [found] = ended.choices[0]["message"]["tool_calls"]
    assert json.loads(found["function"]["arguments"]) == {"town": "Bilbao"}


CANNOT_BE_READ = [
    stream({"content": 7}),
    stream({"tool_calls": 5}),
    stream({"tool_calls": [{"index": 0, "id": "c", "function": {"name": ["f"]}}]}),
    stream({"tool_calls": [{"index": 0, "id": "c", "function": {"arguments": "{}"}}]}),
    stream(more=[5]),
    stream(more=[{"choices": 5}]),
    (SSE, [b"data: {not JSON\n\n"]),
    ("application/json", [b"{"]),
]


@pytest.mark.parametrize("answer", CANNOT_BE_READ)
async def test_what_cannot_be_read_fails_that_call_alone_with_502_and_the_reason(alice, held, odd, answer, fake):
    fake.settings.rate = 200
    async with working(held) as worker:
        neighbour = await ask(alice, 30)
        row = await ask_odd(alice, odd, answer)
        end = (await told(row))[-1][1]
        assert text_of(await told(neighbour)) == numbered(30)
        assert not worker.stopping.is_set()
    assert (end.status, end.problem.code) == ("failed", "engine_error")
    assert "cannot be read" in end.problem.message
    assert error_from_code(end.problem.code, "").status == 502
    ended = await stored(row)
    assert (ended.status, ended.attempt, ended.engine_deaths) == ("failed", 1, 0)


@pytest.mark.parametrize("value", [-1, None, 3_000_000_000, 7.5, "x", True, [], 2**80, 999_999_999])
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
async def test_a_count_that_cannot_be_is_counted_by_what_came(alice, held, odd, name, value):
    async with working(held):
        row = await ask_odd(alice, odd, stream({"content": "a"}, {"content": "b"}, usage=USAGE | {name: value}))
        await told(row)
        after = await ask(alice, 5)
        assert text_of(await told(after)) == numbered(5)
    ended = await stored(row)
    assert (ended.status, ended.text) == ("done", "ab")
    assert ended.completion_tokens == 2
    assert 0 < ended.prompt_tokens < 100


@pytest.mark.parametrize("value", [7, 7.0, "7"])
async def test_a_count_in_another_dress_is_that_count(alice, held, odd, value):
    async with working(held):
        row = await ask_odd(alice, odd, stream({"content": "a"}, usage=USAGE | {"prompt_tokens": value}))
        await told(row)
    assert (await stored(row)).prompt_tokens == 7


@pytest.mark.parametrize(
    "answer",
    [
        stream({"content": "ab"}, finish="x" * 500),
        stream({"content": "ab"}, usage=None),
        stream({"content": "ab"}, usage=[]),
        (SSE, [*stream({"content": "ab"})[1][:-1]]),  # no [DONE]
        (SSE, [*stream({"content": "ab"})[1][:-1], b"data: [DONE]"]),
        ("application/json", [b'{"choices":[{"message":{"content":"ab"},"finish_reason":"stop"}],"usage":{}}']),
        ("text/plain", stream({"content": "ab"})[1]),
    ],
)
async def test_an_answer_that_ends_oddly_is_whole(alice, held, odd, answer):
    async with working(held):
        row = await ask_odd(alice, odd, answer)
        await told(row)
    ended = await stored(row)
    assert (ended.status, ended.text) == ("done", "ab")
    assert ended.finish_reason == "stop"


async def test_a_server_that_gives_no_reason_is_done_when_it_says_so(alice, held, odd):
    event = {"choices": [{"index": 0, "delta": {"content": "ab"}}]}
    held.state.goes_on = False
    async with working(held):
        row = await ask_odd(alice, odd, said(event))
        broken = await ask_odd(alice, odd, said(event, done=False))
        await told(row)
        await told(broken)
    assert ((await stored(row)).status, (await stored(row)).finish_reason) == ("done", "stop")
    assert (await stored(broken)).status == "failed"


async def test_an_engine_that_does_not_stop_is_stopped(alice, held, odd):
    endless = [{"choices": [{"index": 0, "delta": {"content": "a"}}]}] * 20_000
    async with working(held):
        row = await ask_odd(alice, odd, said(*endless), max_tokens=10)
        await told(row)
    ended = await stored(row)
    assert (ended.status, ended.finish_reason) == ("done", "length")
    assert 10 <= ended.completion_tokens < 5000


async def test_what_nobody_thought_of_fails_its_row_alone(alice, held, odd, fake):
    """The border is not the last line: half a character in the log ends neither publisher nor worker."""
    fake.settings.rate = 100
    async with working(held) as worker:
        row = await ask(alice, 200)
        neighbour = await ask(alice, 30)
        await until(lambda: row.id in worker.relays and worker.relays[row.id].answer.count > 5)
        relay = worker.relays[row.id]
        relay.buffer.add_event(Choices([{"index": 0, "delta": {"content": "\ud800"}}]))
        worker.publisher.mark_changed(row.id)
        entries = await told(row)
        assert text_of(await told(neighbour)) == numbered(30)
    assert (entries[-1][1].status, entries[-1][1].problem.code) == ("failed", "internal_error")
    ended = await stored(row)
    assert ended.status == "failed"
    assert ended.text == "".join(entry.text for _, entry in entries if isinstance(entry, Text))


async def test_a_fault_that_is_found_before_the_engine_is_asked_ends_the_call_without_it(alice, held, fake):
    row = await ask(alice, 20)
    relay = Relay(row, held, Publisher(lambda *_: None), Quarantine())
    relay.fail(ValueError("odd"))
    outcome = await relay.run()
    assert (outcome.status, outcome.problem.code) == ("failed", "internal_error")
    assert fake.counters.requests == 0


async def test_an_answer_that_cannot_be_put_together_fails_alone(alice, held, odd, fake):
    fake.settings.rate = 100
    async with working(held) as worker:
        row = await ask(alice, 20, n=2)
        await until(lambda: row.id in worker.relays and worker.relays[row.id].answer.count > 5)
        worker.relays[row.id].answer.accumulator.merged[0].texts["content"].append(5)
        await told(row)
        assert text_of(await told(await ask(alice, 5))) == numbered(5)
    ended = await stored(row)
    assert (ended.status, ended.error_code) == ("failed", "internal_error")


async def lose_worker(held, place, row):
    """A worker that takes the row and dies before anything has come of it."""
    worker = Worker(held, place)
    task = asyncio.create_task(worker.run())
    await until(lambda: row.id in worker.relays)
    await until(lambda: probation_or_calling(worker, row))
    await killed(worker, task)


def probation_or_calling(worker, row):
    relay = worker.relays[row.id]
    return bool(relay.call_name)


async def test_a_row_that_ends_its_workers_is_found_out_and_fails(alice, held, fake):
    fake.settings.ttft = 5
    row = await ask(alice, 5)
    for _ in range(3):
        await lose_worker(held, "here", row)
    assert (await stored(row)).on_probation
    async with working(held):
        await told(row)
    ended = await stored(row)
    assert (ended.status, ended.error_code, ended.lost_workers) == ("failed", "engine_error", 3)


async def test_a_row_that_has_lost_two_workers_is_answered_by_the_third(alice, held, fake):
    fake.settings.ttft = 5
    row, other = await ask(alice, 5), await ask(alice, 5)
    for _ in range(2):
        await lose_worker(held, "here", row)
    fake.settings.ttft = 0.2
    async with working(held):
        await asyncio.gather(told(row), told(other))
        assert fake.counters.most_running <= 2
    for one in (row, other):
        ended = await stored(one)
        assert (ended.status, ended.text, ended.on_probation) == ("done", numbered(5), False)


async def test_handing_over_is_no_loss_of_a_worker(alice, held, fake):
    fake.settings.ttft = 5
    row = await ask(alice, 5)
    for _ in range(4):
        async with working(held) as worker:
            await until(lambda worker=worker: row.id in worker.relays and worker.relays[row.id].call_name)
    fake.settings.ttft = 0
    async with working(held):
        await told(row)
    ended = await stored(row)
    assert (ended.status, ended.lost_workers) == ("done", 0)


async def test_odd_events_by_the_thousand_leave_the_neighbours_alone(alice, held, odd, fake):
    """Streams of odd events go through a real worker while others are answered."""
    fake.settings.rate = 400
    streams = []

    @settings(max_examples=250, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(EVENT, max_size=6), st.booleans(), st.sampled_from([SSE, SSE, "application/json"]))
    def collect(events, done, kind):
        streams.append((kind, said(*events, done=done)[1]))

    await asyncio.to_thread(collect)
    assert sum(len(pieces) for _, pieces in streams) > 500

    async with working(held) as worker:
        rows, neighbours = [], []
        for number, answer in enumerate(streams):
            fields = {"logprobs": True} if number % 7 == 0 else {"n": 2} if number % 5 == 0 else {}
            rows.append(await ask_odd(alice, odd, answer, **fields))
            if number % 10 == 0:
                neighbours.append(await ask(alice, 20))
        for neighbour in neighbours:
            assert text_of(await told(neighbour)) == numbered(20)
        for row in rows:
            assert (await told(row))[-1][1].status in ("done", "failed")
        assert not worker.stopping.is_set()
    statuses = await in_database(lambda: set(Generation.objects.values_list("status", flat=True)))
    assert statuses <= {"done", "failed"}
