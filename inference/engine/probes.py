"""What a keeper asks an engine over HTTP."""

from typing import Literal

import aiohttp

from inference.engine.errors import EngineError
from inference.engine.metrics import Counters, parse_metrics
from inference.openai.engine_values import ServedModel, UnreadableEvent, read_models

Health = Literal["well", "broken", "silent"]
MAX_PROBE_SECONDS = 5.0


async def ask_health(session: aiohttp.ClientSession, base_url: str, seconds: float = MAX_PROBE_SECONDS) -> Health:
    """What the engine says about itself. vLLM's front says 503 when its core has died."""
    try:
        async with session.get(f"{base_url}/health", timeout=aiohttp.ClientTimeout(total=seconds)) as response:
            return "well" if response.status == 200 else "broken"
    except (aiohttp.ClientError, OSError, TimeoutError):
        return "silent"


async def fetch_metrics(session: aiohttp.ClientSession, base_url: str) -> str:
    """A vLLM server's page of metrics; empty for another server, which has none."""
    async with session.get(f"{base_url}/metrics", timeout=aiohttp.ClientTimeout(total=MAX_PROBE_SECONDS)) as response:
        return (await response.read()).decode(errors="replace") if response.status == 200 else ""


async def fetch_counters(session: aiohttp.ClientSession, base_url: str) -> Counters:
    """What a vLLM server has counted; zeros for another server."""
    return parse_metrics(await fetch_metrics(session, base_url))


async def request_first_answer(session: aiohttp.ClientSession, base_url: str, seconds: float) -> ServedModel:
    """Let the engine answer once, so that no person waits for what it does only once; its first model, as it tells it.

    Raises EngineError where it refuses, and what aiohttp raises where it does not answer.
    """
    chat = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
    plain = {"prompt": "Hello", "max_tokens": 1}  # for a model that has no chat template
    async with session.get(f"{base_url}/v1/models", timeout=aiohttp.ClientTimeout(total=MAX_PROBE_SECONDS)) as response:
        try:
            models = read_models(await response.read())
        except UnreadableEvent as error:
            raise EngineError(f"The engine does not say which models it serves: {error}.") from error
    if not models:
        raise EngineError("The engine serves no model.")
    for path, body in (("chat/completions", chat), ("completions", plain)):
        limit = aiohttp.ClientTimeout(total=seconds)
        async with session.post(f"{base_url}/v1/{path}", json=body, timeout=limit) as response:
            text = await response.text()
            if response.status == 200:
                return models[0]
    raise EngineError(f"The engine refuses its first question: {text[:300]}", permanent=response.status < 500)
