"""A worker, as far as an engine is concerned: `python -m tests.support.holder VAR MODEL` keeps one until it dies."""

import asyncio
import sys

from inference.engine.base import VllmEngine
from jarvis.lib.config import Config


async def main(var: str, model: str) -> None:
    engine = VllmEngine(Config(_env_file=None, var=var, model=model))
    keeper = asyncio.create_task(engine.run())
    ready = asyncio.create_task(engine.wait_ready())
    while not ready.done() and engine.state.phase != "failed":
        await asyncio.wait([ready, keeper], timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
    print("pid", engine.state.pid, engine.state.phase, engine.state.detail, flush=True)
    await keeper


asyncio.run(main(*sys.argv[1:]))
