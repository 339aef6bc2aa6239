"""`manage.py stop`: a running instance in order, what a killed one left, and nothing else."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jarvis.launch import stop
from jarvis.launch.errors import LaunchError
from jarvis.launch.instance_lock import InstanceLock
from jarvis.lib import processes
from jarvis.lib.config import BASE, Config
from jarvis.lib.locks import ProcessLock
from tests.support.launched import Jarvis, until

SLEEP = [sys.executable, "-S", "-E", "-c", "import time; time.sleep(60)"]


@pytest.fixture
def here(tmp_path: Path) -> Config:
    return Config(_env_file=None, var=tmp_path)


def test_where_nothing_runs_nothing_is_stopped(here: Config) -> None:
    told: list[str] = []
    stop.stop_instance(here, told.append)
    assert told == ["Nothing of Jarvis runs here."]


def test_what_is_left_is_ended_in_order_with_its_group_and_the_engine(
    here: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    end = stop._end_part

    def note(name: str, *arguments: object, **options: object) -> None:
        asked.append(name)
        end(name, *arguments, **options)

    monkeypatch.setattr(stop, "_end_part", note)
    marks = {"JARVIS_ENGINE_HOME": str(here.run_dir), "JARVIS_ENGINE_TOKEN": "t"}
    children = {name: subprocess.Popen(SLEEP, start_new_session=True) for name in ("beat", "web 2", "worker", "redis")}
    engine = subprocess.Popen(SLEEP, start_new_session=True, env={**os.environ, **marks})
    gone = processes.Identity(2**22, 1)
    try:
        found = {name: processes.identify(child.pid) for name, child in children.items()}
        InstanceLock(here.run_dir, "").record_children({**found, "celery": gone})
        until(lambda: stop.find_marked(here.run_dir), 5)
        told: list[str] = []
        stop.stop_instance(here, told.append, now=True)
        assert told == ["Ended what a killed Jarvis had left: web 2, beat, worker, engine, redis."]
        assert asked == ["web 2", "beat", "worker", "redis"]
        assert all(child.wait(5) < 0 for child in children.values())
        assert not processes.identify(engine.pid)
    finally:
        for child in (*children.values(), engine):
            child.kill()


def test_only_a_process_that_has_the_lock_open_is_taken_for_its_holder(here: Config) -> None:
    lock = ProcessLock(here.run_dir / "supervisor.lock")
    with subprocess.Popen(SLEEP) as stranger:
        lock.acquire(f"http://here (pid {stranger.pid})")  # a number from inside a container
        with pytest.raises(LaunchError, match="in a container, stop it there"):
            stop.stop_instance(here, lambda _: None)
        assert stranger.poll() is None
        stranger.kill()
    assert stop.find_holder("no words", lock.path) is None
    assert stop.find_holder("http://here (pid 4000000)", lock.path) is None
    assert stop.find_holder(f"http://here (pid {os.getpid()})", lock.path) == processes.identify(os.getpid())
    lock.release()


@pytest.fixture
def jarvis() -> Iterator[Jarvis]:
    with tempfile.TemporaryDirectory(prefix="jarvis-stop-") as name:
        made = Jarvis(Path(name) / "var")
        yield made
        made.stop()


def run_stop(jarvis: Jarvis) -> str:
    command = [sys.executable, str(BASE / "manage.py"), "stop"]
    return subprocess.run(
        command, env=jarvis.environment, capture_output=True, text=True, check=True, timeout=60
    ).stdout


@pytest.mark.processes
def test_a_running_instance_is_stopped_in_order_and_one_that_was_killed_is_cleared_away(jarvis: Jarvis) -> None:
    jarvis.start("--services-only")
    until(lambda: "REDIS_URL=" in jarvis.said())
    assert jarvis.process is not None
    told = run_stop(jarvis)
    assert f"Stopping Jarvis at http://127.0.0.1:{jarvis.port} (pid {jarvis.process.pid}) …" in told
    assert told.endswith("Stopped.\n")
    assert jarvis.ends() == 0

    jarvis.output.unlink()
    jarvis.start("--services-only")
    until(lambda: "REDIS_URL=" in jarvis.said())
    left = jarvis.children()
    jarvis.process.kill()
    jarvis.process.wait()
    assert all(processes.is_alive(who) for who in left.values())
    assert run_stop(jarvis) == "Ended what a killed Jarvis had left: redis, postgres.\n"
    assert not any(processes.is_alive(who) for who in left.values())
