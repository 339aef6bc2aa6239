"""One real vLLM for all tests that only need one: each adopts the engine that the one before left behind.

A start takes most of a minute of two cores. Only tests whose subject is the death of an engine cost one more.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.engine import processes
from jarvis.lib.config import Config
from tests.support import tiny


@pytest.fixture(scope="session")
def vllm_home() -> Iterator[Config]:
    """The configuration of all who adopt it; what still runs there at the end is ended."""
    with tempfile.TemporaryDirectory(prefix="jarvis-vllm-") as name:  # short: sockets lie in it
        folder = Path(name)
        config = Config(_env_file=None, var=folder / "var", model=str(tiny.make(folder / "tiny")))
        yield config
        left = {process.token for process in processes.find_marked(config.run_dir)}
        asyncio.run(processes.end_marked(config.run_dir, left, 5))
