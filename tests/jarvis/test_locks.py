import subprocess
import sys
import textwrap

import pytest

from jarvis.lib.locks import LockTaken, ProcessLock

HOLDER = """
    import pathlib, sys, time
    from jarvis.lib.locks import ProcessLock

    lock = ProcessLock(pathlib.Path(sys.argv[1]))
    lock.acquire("somebody else")
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.lock"


@pytest.fixture
def other(path):
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"locked\n"
        yield process
        process.kill()


def test_a_lock_of_another_process_is_refused_with_what_it_says_of_itself(path, other):
    with pytest.raises(LockTaken, match="somebody else"):
        ProcessLock(path).acquire("me")
    assert path.read_text() == "somebody else"


def test_a_lock_is_free_when_its_process_is_killed(path, other):
    other.kill()
    other.wait()
    lock = ProcessLock(path)
    lock.acquire("me")
    assert path.read_text() == "me"
    lock.release()


def test_taking_a_lock_twice_and_giving_it_back_twice_is_harmless(path):
    lock, second = ProcessLock(path), ProcessLock(path)
    lock.acquire("me")
    lock.acquire("me again")
    assert path.read_text() == "me"
    lock.release()
    lock.release()
    second.acquire("another")
    second.release()
    assert path.exists()


def test_two_locks_of_one_process_exclude_each_other_too(path):
    lock, second = ProcessLock(path), ProcessLock(path)
    lock.acquire("me")
    with pytest.raises(LockTaken, match="me"):
        second.acquire("another")
    lock.release()


def test_a_lock_is_for_its_owner_alone(path):
    lock = ProcessLock(path)
    lock.acquire("me")
    assert path.stat().st_mode & 0o077 == 0
    lock.release()
