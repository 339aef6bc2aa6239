"""One child: how it is restarted, stopped and given up."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from jarvis.launch.child import MAX_PAUSE_SECONDS, MIN_PAUSE_SECONDS, STEADY_SECONDS, Child, next_pause
from jarvis.launch.errors import LaunchError
from jarvis.lib import processes
from tests.launch.conftest import MakePlan
from tests.support.waiting import until

SLEEP = "import time; time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"
CRASH = "import sys; print('no such model: tiny'); sys.exit(3)"


def quiet(_: Child) -> None:
    """A child whose changes nobody looks at."""


def test_pauses_grow_to_a_limit_and_are_short_again_after_a_steady_run() -> None:
    pauses = [0.0]
    for _ in range(8):
        pauses.append(next_pause(pauses[-1], lived=1))
    assert pauses[1:] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, MAX_PAUSE_SECONDS, MAX_PAUSE_SECONDS]
    assert next_pause(MAX_PAUSE_SECONDS, lived=STEADY_SECONDS) == MIN_PAUSE_SECONDS


async def test_a_killed_child_is_started_again(plan: MakePlan) -> None:
    changes: list[tuple[str, str]] = []
    child = Child(plan("base", SLEEP), lambda child: changes.append((child.phase, child.detail)))
    keeping = asyncio.create_task(child.keep_running())
    await until(lambda: child.identity)
    first = child.identity
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)
    await until(lambda: child.starts == 2 and child.identity)
    assert child.identity != first
    assert ("restarting", "killed by SIGKILL; again in 0.2 s") in changes
    await child.stop()
    await keeping


async def test_a_stopped_child_is_gone_and_stays_so(plan: MakePlan) -> None:
    child = Child(plan("base", SLEEP), quiet)
    keeping = asyncio.create_task(child.keep_running())
    await until(lambda: child.identity)
    who = child.identity
    assert who is not None
    await child.stop()
    await keeping
    assert not processes.is_alive(who)
    assert (child.phase, child.starts) == ("stopped", 1)


@pytest.mark.alone
async def test_a_child_that_ignores_the_signal_is_killed_after_its_seconds(plan: MakePlan) -> None:
    made = plan("base", STUBBORN, stop_seconds=0.3)
    child = Child(made, quiet)
    keeping = asyncio.create_task(child.keep_running())
    await until(lambda: made.log.last_line() == "on")
    began = time.monotonic()
    await child.stop()
    await keeping
    assert 0.3 <= time.monotonic() - began < 3


async def test_a_hurried_child_is_killed_at_once(plan: MakePlan) -> None:
    made = plan("base", STUBBORN, stop_seconds=60)
    child = Child(made, quiet)
    keeping = asyncio.create_task(child.keep_running())
    await until(lambda: made.log.last_line() == "on")
    stopping = asyncio.create_task(child.stop())
    await until(lambda: child.phase == "stopping")
    child.hurry()
    async with asyncio.timeout(3):
        await stopping
        await keeping


async def test_a_hurried_child_that_has_to_tidy_up_gets_a_second_signal_first(plan: MakePlan) -> None:
    script = """
import signal, sys, time
seen = []
def hear(*_):
    seen.append(1)
    print(len(seen), flush=True)
    if len(seen) == 2:
        sys.exit()
signal.signal(signal.SIGTERM, hear)
print("on", flush=True)
while True:
    time.sleep(60)
"""
    made = plan("base", script, stop_seconds=60, hurried_stop_seconds=60)
    child = Child(made, quiet)
    keeping = asyncio.create_task(child.keep_running())
    await until(lambda: made.log.last_line() == "on")
    stopping = asyncio.create_task(child.stop())
    await until(lambda: made.log.last_line() == "1")
    child.hurry()
    async with asyncio.timeout(5):
        await stopping
        await keeping
    assert made.log.last_line() == "2"


async def test_what_a_child_left_in_its_group_ends_with_it(plan: MakePlan, tmp_path: Path) -> None:
    script = "import subprocess, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); time.sleep(60)"
    made = plan("base", script)
    child = Child(made, quiet)
    keeping = asyncio.create_task(child.keep_running())
    await until(lambda: made.log.last_line())
    grandchild = processes.identify(int(made.log.last_line()))
    assert grandchild is not None
    assert child.identity is not None
    os.kill(child.identity.pid, signal.SIGKILL)
    await until(lambda: not processes.is_alive(grandchild))
    await child.stop()
    await keeping


async def test_an_essential_child_that_never_gets_ready_ends_the_start_with_one_line(plan: MakePlan) -> None:
    async def never(_: int) -> bool:
        return False

    child = Child(plan("base", CRASH, is_essential=True, ready=never), quiet)
    with pytest.raises(LaunchError, match=r"base does not start .ended with code 3.*no such model: tiny") as error:
        await child.keep_running()
    assert "\n" not in str(error.value)
    assert child.starts == 3


async def test_another_child_is_tried_for_ever(plan: MakePlan) -> None:
    child = Child(plan("base", CRASH), quiet)
    keeping = asyncio.create_task(child.keep_running())
    await until(lambda: child.starts == 4)
    await child.stop()
    await keeping


async def test_an_essential_child_that_was_ready_once_is_tried_for_ever(plan: MakePlan) -> None:
    child = Child(plan("base", CRASH, is_essential=True), quiet)
    keeping = asyncio.create_task(child.keep_running())
    await until(lambda: child.starts == 4)
    await child.stop()
    await keeping


async def test_a_preparation_that_fails_ends_the_start_but_not_a_running_system(plan: MakePlan) -> None:
    full = False

    def prepare() -> None:
        if full:
            raise LaunchError("the disk is full")

    changes: list[str] = []
    child = Child(plan("base", SLEEP, prepare=prepare, is_essential=True), lambda child: changes.append(child.detail))
    keeping = asyncio.create_task(child.keep_running())
    await until(lambda: child.was_ready.is_set() and child.identity)
    assert child.identity is not None
    full = True
    os.kill(child.identity.pid, signal.SIGKILL)
    await until(lambda: any(detail.startswith("the disk is full") for detail in changes))
    full = False
    await until(lambda: child.starts == 2)
    await child.stop()
    await keeping

    full = True
    with pytest.raises(LaunchError, match="the disk is full"):
        await Child(plan("base", SLEEP, prepare=prepare, is_essential=True), quiet).keep_running()
