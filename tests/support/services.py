"""A throw-away Postgres and Redis for one test session, on sockets in a folder of its own.

Where DATABASE_URL or REDIS_URL is given, that server is used instead. Sessions that run at the same time share nothing.
`python -m tests.support.services COMMAND …` runs any other program beside such servers.
"""

import atexit
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from jarvis.launch.embedded import EmbeddedPostgres, EmbeddedRedis, RunningService, Service
from tests.support.alone import FOLDER

PREFIX = "jarvis-test-"
STARTED = "JARVIS_TEST_STARTED"  # what a session has started itself: a part of it that runs beside starts its own


def start() -> None:
    """Start what is not given and put its address into the environment, where the settings look."""
    _remove_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    os.environ.setdefault(FOLDER, str(folder))
    os.environ["JARVIS_VAR"] = str(folder / "var")
    os.environ["XDG_RUNTIME_DIR"] = str(folder)  # what is too long for a socket in a test's own folder goes here
    os.environ["JARVIS_ENV_FILE"] = os.devnull  # what a developer keeps in .env is no business of a test
    # The default limits would refuse most tests; these are counted all the same. A test of limits sets its own.
    os.environ |= {
        "JARVIS_WEB_RATE_LIMIT_REQUESTS": "1000000",
        "JARVIS_WEB_RATE_LIMIT_ADDRESS": "1000000",
        "JARVIS_WEB_RATE_LIMIT_PAGES": "1000000",
        "JARVIS_WEB_RATE_LIMIT_SEARCHES": "1000000",
        "JARVIS_WEB_RATE_LIMIT_FILES": "1000000",
        "JARVIS_QUEUE_LIMIT_PER_USER": "1000",
    }
    wanted: dict[str, Service] = {
        "DATABASE_URL": EmbeddedPostgres(folder / "postgres", folder / "run", durable=False),
        "REDIS_URL": EmbeddedRedis(folder / "redis", folder / "run", durable=False),
    }
    started: list[str] = []
    session = contextlib.ExitStack()
    atexit.register(session.close)
    session.callback(shutil.rmtree, folder, ignore_errors=True)
    for variable, service in wanted.items():
        if not os.environ.get(variable) or variable in os.environ.get(STARTED, "").split():
            session.enter_context(RunningService(service, folder / f"{service.name}.log"))
            os.environ[variable] = service.url
            started.append(variable)
    os.environ[STARTED] = " ".join(started)


def _remove_leftovers() -> None:
    """Remove the folders of sessions that were killed. Their servers ended with them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    start()
    sys.exit(subprocess.run(sys.argv[1:], check=False).returncode)
