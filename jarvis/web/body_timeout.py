"""A request has to come in time: a client that sends it drop by drop would hold a connection for ever.

The time for a body is here, around both stacks; that for a head is where heads are read
(`jarvis.launch.uvicorn_protocol`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

# Every so many bytes of a body earn it one more second: a large file takes long on a thin line, and may.
BYTES_PER_EXTRA_SECOND = 64 * 1024

Receive = Callable[[], Awaitable[Any]]


class BodyTooSlow(Exception):
    """The body has not come in time."""


def limit_body_time(receive: Receive, seconds: float) -> Receive:
    """The same `receive`, which raises BodyTooSlow where the whole body is not there in time.

    What comes after the body, that the client has left, may take as long as it likes.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    whole = False

    async def receive_in_time() -> Any:
        nonlocal deadline, whole
        if whole:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise BodyTooSlow from None
        whole = message["type"] != "http.request" or not message.get("more_body")
        deadline += len(message.get("body", b"")) / BYTES_PER_EXTRA_SECOND
        return message

    return receive_in_time
