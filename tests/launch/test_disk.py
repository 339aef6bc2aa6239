"""A full disk: the supervisor lives, keeps its record and its reserve, and says what is wrong."""

import asyncio
import contextlib
import errno
import io
import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from jarvis.launch.display import Display, DisplayRow
from jarvis.launch.instance_lock import RECORD_BYTES, InstanceLock
from jarvis.launch.supervisor import Supervisor, disk_row
from jarvis.lib import disk, processes
from jarvis.lib.disk import FULL_BYTES, LOW_BYTES, RELEASE_BYTES, DiskReserve
from jarvis.lib.log_file import LogFile
from tests.launch.conftest import MakePlan
from tests.support.waiting import until

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_children_are_kept_running_while_nothing_can_be_written_down(
    supervisor: Supervisor, plan: MakePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = [True]
    write = InstanceLock.record_children

    def record(self: InstanceLock, children: dict[str, processes.Identity]) -> None:
        if full[0]:
            raise FULL
        write(self, children)

    monkeypatch.setattr(InstanceLock, "record_children", record)
    monkeypatch.setattr("jarvis.launch.supervisor.ROTATE_SECONDS", 0.05)
    monkeypatch.setattr(LogFile, "rotate", lambda self: (_ for _ in ()).throw(FULL))
    child = plan("base", "import time; time.sleep(60)")

    async def work() -> None:
        rotating = asyncio.create_task(supervisor.rotate_logs())
        await supervisor.start_children([child])
        kept = supervisor.children[0]
        assert kept.identity is not None
        os.kill(kept.identity.pid, signal.SIGKILL)
        await until(lambda: kept.starts == 2 and kept.phase == "ready")
        full[0] = False
        lock = supervisor._lock
        await until(lambda: lock.read_children() == {"base": kept.identity})
        assert not rotating.done()
        rotating.cancel()

    await supervisor.run(work)


async def test_a_disk_that_cannot_be_looked_at_is_looked_at_again(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: Iterator[OSError | int] = iter([FULL, FULL, FULL_BYTES - 1])

    def look(folder: Path) -> int:
        found = next(looks, LOW_BYTES)
        if isinstance(found, OSError):
            raise found
        return found

    monkeypatch.setattr("jarvis.launch.supervisor.free_bytes", look)
    monkeypatch.setattr("jarvis.launch.supervisor.DISK_POLL_SECONDS", 0.01)
    watching = asyncio.create_task(supervisor.watch_disk(tmp_path))
    await until(lambda: watching.done() or "again" in supervisor.display.rows.get("disk", DisplayRow("")).detail)
    assert not watching.done()
    watching.cancel()


def test_the_record_is_written_over_what_was_there(tmp_path: Path) -> None:
    lock = InstanceLock(tmp_path, "http://here")
    some = {f"web {number}": processes.Identity(number, 10**12) for number in range(9)}
    lock.record_children(some)
    place = lock.record_file.stat()
    assert place.st_size == RECORD_BYTES
    assert lock.read_children() == some
    lock.record_children({})
    assert (lock.record_file.stat().st_ino, lock.record_file.stat().st_size) == (place.st_ino, RECORD_BYTES)
    assert lock.read_children() == {}
    many = {f"child {number}": processes.Identity(number, 10**12) for number in range(300)}
    lock.record_children(many)
    assert lock.read_children() == many
    lock.record_children(some)
    assert json.loads(lock.record_file.read_text()).keys() == some.keys()
    lock.record_file.write_text("")
    assert lock.read_children() == {}


def test_a_log_that_cannot_be_copied_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = LogFile(tmp_path / "web.log", limit=3, kept=2)
    log.path.write_text("new")
    (tmp_path / "web.log.1").write_text("old")

    def copy(source: Path, target: Path) -> None:
        target.write_text("ne")
        raise FULL

    log.path.write_text("newer")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", copy)
        for _ in range(3):
            with pytest.raises(OSError, match="No space"):
                log.rotate()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"web.log": "newer", "web.log.1": "old"}
    assert log.rotate()
    assert (tmp_path / "web.log.1").read_text() == "newer"


@pytest.mark.parametrize("live", [False, True])
def test_what_cannot_be_shown_ends_nothing(live: bool) -> None:
    out = open("/dev/full", "w", encoding="utf-8")  # noqa: SIM115
    display = Display(out)
    display.live = live
    display.show_row("disk", DisplayRow("full"))
    display.add_note("http://here")
    with contextlib.suppress(OSError):  # what is left in its buffer is tried once more
        out.close()
    buffer = io.StringIO()
    Display(buffer).show_row("disk", DisplayRow("full", "0 MB are free"))
    assert buffer.getvalue() == "disk      full: 0 MB are free\n"


def test_the_reserve_goes_when_nothing_else_is_left_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "RESERVE_BYTES", 8192)
    reserve = DiskReserve(tmp_path)
    assert not reserve.adjust(FULL_BYTES)  # it takes no room where there is little
    assert reserve.adjust(LOW_BYTES)
    assert reserve.path.stat().st_blocks * 512 >= 8192  # it holds room indeed
    assert reserve.adjust(RELEASE_BYTES)
    assert not reserve.adjust(RELEASE_BYTES - 1)
    assert not reserve.adjust(FULL_BYTES)  # and no new work comes in by its going
    assert reserve.adjust(LOW_BYTES)
    monkeypatch.setattr(os, "posix_fallocate", lambda *_: (_ for _ in ()).throw(FULL))
    reserve.path.unlink()
    assert not reserve.adjust(LOW_BYTES)
    assert list(tmp_path.iterdir()) == []


def test_people_are_warned_before_it_is_full(tmp_path: Path) -> None:
    assert disk_row(LOW_BYTES, tmp_path) is None
    low, full = disk_row(LOW_BYTES - 1, tmp_path), disk_row(FULL_BYTES - 1, tmp_path)
    assert low is not None
    assert full is not None
    assert (low.state, full.state) == ("low", "full")
    assert full.detail.startswith(f"99 MB are free where {tmp_path} lies; nothing new is accepted")
