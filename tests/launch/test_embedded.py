"""Embedded Postgres and Redis, with real kills. Each test has servers of its own."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from jarvis.launch.embedded import EMPTY_FOLDERS, EmbeddedPostgres, EmbeddedRedis, RunningService, Service
from jarvis.launch.errors import LaunchError
from jarvis.launch.privileges import find_unprivileged_user, list_tree
from jarvis.lib import processes


def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Wait for something that will come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[RunningService]:
    with RunningService(
        EmbeddedPostgres(tmp_path / "postgres", tmp_path / "run"), tmp_path / "postgres.log"
    ) as running:
        yield running


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RunningService]:
    with RunningService(EmbeddedRedis(tmp_path / "redis", tmp_path / "run"), tmp_path / "redis.log") as running:
        yield running


def fill(postgres: RunningService) -> None:
    with psycopg.connect(postgres.service.url) as connection:
        connection.execute("CREATE TABLE note (text text)")
        connection.execute("INSERT INTO note VALUES ('kept')")


def notes(postgres: RunningService) -> list[tuple[str]]:
    with psycopg.connect(postgres.service.url) as connection:
        return connection.execute("SELECT text FROM note").fetchall()


def kill(running: RunningService) -> None:
    """SIGKILL, as the kernel does when memory runs out."""
    assert running.process is not None
    running.process.kill()
    running.process.wait()


def tcp_ports(pid: int) -> list[str]:
    """Local addresses of TCP sockets that a process listens on."""
    inodes = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    ]
    return [row[1] for row in rows if f"socket:[{row[9]}]" in inodes]


def test_postgres_is_version_18_and_has_pgvector(postgres: RunningService) -> None:
    with psycopg.connect(postgres.service.url) as connection:
        assert connection.info.server_version // 10_000 == 18
        connection.execute("CREATE EXTENSION vector")
        assert connection.execute("SELECT '[1,2]'::vector <-> '[4,6]'").fetchone() == (5.0,)


def test_postgres_knows_unicode_letters_on_every_machine(postgres: RunningService) -> None:
    with psycopg.connect(postgres.service.url) as connection:
        assert connection.execute("SELECT upper('señal')").fetchone() == ("SEÑAL",)


@pytest.mark.parametrize("name", ["postgres", "redis_server"])
def test_a_server_opens_no_tcp_port_and_its_directories_are_private(name: str, request: pytest.FixtureRequest) -> None:
    running: RunningService = request.getfixturevalue(name)
    assert running.process is not None
    assert tcp_ports(running.process.pid) == []
    assert isinstance(running.service, EmbeddedPostgres | EmbeddedRedis)
    for folder in (running.service.socket.parent, running.service.data):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_postgres_killed_with_sigkill_comes_back_with_its_data(postgres: RunningService) -> None:
    fill(postgres)
    kill(postgres)
    postgres.start()
    assert notes(postgres) == [("kept",)]


def test_a_killed_postmaster_with_a_busy_backend_is_replaced(postgres: RunningService) -> None:
    fill(postgres)
    busy = psycopg.connect(postgres.service.url)
    busy.execute("BEGIN")
    kill(postgres)
    postgres.start()
    assert notes(postgres) == [("kept",)]
    busy.close()


def test_a_killed_backend_leaves_the_server_usable(postgres: RunningService) -> None:
    fill(postgres)
    victim = psycopg.connect(postgres.service.url)
    os.kill(victim.info.backend_pid, signal.SIGKILL)
    with pytest.raises(psycopg.OperationalError):
        victim.execute("SELECT 1")
    until(postgres.service.ready)
    assert notes(postgres) == [("kept",)]


def test_a_stale_lock_file_naming_a_living_process_does_not_stop_postgres(postgres: RunningService) -> None:
    service = postgres.service
    assert isinstance(service, EmbeddedPostgres)
    postgres.stop()
    (service.data / "postmaster.pid").write_text(f"{os.getpid()}\n{service.data}\n0\n5432\n\n\n\nready\n")
    postgres.start()
    assert service.ready()


def test_a_postgres_that_outlived_its_supervisor_is_replaced(postgres: RunningService, tmp_path: Path) -> None:
    fill(postgres)
    assert postgres.process is not None
    with RunningService(postgres.service, tmp_path / "second.log") as second:
        assert postgres.process.wait(5) == 0
        assert notes(second) == [("kept",)]


def test_data_of_another_version_is_left_alone_and_named(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("15\n")
    with pytest.raises(LaunchError, match="was made by Postgres 15") as error:
        EmbeddedPostgres(data, tmp_path / "run").prepare()
    assert "\n" not in str(error.value)


def test_a_cluster_put_back_from_a_backup_as_root_starts(postgres: RunningService, tmp_path: Path) -> None:
    fill(postgres)
    postgres.stop()
    copy, log = tmp_path / "copy", tmp_path / "log on another disk"
    shutil.copytree(tmp_path / "postgres", copy)  # belongs to whoever runs the test
    shutil.move(copy / "pg_wal", log)
    (copy / "pg_wal").symlink_to(log)
    for folder in (copy, copy / "base"):
        folder.chmod(0o755)
    (copy / "postgresql.conf").chmod(0o400)
    for name in EMPTY_FOLDERS:
        shutil.rmtree(copy / name)
    with RunningService(EmbeddedPostgres(copy, tmp_path / "run"), tmp_path / "copy.log") as running:
        assert notes(running) == [("kept",)]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o700
    owners = {path.lstat().st_uid for path in list_tree(copy)}
    assert owners == {find_unprivileged_user().pw_uid if os.geteuid() == 0 else os.geteuid()}


def test_a_cluster_that_was_made_only_half_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new" / "base").write_text("half")
    with RunningService(EmbeddedPostgres(tmp_path / "postgres", tmp_path / "run"), tmp_path / "log") as running:
        assert running.service.ready()


def test_a_path_too_long_for_a_socket_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="too long for a socket"):
        EmbeddedPostgres(tmp_path, tmp_path / ("x" * 100))


def test_redis_killed_with_sigkill_comes_back_with_its_data(redis_server: RunningService) -> None:
    client = redis.Redis.from_url(redis_server.service.url, decode_responses=True)
    client.set("note", "kept")
    kill(redis_server)
    redis_server.start()
    assert client.get("note") == "kept"
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    client.close()


def test_a_redis_that_outlived_its_supervisor_is_replaced(redis_server: RunningService, tmp_path: Path) -> None:
    assert redis_server.process is not None
    with RunningService(redis_server.service, tmp_path / "second.log"):
        assert redis_server.process.wait(5) == 0


@pytest.mark.parametrize("kind", [EmbeddedPostgres, EmbeddedRedis])
def test_servers_of_a_killed_script_end_with_it(kind: type[Service], tmp_path: Path) -> None:
    script = f"""
        import pathlib, signal
        from jarvis.launch.embedded import {kind.__name__}, RunningService
        folder = pathlib.Path({str(tmp_path)!r})
        running = RunningService({kind.__name__}(folder / "data", folder / "run"), folder / "log").start()
        print(running.process.pid, flush=True)
        signal.pause()
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        server = processes.identify(int(parent.stdout.readline()))
        assert server is not None
        parent.kill()
        until(lambda: not processes.is_alive(server))
