"""`make dev`: the web process starts anew when code changes, and shows what went wrong."""

import os
import subprocess
import time
import urllib.error
import urllib.request

import psutil
import pytest

from jarvis import settings
from jarvis.launch import children, dev_settings, port
from jarvis.lib.config import BASE, config
from tests.support.launched import until


def get(number, path):
    """Status, policy and text of a page."""
    try:
        answer = urllib.request.urlopen(f"http://127.0.0.1:{number}{path}", timeout=100)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers.get("Content-Security-Policy", ""), answer.read().decode()


@pytest.fixture
def web(tmp_path):
    """`(process, port)` of a web process for development that watches a folder."""
    with port.open_listener("127.0.0.1", 0) as listener:
        plan, *_ = children.web_plans(config, listener.fileno(), dev=True)
        command = list(plan.command())
        watched = [*command[: command.index("--reload") + 1], str(tmp_path)]
        environment = {**os.environ, **plan.environment}
        process = subprocess.Popen(watched, cwd=BASE, env=environment, pass_fds=plan.pass_fds)
        try:
            yield process, listener.getsockname()[1]
        finally:
            process.terminate()
            process.wait(30)


def serving(process):
    """The process that serves: the one that watches starts it, beside what Python's multiprocessing needs."""
    running = psutil.Process(process.pid).children()
    return {one.pid for one in running if "spawn_main" in " ".join(one.cmdline())}


@pytest.mark.processes
@pytest.mark.timeout(300)
def test_a_change_of_the_code_starts_it_anew_and_errors_are_shown(web, tmp_path):
    code = tmp_path / "code.py"
    code.write_text("")
    process, number = web
    assert get(number, "/health")[0] == 200
    status, policy, page = get(number, "/nowhere/")
    assert status == 404
    assert "Using the URLconf defined in" in page
    assert "style-src 'unsafe-inline' 'self'" in policy
    status, policy, page = get(number, "/manifest.webmanifest")
    assert status == 200
    assert "unsafe-inline" not in policy
    assert get(number, "/static/chat/base.css")[0] == 200  # from the source: nothing was collected

    before = serving(process)
    os.utime(code, (time.time() + 5, time.time() + 5))
    until(lambda: serving(process) and not serving(process) & before, 100)
    assert get(number, "/health")[0] == 200  # the port was open all the while


def test_it_watches_our_code_and_nothing_else():
    plan, *_ = children.web_plans(config, 5, dev=True)
    folders = plan.command()[plan.command().index("--reload") + 1 :]
    assert {"accounts", "chat", "inference", "jarvis"} <= {os.path.relpath(folder, BASE) for folder in folders}
    assert not {"tests", ".venv", "var"} & {os.path.relpath(folder, BASE) for folder in folders}


def test_only_make_dev_shows_errors():
    plan, *_ = children.web_plans(config, 5)
    assert plan.environment["DJANGO_SETTINGS_MODULE"] == "jarvis.settings"
    assert "--reload" not in plan.command()
    assert not settings.DEBUG
    assert dev_settings.DEBUG
