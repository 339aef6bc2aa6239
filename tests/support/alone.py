"""A test that is marked `alone` runs while no other process of the session runs any: for what measures time.

Everybody goes in through a gate. Who wants to be alone keeps it shut until all others have come out. What a session
or a module starts for many tests is better started by one before, which is not alone.
"""

import fcntl
import os
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

FOLDER = "JARVIS_TEST_LOCKS"  # names the folder in which the processes of one session meet


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before the clock of the test's timeout begins to run
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    alone = item.get_closest_marker("alone") is not None
    folder = Path(os.environ[FOLDER])
    with ExitStack() as held:
        gate, room = (held.enter_context((folder / name).open("w")) for name in ("gate.lock", "room.lock"))
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        return (yield)
