"""Limits: reserved in one step before anything is queued, settled at the end, given back when somebody dies."""

import asyncio
import itertools
import json
import os
import random
import sys
import time
import uuid
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from redis.asyncio import Redis

from accounts.authentication import Caller, build_caller
from accounts.limit_rules import Allowance
from accounts.models import GroupLimits, UserLimits
from inference.log.events import Begin, Cursor, End, Usage
from inference.models import Generation
from inference.openai.request import check_chat_request
from inference.queue import rate_limits, submit
from inference.queue.outcome import Outcome, store_outcomes
from inference.queue.rate_limits import month_start, reserve_call, sweep_holds
from inference.redis.client import shared_client
from inference.redis.keys import HOLDS, budget_key, open_calls_key
from inference.redis.limits import LimitedCall
from inference.redis.log import publish_events, read_log
from inference.worker.worker import Worker
from jarvis.lib.api_errors import ApiError
from jarvis.lib.config import BASE, config
from jarvis.lib.database import in_database
from tests.support.waiting import until
from tests.support.workers import killed, told, working

pytestmark = pytest.mark.django_db(transaction=True)

numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def forget_refusals():
    rate_limits._refused.clear()


def caller(*allowances, **figures):
    """Somebody with these limits, whom nothing in the database knows."""
    subject = f"user:{10_000 + next(numbers)}"
    return Caller(1, "somebody", limits=allowances or (Allowance(subject=subject, **figures),))


async def limited(user, key=None, **figures):
    await in_database(lambda: UserLimits.objects.update_or_create(user=user, defaults=figures))
    return await in_database(lambda: build_caller(User.objects.get(pk=user.pk), key))


async def refused(who, *amounts, id=None):
    with pytest.raises(ApiError) as found:
        await reserve_call(who, id or uuid.uuid4(), *amounts)
    return found.value


async def several(who, count, *amounts):
    """What becomes of calls that come together: (reservations, errors)."""
    calls = [reserve_call(who, uuid.uuid4(), *amounts) for _ in range(count)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    errors = [result for result in results if isinstance(result, ApiError)]
    passed = [result for result in results if isinstance(result, rate_limits.Reservation)]
    assert len(errors) + len(passed) == count, results
    return passed, errors


async def keys(pattern="jarvis:*"):
    return {key.decode() async for key in shared_client().scan_iter(match=pattern)}


async def pass_time(who, seconds):
    """Move what the windows count into the past: the script's clock is Redis's own."""
    for limit in who.limits:
        for kind in ("requests", "tokens"):
            key = f"jarvis:rate:{limit.subject}:{kind}"
            moved = {}
            for name, value in (await shared_client().hgetall(key)).items():
                name = name.decode()
                if name in ("oldest", "newest"):
                    value = int(value) - seconds
                mark, number = ("@", name[1:]) if name.startswith("@") else ("", name)
                moved[f"{mark}{int(number) - seconds}" if number.isdecimal() else name] = value
            if moved:
                await shared_client().delete(key)
                await shared_client().hset(key, mapping=moved)
    rate_limits._refused.clear()


def new(owner, held=None, **fields):
    row = {"owner": owner, "model": "fake", "door": "v1", "request_id": "r", "request": {}}
    if held is not None:
        row |= {"id": uuid.UUID(held.call.id), "reserved": held.reserved}
    return Generation(**row | fields)


async def end(row, prompt, completion):
    """Store an outcome and tell it, as the worker does."""
    outcome = Outcome(row.id, row.attempt, "done", usage=Usage(prompt, completion))
    assert await in_database(store_outcomes, [outcome])
    await publish_events({row.id: [(Cursor(0, 1), Begin()), (Cursor(0, 2), outcome.end)]})


# Rates


async def test_the_eleventh_call_in_a_minute_is_refused_with_the_time_to_wait(alice):
    who = caller(requests=10)
    for left in range(9, -1, -1):
        held = await reserve_call(who, uuid.uuid4())
        assert held.headers["x-ratelimit-limit-requests"] == "10"
        assert held.headers["x-ratelimit-remaining-requests"] == str(left)
        assert held.headers["x-ratelimit-reset-requests"] == "60s"
    error = await refused(who)
    assert (error.status, error.code) == (429, "rate_limit_exceeded")
    assert 55 <= int(error.headers["retry-after"]) <= 60
    assert int(error.headers["retry-after-ms"]) <= 60_000
    assert error.headers["x-ratelimit-remaining-requests"] == "0"
    assert "10 times a minute" in error.message


async def test_a_call_passes_again_just_when_the_refusal_said(alice):
    who = caller(requests=3)
    await reserve_call(who, uuid.uuid4())
    await pass_time(who, 20)
    await several(who, 2)
    wait = int((await refused(who)).headers["retry-after"])
    assert 38 <= wait <= 40
    await pass_time(who, wait - 3)
    await refused(who)
    await pass_time(who, 3)
    passed, errors = await several(who, 5)
    assert (len(passed), len(errors)) == (1, 4)


@pytest.mark.alone
async def test_the_wait_is_told_to_the_millisecond_and_is_never_over_a_minute(alice):
    """Counts are kept by the second; those of one are free when the latest of them is 60 seconds ago, not before."""
    who = caller(requests=2)
    for _ in range(4):  # wherever in its second that falls
        await several(who, 2)
        told = int((await refused(who)).headers["retry-after-ms"])
        assert 59_000 < told <= 60_000
        await pass_time(who, 59)
        before = time.monotonic()
        left = int((await refused(who)).headers["retry-after-ms"]) / 1000
        after = time.monotonic()
        assert 0 < left <= 1
        rate_limits._refused.clear()
        await asyncio.sleep(max(0.0, before + left - 0.05 - time.monotonic()))
        passed = await several(who, 1)
        assert not passed[0] or time.monotonic() - before > left - 0.002
        await asyncio.sleep(max(0.0, after + left - time.monotonic()))
        rate_limits._refused.clear()
        passed = passed if passed[0] else await several(who, 1)
        assert len(passed[0]) == 1
        await pass_time(who, 70)


async def test_no_sixty_seconds_ever_hold_more_than_the_limit(alice):
    who = caller(requests=7)
    chance, now, passed = random.Random(5), 0, []
    for _ in range(120):
        step = chance.choice((0, 0, 0, 1, 3, 9, 20, 59, 60, 61, 70))
        await pass_time(who, step)
        now += step
        before = now + time.monotonic()
        count = len((await several(who, chance.randint(1, 5)))[0])
        passed += [(before, now + time.monotonic())] * count  # each was counted at some moment between the two
    for begin, _ in passed:
        assert sum(begin <= before and after < begin + 60 for before, after in passed) <= 7
    assert len(passed) > 7 * now / 61 * 0.5  # and they are not refused for ever


async def test_exactly_as_many_as_may_pass_of_fifty_at_once(alice):
    for _ in range(20):
        for figures in ({"requests": 10}, {"parallel": 10}, {"tokens": 1000}):
            passed, errors = await several(caller(**figures), 50, 100, 200)
            assert (len(passed), len(errors)) == (10, 40)
            assert {error.code for error in errors} == {"rate_limit_exceeded"}


async def test_refused_calls_count_against_nothing(alice):
    who = caller(requests=1000, parallel=1)
    held = await reserve_call(who, uuid.uuid4())
    await several(who, 50)
    await held.release()
    assert (await reserve_call(who, uuid.uuid4())).headers["x-ratelimit-remaining-requests"] == "999"


async def test_a_refusal_that_cannot_change_yet_asks_nobody_again(alice):
    who = caller(requests=1)
    await reserve_call(who, uuid.uuid4())
    await refused(who)
    before = await commands()
    for _ in range(200):
        error = await refused(who)
    assert error.headers["x-ratelimit-limit-requests"] == "1"
    assert await commands() - before < 5
    more = Caller(1, "somebody", limits=(Allowance(subject=who.limits[0].subject, requests=2),))
    await reserve_call(more, uuid.uuid4())  # a limit that was raised holds at once


async def commands():
    return (await shared_client().info("commandstats"))["cmdstat_evalsha"]["calls"]


async def test_the_tightest_of_several_limits_wins_and_nothing_is_counted_for_the_others(alice):
    n = next(numbers)
    wide, narrow = Allowance(subject=f"user:7{n}", requests=50), Allowance(subject=f"key:7{n}", requests=5)
    passed, errors = await several(caller(wide, narrow), 20)
    assert len(passed) == 5
    assert "This key" in errors[0].message
    held = await reserve_call(caller(wide), uuid.uuid4())
    assert held.headers["x-ratelimit-remaining-requests"] == "44"
    assert passed[0].headers["x-ratelimit-limit-requests"] == "5"  # the one with least left is told


async def test_every_key_expires(alice):
    who = await limited(alice, requests_per_minute=10, tokens_per_minute=10_000, parallel=5, tokens_per_month=100_000)
    await reserve_call(who, uuid.uuid4(), 100, 200)
    found = await keys()
    assert len(found) > 2
    for key in found:
        assert await shared_client().ttl(key) > 0, key


# Tokens and parallel calls


async def test_tokens_are_settled_with_what_the_engine_counted(alice):
    who = await limited(alice, tokens_per_minute=1000)
    held = await reserve_call(who, uuid.uuid4(), 900, 2000)
    assert held.headers["x-ratelimit-remaining-tokens"] == "100"
    assert (await refused(who, 200, 200)).code == "rate_limit_exceeded"
    row = new(alice, held)
    await submit.submit_generation(row, held)
    await end(row, 30, 20)
    assert (await reserve_call(who, uuid.uuid4(), 200, 200)).headers["x-ratelimit-remaining-tokens"] == "750"


async def test_a_call_that_may_take_more_than_the_rate_passes_alone(alice):
    who = caller(tokens=100)
    held = await reserve_call(who, uuid.uuid4(), 5000, 9000)
    await refused(who, 1, 1)
    await held.release()
    await reserve_call(who, uuid.uuid4(), 100, 100)


async def test_a_place_is_free_as_soon_as_the_end_is_told(alice, held):
    who = await limited(alice, parallel=1)
    async with working(held):
        for _ in range(20):
            reservation = await reserve_call(who, uuid.uuid4())
            row = await asked(alice, reservation)
            assert (await refused(who)).headers["retry-after"] == "1"
            await told(row)
    assert not await keys("jarvis:open:*")


async def asked(owner, held, max_tokens=5):
    request = {"model": "fake", "messages": [{"role": "user", "content": "count"}], "max_tokens": max_tokens}
    row = new(owner, held, request=check_chat_request(request).to_row())
    await submit.submit_generation(row, held)
    return row


async def test_a_call_that_is_stopped_in_the_queue_gives_its_place_back(alice):
    who = await limited(alice, parallel=1, tokens_per_minute=500)
    row = await asked(alice, await reserve_call(who, uuid.uuid4(), 500, 500))
    await refused(who, 1, 1)
    await submit.stop_generation(row.id)
    await reserve_call(who, uuid.uuid4(), 500, 500)


async def test_sync_code_that_stops_calls_in_the_queue_gives_their_places_back_and_tells_who_follows(alice):
    who = await limited(alice, parallel=2, tokens_per_minute=500)
    rows = [await asked(alice, await reserve_call(who, uuid.uuid4(), 250, 250)) for _ in range(2)]
    await refused(who, 1, 1)
    following = [asyncio.create_task(told(row)) for row in rows]
    await in_database(submit.stop_generations_sync, [row.id for row in rows])
    held = await reserve_call(who, uuid.uuid4(), 500, 500)  # at once: both calls and all of their tokens
    await held.release()
    for entries in await asyncio.wait_for(asyncio.gather(*following), 5):
        assert entries[-1][1] == End("stopped", "stop")
    for row in rows:
        assert (await read_log(row.id))[-1][1] == End("stopped", "stop")


async def test_what_the_queue_refuses_gives_back_all_it_held(alice, configure):
    configure(queue_limit=1, queue_limit_per_user=1)
    who = await limited(alice, requests_per_minute=10, parallel=10, tokens_per_minute=10_000, tokens_per_month=50_000)
    await asked(alice, await reserve_call(who, uuid.uuid4(), 100, 100))
    for _ in range(20):
        with pytest.raises(submit.QueueFull):
            await asked(alice, await reserve_call(who, uuid.uuid4(), 100, 100))
    held = await reserve_call(who, uuid.uuid4(), 100, 100)
    assert held.headers["x-ratelimit-remaining-requests"] == "8"
    assert held.headers["x-ratelimit-remaining-tokens"] == "9800"


async def test_who_leaves_in_the_moment_of_the_reply_holds_nothing():
    who = caller(parallel=1)
    await (await reserve_call(who, uuid.uuid4())).release()  # from here on Redis knows what is held
    asking = rate_limits.ReservationBatcher.for_this_loop().reserve(
        LimitedCall.for_limits(uuid.uuid4(), who.limits, 0, 0, month_start())
    )
    reply = asking.send(None)  # what a task does first: it waits for this future
    await asyncio.wait([reply])
    assert reply.result()[0] == rate_limits.PASSED
    with pytest.raises(asyncio.CancelledError):
        asking.throw(asyncio.CancelledError)
    await asyncio.gather(*rate_limits.ReservationBatcher.for_this_loop().shared_tasks.values())
    await reserve_call(who, uuid.uuid4())


async def test_who_leaves_in_the_moment_of_an_error_has_left():
    batcher, who = rate_limits.ReservationBatcher(), caller(parallel=1)
    batcher.task = asyncio.current_task()  # nobody asks Redis
    asking = batcher.reserve(LimitedCall.for_limits(uuid.uuid4(), who.limits, 0, 0, month_start()))
    asking.send(None).set_exception(OSError("away"))
    with pytest.raises(asyncio.CancelledError):
        asking.throw(asyncio.CancelledError)


async def test_who_leaves_while_it_is_checked_holds_nothing(alice):
    who = caller(requests=1000, parallel=1000)
    calls = [asyncio.create_task(reserve_call(who, uuid.uuid4())) for _ in range(30)]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await until(lambda: rate_limits.ReservationBatcher.for_this_loop().task is None)
    assert (await reserve_call(who, uuid.uuid4())).headers["x-ratelimit-remaining-requests"] == "999"
    assert await shared_client().hlen(open_calls_key(who.limits[0].subject)) == 1


# Budgets


async def test_parallel_calls_never_overdraw_a_budget(alice):
    who = await limited(alice, tokens_per_month=10_000)
    passed, errors = await several(who, 50, 500, 900)
    assert len(passed) == 11
    assert {(error.status, error.code, error.headers["x-should-retry"]) for error in errors} == {
        (429, "insufficient_quota", "false")
    }
    rows = [new(alice, held) for held in passed]
    for row, held in zip(rows, passed, strict=True):
        await submit.submit_generation(row, held)
        await end(row, 100, 400)
    passed, errors = await several(who, 50, 500, 900)
    assert len(passed) == 5  # 5,500 are used
    assert "retry-after" not in errors[0].headers


async def test_a_budget_outlives_the_loss_of_redis(alice, bob):
    who = await limited(alice, tokens_per_month=10_000)
    for _ in range(3):
        held = await reserve_call(who, uuid.uuid4(), 100, 3000)
        row = new(alice, held)
        await submit.submit_generation(row, held)
        await end(row, 1000, 1500)
    open_one = await reserve_call(who, uuid.uuid4(), 100, 2000)
    await submit.submit_generation(new(alice, open_one), open_one)
    await in_database(lambda: new(bob, status="done", prompt_tokens=90_000).save())
    await shared_client().flushdb()
    error = await refused(who, 100, 501)  # 7,500 used, 2,000 under way
    assert "500 are left" in error.message
    await reserve_call(who, uuid.uuid4(), 100, 500)


async def test_last_months_calls_are_not_charged_to_this_month(alice):
    who = await limited(alice, tokens_per_month=1000)
    row = new(alice, status="done", prompt_tokens=5000)
    await in_database(row.save)
    await refused(who, 10, 10)
    before = month_start() - timedelta(seconds=1)
    await in_database(lambda: Generation.objects.update(created_at=before))
    await shared_client().flushdb()
    await reserve_call(who, uuid.uuid4(), 10, 10)


async def test_a_budget_that_is_learnt_while_calls_end_is_exact(alice):
    """Forgotten again and again between any two steps, it must come to what the ledger says each time."""
    who = await limited(alice, tokens_per_month=1_000_000)
    subject = who.limits[0].subject

    async def ask_and_end(n):
        held = await reserve_call(who, uuid.uuid4(), 10, 1000)
        row = new(alice, held)
        await submit.submit_generation(row, held)
        await asyncio.sleep(random.random() / 50)
        await end(row, n, 2 * n)

    async def forget():
        while True:
            await asyncio.sleep(random.random() / 10)
            await shared_client().delete(budget_key(subject, month_start()))

    forgetting = asyncio.create_task(forget())
    for _ in range(5):
        await asyncio.gather(*(ask_and_end(n) for n in range(1, 21)))
    forgetting.cancel()
    await (await reserve_call(who, uuid.uuid4(), 1, 1)).release()  # it is known now
    ledger = await in_database(lambda: Generation.objects.sum_tokens())
    used = int(await shared_client().hget(budget_key(subject, month_start()), "n"))
    assert used == ledger == 5 * 3 * 210


async def test_a_shared_group_has_one_budget_for_all_its_members(alice, bob):
    def team():
        group = Group.objects.create(name="team")
        group.user_set.add(alice, bob)
        GroupLimits.objects.create(group=group, shared=True, tokens_per_month=1000)
        return build_caller(alice), build_caller(bob)

    one, other = await in_database(team)
    held = await reserve_call(one, uuid.uuid4(), 10, 700)
    await refused(other, 10, 400)
    row = new(alice, held)
    await submit.submit_generation(row, held)
    await end(row, 100, 0)
    await shared_client().flushdb()
    await reserve_call(other, uuid.uuid4(), 10, 900)
    await refused(one, 10, 10)


# Whoever dies


async def expire_leases():
    await shared_client().zunionstore(HOLDS, {HOLDS: 0.001})


async def test_what_a_dead_web_process_had_reserved_is_given_back(alice):
    who = await limited(alice, parallel=2, tokens_per_minute=1000, requests_per_minute=10)
    await several(who, 2, 500, 500)  # it died before it could write the rows
    await refused(who, 1, 1)
    await expire_leases()
    await refused(who, 1, 1)  # this one sees that there is something to be looked up
    await until(lambda: passes(who))
    held = await reserve_call(who, uuid.uuid4(), 1, 1)
    assert held.headers["x-ratelimit-remaining-requests"] == "8"


async def passes(who):
    try:
        await reserve_call(who, uuid.uuid4(), 1, 1)
    except ApiError:
        return False
    return True


async def test_a_call_under_way_keeps_its_place_however_long_it_takes(alice):
    who = await limited(alice, parallel=1)
    held = await reserve_call(who, uuid.uuid4())
    await submit.submit_generation(new(alice, held), held)
    for _ in range(3):
        await expire_leases()
        assert await sweep_holds() == 0
        await refused(who)


async def test_an_end_that_nobody_told_is_read_from_the_row(alice):
    who = await limited(alice, parallel=1, tokens_per_month=1000)
    held = await reserve_call(who, uuid.uuid4(), 10, 900)
    row = new(alice, held)
    await submit.submit_generation(row, held)
    assert await in_database(store_outcomes, [Outcome(row.id, 0, "done", usage=Usage(40, 60))])
    await refused(who, 10, 10)
    await expire_leases()
    assert await sweep_holds() == 1
    await refused(who, 10, 901)
    await reserve_call(who, uuid.uuid4(), 10, 900)


async def test_without_redis_nothing_passes_unlimited_and_it_all_comes_back(alice):
    who = await limited(alice, parallel=1)
    held = await reserve_call(who, uuid.uuid4())
    await submit.submit_generation(new(alice, held), held)
    async with Redis.from_url(config.redis) as admin:
        await admin.config_set("requirepass", "nobody knows it")
        await admin.client_kill_filter(_type="normal", skipme=True)
        try:
            error = await refused(who)
        finally:
            await admin.config_set("requirepass", "")
    assert (error.status, error.code) == (503, "overloaded")
    await shared_client().flushdb()
    await refused(who)  # it was told again which call is under way


async def test_kills_of_the_worker_leave_no_reservation(alice, held, fake):
    """Of 60 answers some are stopped, and the worker is killed again and again: at the end nobody holds anything."""
    fake.settings.rate = 150
    who = await limited(alice, parallel=100, tokens_per_month=10_000_000, tokens_per_minute=10_000_000)
    rows = [await asked(alice, await reserve_call(who, uuid.uuid4(), 50, 500), max_tokens=30) for _ in range(60)]
    for _ in range(3):
        worker = Worker(held, "here")
        task = asyncio.create_task(worker.run())
        await asyncio.sleep(0.25)
        await asyncio.gather(*(submit.stop_generation(row.id) for row in random.sample(rows, 4)))
        await killed(worker, task)
    async with working(held):
        await until(lambda: all_ended(rows), 30)
        await expire_leases()
        await sweep_holds()
        assert not await keys("jarvis:open:*") | await keys("jarvis:hold:*") | await keys("jarvis:holds")
        await (await reserve_call(who, uuid.uuid4(), 1, 1)).release()
        used = int(await shared_client().hget(budget_key(who.limits[0].subject, month_start()), "n"))
        assert used == await in_database(lambda: Generation.objects.sum_tokens()) > 0


async def all_ended(rows):
    return not await in_database(Generation.objects.open().exists)


# Two web processes over one Redis

OTHER = """
import asyncio, json, sys, uuid
import django; django.setup()
from jarvis.lib import logs; logs.set_up_logging("other")
from accounts.authentication import Caller
from accounts.limit_rules import Allowance
from inference.queue.rate_limits import reserve_call
from jarvis.lib.api_errors import ApiError

async def one(who):
    try:
        await reserve_call(who, uuid.uuid4(), 100, 200)
    except ApiError as error:
        return error.code
    return ""

async def main():
    loop = asyncio.get_running_loop()
    print("ready", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        subject, figures, count = json.loads(line)
        who = Caller(1, "x", limits=(Allowance(subject=subject, **figures),))
        print(json.dumps(await asyncio.gather(*(one(who) for _ in range(count)))), flush=True)

asyncio.run(main())
"""


async def test_two_processes_together_let_exactly_as_many_pass_as_may(alice):
    command, address = [sys.executable, "-c", OTHER], urlsplit(os.environ["DATABASE_URL"])
    address = address._replace(path=connection.settings_dict["NAME"]).geturl()
    others = [
        await asyncio.create_subprocess_exec(
            *command,
            cwd=BASE,
            env=os.environ | {"DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "jarvis.settings"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(2)
    ]
    try:
        for other in others:
            assert await asyncio.wait_for(other.stdout.readline(), 60) == b"ready\n"
        for turn in range(100):
            figures = ({"requests": 10}, {"parallel": 10}, {"tokens": 1000})[turn % 3]
            order = json.dumps([f"user:{90_000 + turn}", figures, 25]).encode() + b"\n"
            for other in others:
                other.stdin.write(order)
            replies = [json.loads(await asyncio.wait_for(other.stdout.readline(), 10)) for other in others]
            assert sorted(replies[0] + replies[1]) == [""] * 10 + ["rate_limit_exceeded"] * 40, figures
    finally:
        for other in others:
            other.kill()
            await other.wait()
