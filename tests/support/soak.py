"""Kills processes at random for as long as is wanted, while questions are asked: `make soak ARGS="--minutes 10"`.

Every second or so, some process of a whole Jarvis is killed with SIGKILL. At the end every accepted question must have
one whole, exact answer. An answer that loses its engine twice fails with a reason, as it should, so kills of the engine
are further apart than an answer is long. Ends with status 1 where anything is not as it must be.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import aiohttp

from tests.support.fake_engine import numbered
from tests.support.stack import TOKENS, Stack, Stream, running
from tests.support.steady_load import STEADY_SETTINGS, soak_steadily

AT_ONCE = 20  # questions
ENGINE_EVERY = 15.0  # seconds between two deaths of the engine, at least
OTHERS = ("worker", "redis", "postgres", "celery", "beat", "web 1", "web 2")


async def ask(stack: Stack, http: aiohttp.ClientSession, until: float, streams: list[Stream]) -> None:
    """One script that asks again and again."""
    while time.monotonic() < until:
        stream = Stream(stack, http)
        streams.append(stream)
        try:
            await stream.run()
        except AssertionError as refused:  # 503: nothing was accepted
            stream.fault = str(refused)
            await asyncio.sleep(0.2)


async def kill(stack: Stack, until: float, pause: float, deaths: Counter[str], dice: random.Random) -> None:
    last_engine = time.monotonic()
    while time.monotonic() < until:
        await asyncio.sleep(dice.uniform(0.2, 2 * pause))
        name = dice.choice(OTHERS)
        if time.monotonic() - last_engine > ENGINE_EVERY and stack.engine():
            name, last_engine = "engine", time.monotonic()
        elif not stack.pid(name):
            continue
        try:
            stack.kill(name)
            deaths[name] += 1
        except ProcessLookupError:
            continue  # it is being started again


async def soak(stack: Stack, minutes: float, pause: float, seed: int) -> list[str]:
    """Ask and kill, then wait for all answers; what was wrong, in sentences."""
    until, deaths, streams = time.monotonic() + 60 * minutes, Counter[str](), list[Stream]()
    timeout = aiohttp.ClientTimeout(sock_connect=5)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        asking = [ask(stack, http, until, streams) for _ in range(AT_ONCE)]
        await asyncio.gather(kill(stack, until, pause, deaths, random.Random(seed)), *asking)
    deadline = time.monotonic() + 60
    while not await asyncio.to_thread(stack.ended, 1):
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(0.5)
    rows = {row["id"]: row for row in stack.rows()}
    whole = [stream for stream in streams if stream.fault is None and stream.reason]
    print(f"{len(streams)} calls, {len(rows)} accepted, {len(whole)} told to their end; deaths: {dict(deaths)}")
    print(f"ends: {dict(Counter(row['status'] for row in rows.values()))}")
    return [*faults_of_rows(rows.values()), *faults_of_streams(streams, rows), *faults_of_bills(streams, rows)]


def faults_of_rows(rows) -> list[str]:
    found = []
    for row in rows:
        said = row["completion_tokens"]
        if row["status"] in ("queued", "running"):
            found.append(f"{row['id']} has not ended: {row['status']}, attempt {row['attempt']}")
        elif row["status"] == "failed" and row["engine_deaths"] < 2:
            found.append(f"{row['id']} failed: {row['error_message']}")
        elif row["text"] != numbered(said) or (row["status"] == "done" and said != TOKENS):
            found.append(f"{row['id']} is not exact: {row['status']}, {said} tokens, {row['text'][-40:]!r}")
    return found


def faults_of_bills(streams, rows) -> list[str]:
    """Every token that was delivered is billed once, none twice, and no other call is."""
    found = []
    for row in rows.values():
        said = row["text"].count(" ")
        if (row["completion_tokens"], row["prompt_tokens"]) not in ((said, 5), (0, 0)):
            found.append(f"{row['id']} bills {row['prompt_tokens']} + {row['completion_tokens']} tokens, told {said}")
    for stream in streams:
        if (row := rows.get(stream.id)) and stream.tokens > row["completion_tokens"]:
            found.append(f"{stream.id} delivered {stream.tokens} tokens and bills {row['completion_tokens']}")
        if stream.usage is not None and row and stream.usage["completion_tokens"] != row["completion_tokens"]:
            found.append(f"{stream.id} was told another bill than the ledger's: {stream.usage}")
    told, billed = sum(s.tokens for s in streams), sum(row["completion_tokens"] for row in rows.values())
    print(f"billed: {billed} tokens; delivered to clients that stayed or left: {told}")
    return found


def faults_of_streams(streams, rows) -> list[str]:
    found = []
    for stream in streams:
        if not numbered(TOKENS).startswith(stream.text):
            found.append(f"{stream.id} was told wrongly: {stream.text[-40:]!r}")
        if stream.fault is None and stream.text != numbered(TOKENS):
            found.append(f"{stream.id} was told to its end, but not whole: {stream.tokens} tokens")
        if stream.id and stream.id not in rows:
            found.append(f"{stream.id} was told, but is not in the ledger")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--pause", type=float, default=1.5, help="seconds between two kills, on average")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--steady", action="store_true", help="kill nothing; mixed load, with memory watched")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    settings = STEADY_SETTINGS if options.steady else {}
    with tempfile.TemporaryDirectory(prefix="jarvis-soak-") as name, running(Path(name), **settings) as stack:
        if options.steady:
            faults = asyncio.run(soak_steadily(stack, options.minutes))
        else:
            faults = asyncio.run(soak(stack, options.minutes, options.pause, options.seed))
        for process in ("worker", "web-1", "web-2") if faults else ():
            print(f"--- {process}\n{stack.said_by(process)}")
    print("\n".join(faults) or ("Nothing has grown." if options.steady else "Every answer is whole."))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
