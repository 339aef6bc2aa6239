import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from inference.engine.process.spawn import ISOLATE, is_isolated, spawn_process

PYTHON = Path("/usr/bin/python3")  # one that every user may run

LOOK = """
import json, os, socket
def reaches(host):
    try:
        socket.create_connection((host, 9), 2).close()
    except OSError as error:
        return error.strerror
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname(), 2).close()
print(json.dumps({"interfaces": [name for _, name in socket.if_nameindex()], "outside": reaches("192.0.2.1"),
    "uid": os.getuid(), "pid": os.getpid()}))
"""


def look(command):
    done = subprocess.run(command, capture_output=True, text=True, cwd="/")
    if "no network namespace here" in done.stdout:
        pytest.skip("this system allows no network namespaces")
    return json.loads(done.stdout)


def test_an_isolated_process_has_a_loopback_of_its_own_and_reaches_nothing_else():
    seen = look([sys.executable, str(ISOLATE), sys.executable, "-c", LOOK])
    assert seen["interfaces"] == ["lo"]
    assert seen["outside"] == "Network is unreachable"


@pytest.mark.skipif(os.getuid() != 0 or not PYTHON.exists(), reason="only root can become somebody else")
def test_it_works_for_an_ordinary_user_who_stays_that_user():
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(PYTHON)]
    seen = look([*nobody, "-c", ISOLATE.read_text(), str(PYTHON), "-c", LOOK])
    assert seen["interfaces"] == ["lo"]
    assert seen["uid"] == 65534


def test_the_pid_is_that_of_the_command_itself(tmp_path):
    log = tmp_path / "log" / "engine.log"
    pid = spawn_process([sys.executable, "-c", LOOK], {"PATH": os.environ["PATH"]}, log, isolated=True)
    assert os.waitpid(pid, 0)[1] == 0
    assert json.loads(log.read_text().splitlines()[-1])["pid"] == pid
    assert not is_isolated(os.getpid())


def test_a_spawned_process_leads_a_session_of_its_own(tmp_path):
    command = [sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid() == os.getpgid(0))"]
    pid = spawn_process(command, {}, tmp_path / "engine.log", isolated=False)
    os.waitpid(pid, 0)
    assert (tmp_path / "engine.log").read_text() == "True\n"
