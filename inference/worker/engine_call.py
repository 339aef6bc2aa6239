"""Calls of the engine over HTTP: when one is tried again, what its answers mean, and how it is ended."""

import asyncio
import io
import random
from typing import Any, NoReturn

import aiohttp
import msgspec

from inference.engine.base import Engine
from inference.log.events import Problem
from inference.openai.engine_errors import error_from_engine
from inference.openai.engine_values import UnreadableEvent, parse_json

MAX_INLINE_BODY_BYTES = 1 << 20  # bytes of a body
MAX_CONNECT_TRIES = 3
BUSY_STATUSES = (429, 503)  # statuses by which a server elsewhere says that it cannot take more now


class EngineLost(Exception):
    """The engine broke off, or failed on this request."""


class EngineAway(Exception):
    """The engine did not take the request: nothing was asked, nothing is lost."""


class RequestRefused(Exception):
    """The engine refuses this request, and would again."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


async def post(engine: Engine, path: str, body: bytes, id: str = "") -> aiohttp.ClientResponse:
    """The engine's answer, status 200. Tried again only while no byte of it has come.

    An engine that takes the request and closes the connection may only have closed an idle one, or may die of it:
    where it cannot be had again, it counts as lost, not as away.
    """
    headers = {"content-type": "application/json"} | ({"x-request-id": id} if id else {})
    taken = False
    for attempt in range(MAX_CONNECT_TRIES):
        try:
            # aiohttp writes bytes at once, which holds up every other answer where they are many.
            data = body if len(body) < MAX_INLINE_BODY_BYTES else io.BytesIO(body)
            response = await engine.session().post(engine.base_url + path, data=data, headers=headers)
        except (aiohttp.ClientError, OSError) as error:
            taken = taken or not isinstance(error, aiohttp.ClientConnectorError)
            if attempt == MAX_CONNECT_TRIES - 1:
                fault = f"{type(error).__name__}: {error}"
                raise (EngineLost(fault) if taken else EngineAway(fault)) from error
            await asyncio.sleep(random.uniform(0.05, 0.1) * 2**attempt)
            continue
        if response.status == 200:
            return response
        if response.status in BUSY_STATUSES:
            raise EngineAway(f"status {response.status}")
        try:
            refusal = await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise EngineAway(f"{type(error).__name__}: {error}") from error
        raise_refusal(response.status, refusal)
    raise AssertionError


async def read_json(response: aiohttp.ClientResponse) -> Any:
    """What a short answer says; None for what is not JSON. Raises EngineAway where it breaks off."""
    try:
        return parse_json(await response.read())
    except UnreadableEvent:
        return None
    except (aiohttp.ClientError, OSError) as error:
        raise EngineAway(f"{type(error).__name__}: {error}") from error


def raise_refusal(status: int, body: bytes | dict[str, Any] | str) -> NoReturn:
    """What an engine's error means: RequestRefused for a fault of the request, EngineLost for one of the engine."""
    error = error_from_engine(status, body)
    if error.status >= 500:
        raise EngineLost(error.message)
    raise RequestRefused(Problem(error.code, error.message, error.param))


async def request_abort(engine: Engine, call_name: str) -> bool:
    """Have the engine end a call by its name; whether it takes that. Raises what aiohttp raises."""
    body = msgspec.json.encode({"request_ids": [call_name]})
    headers = {"content-type": "application/json"}
    url = engine.base_url + "/inference/v1/abort_requests"
    async with engine.session().post(url, data=body, headers=headers) as response:
        return response.status == 200
