"""Many children: order of the stop, one holder per folder, what a killed supervisor leaves."""

import asyncio
import io
import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from jarvis.launch.display import Display
from jarvis.launch.errors import LaunchError
from jarvis.launch.instance_lock import InstanceLock
from jarvis.launch.supervisor import Supervisor
from jarvis.lib import processes
from tests.launch.conftest import MakePlan
from tests.support.waiting import until

SLEEP = "import time; time.sleep(60)"


def say_goodbye(name: str, journal: Path) -> str:
    """A child that takes its time to end and then writes its name."""
    return textwrap.dedent(f"""
        import signal, sys, time
        def end(*_):
            time.sleep(0.2)
            open({str(journal)!r}, "a").write("{name} ")
            sys.exit()
        signal.signal(signal.SIGTERM, end)
        print("on", flush=True)
        time.sleep(60)
    """)


async def test_a_stop_ends_the_groups_one_after_the_other(
    supervisor: Supervisor, plan: MakePlan, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    plans = [plan(name, say_goodbye(name, journal)) for name in ("base", "back", "front")]

    async def work() -> None:
        await supervisor.start_children(plans)
        await until(lambda: all(plan.log.last_line() == "on" for plan in plans))
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    await supervisor.run(work)
    assert journal.read_text() == "front back base "
    assert all(child.identity is None for child in supervisor.children)


async def test_children_are_ended_when_the_work_fails(supervisor: Supervisor, plan: MakePlan) -> None:
    found: list[processes.Identity] = []

    async def work() -> None:
        await supervisor.start_children([plan("base", SLEEP)])
        found.extend(child.identity for child in supervisor.children if child.identity)
        raise LaunchError("the migration failed")

    with pytest.raises(LaunchError, match="the migration failed"):
        await supervisor.run(work)
    assert len(found) == 1
    assert not processes.is_alive(found[0])


async def test_a_child_that_cannot_be_started_ends_the_others(supervisor: Supervisor, plan: MakePlan) -> None:
    async def never(_: int) -> bool:
        return False

    async def work() -> None:
        await supervisor.start_children([plan("base", SLEEP)])
        await supervisor.start_children([plan("front", "raise SystemExit('bad')", ready=never, is_essential=True)])

    with pytest.raises(LaunchError, match="front does not start"):
        await supervisor.run(work)
    assert all(child.identity is None for child in supervisor.children)


async def test_a_second_one_in_the_same_folder_is_told_who_runs(supervisor: Supervisor, tmp_path: Path) -> None:
    second = Supervisor(InstanceLock(tmp_path, "http://127.0.0.1:2"), Display(io.StringIO()), [])

    async def work() -> None:
        with pytest.raises(LaunchError, match=rf"running here already: http://127.0.0.1:1 \(pid {os.getpid()}\)"):
            await second.run(asyncio.Event().wait)  # type: ignore[arg-type]
        supervisor.stop()

    await supervisor.run(work)


async def test_a_folder_is_free_again_after_a_stop(supervisor: Supervisor, tmp_path: Path) -> None:
    async def work() -> None:
        supervisor.stop()

    await supervisor.run(work)
    second = Supervisor(InstanceLock(tmp_path, "http://127.0.0.1:2"), Display(io.StringIO()), [])

    async def more_work() -> None:
        second.stop()

    await second.run(more_work)


async def test_the_state_of_each_child_is_shown_once_per_change(
    supervisor: Supervisor, plan: MakePlan, shown: io.StringIO
) -> None:
    async def work() -> None:
        await supervisor.start_children([plan("base", SLEEP)])
        supervisor.stop()

    await supervisor.run(work)
    lines = [line.split() for line in shown.getvalue().splitlines()]
    assert lines == [["base", "starting"], ["base", "running"], ["base", "stopping"], ["base", "stopped"]]


CRASHED = """
    import asyncio, pathlib, sys
    from jarvis.launch.child import ChildPlan
    from jarvis.launch.instance_lock import InstanceLock
    from jarvis.launch.display import Display
    from jarvis.lib.log_file import LogFile
    from jarvis.launch.supervisor import Supervisor

    folder = pathlib.Path(sys.argv[1])
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]

    async def main():
        supervisor = Supervisor(InstanceLock(folder, "http://127.0.0.1:1"), Display(), [("web", "worker")])

        async def work():
            logs = {name: LogFile(folder / name) for name in ("web", "worker")}
            await supervisor.start_children([ChildPlan(name, lambda: sleep, log) for name, log in logs.items()])
            print("up", flush=True)
            await asyncio.Event().wait()

        await supervisor.run(work)

    asyncio.run(main())
"""


async def test_children_of_a_killed_supervisor_are_ended_by_the_next_one(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", textwrap.dedent(CRASHED), str(tmp_path)]
    crashed = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert crashed.stdout is not None
    await crashed.stdout.readuntil(b"up\n")
    crashed.kill()
    await crashed.wait()
    left = supervisor._lock.read_children()
    assert sorted(left) == ["web", "worker"]
    assert all(processes.is_alive(who) for who in left.values())

    async def work() -> None:
        assert not any(processes.is_alive(who) for who in left.values())
        supervisor.stop()

    await supervisor.run(work)
