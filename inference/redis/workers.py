"""The commands to and from workers: the doorbell, and the state that each publishes."""

import math
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing

import msgspec

from inference.redis.client import limit_reply_time, open_client, open_sync_client, shared_client
from inference.redis.keys import DOORBELL, WORKERS, ready_key, worker_key
from inference.worker_state import WorkerState
from jarvis.lib.config import config

STATE_SECONDS = 5  # after which the state of a worker that is gone has vanished
WORKERS_SECONDS = 3600
LISTEN_SECONDS = 60.0  # of one wait for the doorbell


@limit_reply_time
async def ring_doorbell(message: str = "work") -> None:
    """Tell the workers: there is work, or `stop {generation}`."""
    await shared_client().publish(DOORBELL, message)


def ring_doorbell_sync(*messages: str) -> None:
    """The same for sync code. Raises one of UNAVAILABLE_ERRORS."""
    with open_sync_client() as connection:
        for message in messages:
            connection.publish(DOORBELL, message)


def hear_rings_sync(wanted: str) -> Iterator[None]:
    """For each time that the doorbell rings with a message; what has rung since the last time is one. The first is at
    once, for what was rung before. Raises one of UNAVAILABLE_ERRORS."""
    with open_sync_client() as connection, closing(connection.pubsub(ignore_subscribe_messages=True)) as subscription:
        subscription.subscribe(DOORBELL)
        yield
        while True:
            heard = [subscription.get_message(timeout=LISTEN_SECONDS)]
            while heard[-1] is not None:
                heard.append(subscription.get_message(timeout=0))
            if any(message["data"] == wanted.encode() for message in heard if message is not None):
                yield


@asynccontextmanager
async def doorbell() -> AsyncIterator[AsyncIterator[str]]:
    """The messages that ring the doorbell from now on. A ring while nobody listens is lost; workers poll as well."""
    redis = open_client()
    subscription = redis.pubsub(ignore_subscribe_messages=True)

    async def messages() -> AsyncIterator[str]:
        async for message in subscription.listen():
            yield message["data"].decode()

    try:
        await subscription.subscribe(DOORBELL)
        yield messages()
    finally:
        await subscription.aclose()
        await redis.aclose()


@limit_reply_time
async def publish_state(state: WorkerState) -> None:
    """Publish a worker's state; it vanishes STATE_SECONDS after it was published last."""
    pipeline = shared_client().pipeline(transaction=False)
    pipeline.execute_command("SET", worker_key(state.name), msgspec.json.encode(state), "EX", STATE_SECONDS)
    pipeline.execute_command("SADD", WORKERS, state.name)
    pipeline.execute_command("EXPIRE", WORKERS, WORKERS_SECONDS)
    if state.engine.phase == "ready" and config.model_wait_seconds:
        pipeline.execute_command("SET", ready_key(state.engine.model), 1, "EX", math.ceil(config.model_wait_seconds))
    await pipeline.execute()


@limit_reply_time
async def remove_state(name: str) -> None:
    pipeline = shared_client().pipeline(transaction=False)
    pipeline.execute_command("DEL", worker_key(name))
    pipeline.execute_command("SREM", WORKERS, name)
    await pipeline.execute()


@limit_reply_time
async def worker_states() -> list[WorkerState]:
    """The states of all live workers, by name. Names of dead ones are forgotten on the way."""
    names: list[bytes] = sorted(await shared_client().execute_command("SMEMBERS", WORKERS))
    if not names:
        return []
    values = await shared_client().mget([worker_key(name.decode()) for name in names])
    gone = [name for name, value in zip(names, values, strict=True) if value is None]
    if gone:
        await shared_client().srem(WORKERS, *gone)
    return [msgspec.json.decode(value, type=WorkerState) for value in values if value is not None]


@limit_reply_time
async def find_ready_lately(models: Sequence[str]) -> set[str]:
    """Those of the models that were ready within the last `model_wait_seconds`, whatever became of their workers."""
    values = await shared_client().mget([ready_key(model) for model in models]) if models else []
    return {model for model, value in zip(models, values, strict=True) if value is not None}


def worker_states_sync() -> list[WorkerState]:
    """The same for sync code. Raises one of UNAVAILABLE_ERRORS."""
    with open_sync_client() as connection:
        names: list[bytes] = sorted(connection.execute_command("SMEMBERS", WORKERS))
        keys = [worker_key(name.decode()) for name in names]
        values: list[bytes | None] = connection.execute_command("MGET", *keys) if keys else []
    return [msgspec.json.decode(value, type=WorkerState) for value in values if value is not None]
