"""`manage.py run` as a person meets it: real processes, no engine of its own (it relays to a fake one)."""

import os
import re
import signal
import socket
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from jarvis.lib import processes
from tests.support.launched import Jarvis, until

pytestmark = pytest.mark.processes


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, unlike pytest's own: sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="jarvis-run-") as name:
        yield Path(name)


@pytest.fixture
def jarvis(folder: Path) -> Iterator[Jarvis]:
    made = Jarvis(folder / "var")
    yield made
    made.stop()


def refusal(jarvis: Jarvis) -> str:
    """The one line that a start which cannot be ends with."""
    assert jarvis.start().ends() == 1
    line = jarvis.said().splitlines()[-1]
    assert "Traceback" not in jarvis.said()
    assert line.startswith("Jarvis cannot start. ")
    return line


def replaced(jarvis: Jarvis, name: str, who: processes.Identity) -> bool:
    return jarvis.children().get(name, who) != who


@pytest.mark.timeout(300)
def test_everything_comes_up_survives_the_death_of_each_process_and_leaves_nothing(jarvis: Jarvis) -> None:
    jarvis.start()
    until(jarvis.up)
    link = re.search(r"Make the first administrator: http://127\.0\.0\.1:\d+(/setup/\S+)", jarvis.said())
    assert link is not None
    assert jarvis.answers(link[1])

    for name, who in jarvis.children().items():
        os.kill(who.pid, signal.SIGKILL)
        until(partial(replaced, jarvis, name, who))
        until(jarvis.up)
        assert f"{name:<9} restarting: killed by SIGKILL" in jarvis.said()
    until(lambda: jarvis.answers(link[1]))  # it asks Postgres whether there is an administrator by now

    last = jarvis.children()
    jarvis.stop()
    assert jarvis.process is not None
    assert jarvis.process.returncode == 0
    assert not any(processes.is_alive(who) for who in last.values())
    assert [line.split()[0] for line in jarvis.said().splitlines() if line.endswith(" stopped")][-2:] == [
        "redis",
        "postgres",
    ]


@pytest.mark.timeout(300)
def test_the_port_stays_open_while_the_web_process_is_replaced(jarvis: Jarvis) -> None:
    jarvis.start()
    until(jarvis.up)
    os.kill(jarvis.children()["web"].pid, signal.SIGKILL)
    assert jarvis.answers(patience=60)  # it waits in the socket's queue for the next process


@pytest.mark.timeout(300)
def test_a_second_start_in_the_same_folder_names_the_first_and_a_start_after_a_crash_cleans_up(
    jarvis: Jarvis, folder: Path
) -> None:
    jarvis.start()
    until(jarvis.up)
    assert jarvis.process is not None
    second = Jarvis(jarvis.var, folder / "second.out")
    assert f"running here already: http://127.0.0.1:{jarvis.port} (pid {jarvis.process.pid})" in refusal(second)

    left = jarvis.children()
    jarvis.process.kill()
    jarvis.process.wait()
    assert any(processes.is_alive(who) for who in left.values())
    jarvis.output.unlink()
    jarvis.start()
    until(jarvis.up)
    assert not any(processes.is_alive(who) for who in left.values())


def test_a_taken_port_is_told_before_anything_is_started(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        jarvis = Jarvis(folder / "var", JARVIS_WEB_PORT=str(port))
        line = refusal(jarvis)
    assert f"Port {port} is taken by " in line
    assert f"(pid {os.getpid()})" in line
    assert "postgres" not in jarvis.said()


def test_a_wrong_setting_is_told_with_what_is_allowed(folder: Path) -> None:
    line = refusal(Jarvis(folder / "var", JARVIS_LEASE_SECONDS="soon"))
    assert "JARVIS_LEASE_SECONDS" in line
    assert "soon" in line


def test_a_folder_that_cannot_be_made_is_told(folder: Path) -> None:
    (folder / "file").write_text("")
    assert "JARVIS_VAR" in refusal(Jarvis(folder / "file" / "var", folder / "out"))


def test_data_of_another_postgres_is_told_and_left_alone(folder: Path) -> None:
    jarvis = Jarvis(folder / "var")
    (jarvis.var / "postgres").mkdir(parents=True)
    (jarvis.var / "postgres" / "PG_VERSION").write_text("15\n")
    assert "was made by Postgres 15" in refusal(jarvis)
    assert [path.name for path in (jarvis.var / "postgres").iterdir()] == ["PG_VERSION"]


@pytest.mark.parametrize(
    ("variable", "url"),
    [("DATABASE_URL", "postgresql://jarvis@127.0.0.1:9/jarvis"), ("REDIS_URL", "redis://127.0.0.1:9/0")],
)
def test_a_given_server_that_is_not_there_is_told(variable: str, url: str, folder: Path) -> None:
    assert f"at {variable} cannot be used: " in refusal(Jarvis(folder / "var", None, **{variable: url}))


def test_services_only_gives_a_database_and_a_redis_for_other_programs(jarvis: Jarvis) -> None:
    jarvis.start("--services-only")
    until(lambda: "REDIS_URL=" in jarvis.said())
    assert f"DATABASE_URL=postgresql://jarvis@/jarvis?host={jarvis.var}/run/postgres" in jarvis.said()
    assert jarvis.children().keys() == {"postgres", "redis"}
