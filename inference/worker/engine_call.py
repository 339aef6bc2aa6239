"""Calls of the engine over HTTP: when one is tried again, what its answers mean, and how it is ended."""

import asyncio
import io
import random
from collections.abc import Collection
from typing import Any, NoReturn

import aiohttp
import msgspec
import structlog

from inference.engine.base import Engine
from inference.log.events import Problem
from inference.openai.engine_errors import error_from_engine, parse_error_body, quote_refusal
from inference.openai.engine_values import UnreadableEvent, parse_json
from inference.openai.fields import ACCEPTED_FIELDS
from inference.openai.unknown_fields import ESSENTIAL_FIELDS, RENAMED_FIELDS, find_unknown_field, leave_out

log = structlog.get_logger(__name__)

MAX_INLINE_BODY_BYTES = 1 << 20  # bytes of a body
MAX_CONNECT_TRIES = 3
MAX_UNKNOWN_FIELDS = 16  # that are left out for one server
CANNOT_CONTINUE = Problem(
    "cannot_continue", "This model's server cannot go on with a text that was begun. Ask for another answer instead."
)
NO_CHOICES = Problem(
    "invalid_request_error",
    "This model's server cannot hold an answer to a list of choices. Use `response_format`, or another model.",
    "structured_outputs",
)
NOT_UNDERSTOOD = Problem("engine_error", "This model's server refuses what is sent to it. Tell an administrator.")
BUSY_STATUSES = (429, 503)  # statuses by which a server elsewhere says that it cannot take more now


class EngineLost(Exception):
    """The engine broke off, or failed on this request."""


class EngineAway(Exception):
    """The engine did not take the request: nothing was asked, nothing is lost."""


class RequestRefused(Exception):
    """The engine refuses this request, and would again. `said` and `param`: as the engine told it."""

    def __init__(self, problem: Problem, said: str = "", param: str | None = None) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.said = said
        self.param = param


async def request_answer(
    engine: Engine, path: str, body: dict[str, Any], id: str, asked: Collection[str]
) -> aiohttp.ClientResponse:
    """As `post`, for what the engine's server knows of the request; what it does not know is remembered.

    `asked`: the fields that the caller has sent.
    """
    for _ in range(MAX_UNKNOWN_FIELDS):
        known = leave_out(body, engine.unknown_fields)
        try:
            return await post(engine, path, msgspec.json.encode(known), id, asked)
        except RequestRefused as refusal:
            name = find_unknown_field(refusal.said, refusal.param, known)
            if name not in engine.unknown_fields:
                said = quote_refusal(refusal.said)
                log.warning("engine.refused", url=engine.base_url, unknown=name, param=refusal.param, said=said)
            if name is None:
                if find_unknown_field(refusal.said, refusal.param, body) is not None:
                    break  # it was left out already
                raise
            if name in RENAMED_FIELDS.values():
                break  # nobody has sent that name but Jarvis
            if name in ESSENTIAL_FIELDS:
                raise RequestRefused(explain_unknown(name)) from refusal
            engine.unknown_fields.add(name)
    raise RequestRefused(NOT_UNDERSTOOD)


def explain_unknown(name: str) -> Problem:
    """What the caller is told of a field that the server does not know, and that the answer depends on."""
    if name in ("continue_final_message", "add_generation_prompt"):
        return CANNOT_CONTINUE
    text = f"This model's server does not know `{name}`. Leave it out, or use another model."
    return Problem("invalid_request_error", text, name)


async def post(
    engine: Engine, path: str, body: bytes, id: str = "", asked: Collection[str] = ACCEPTED_FIELDS
) -> aiohttp.ClientResponse:
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
        raise_refusal(response.status, refusal, asked, engine.state.max_model_len)
    raise AssertionError


async def read_json(response: aiohttp.ClientResponse) -> Any:
    """What a short answer says; None for what is not JSON. Raises EngineAway where it breaks off."""
    try:
        return parse_json(await response.read())
    except UnreadableEvent:
        return None
    except (aiohttp.ClientError, OSError) as error:
        raise EngineAway(f"{type(error).__name__}: {error}") from error


def raise_refusal(
    status: int, body: bytes | dict[str, Any] | str, asked: Collection[str] = ACCEPTED_FIELDS, window: int = 0
) -> NoReturn:
    """What an engine's error means: RequestRefused for a fault of the request, EngineLost for one of the engine."""
    error = error_from_engine(status, body, asked, window)
    if error.status >= 500:
        raise EngineLost(error.message)
    said, param, _ = parse_error_body(body)
    raise RequestRefused(Problem(error.code, error.message, error.param), said, param)


async def request_abort(engine: Engine, call_name: str) -> bool:
    """Have the engine end a call by its name; whether it takes that. Raises what aiohttp raises."""
    body = msgspec.json.encode({"request_ids": [call_name]})
    headers = {"content-type": "application/json"}
    url = engine.base_url + "/inference/v1/abort_requests"
    async with engine.session().post(url, data=body, headers=headers) as response:
        return response.status == 200
