"""The user that embedded Postgres runs as, and how a child learns that its parent is gone."""

import functools
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from jarvis.launch.errors import LaunchError
from jarvis.lib.users import user_name

# With one of these, a user without rights may pass through folders that only root may enter (/root, our run folder).
CAPABILITIES = ("dac_read_search", "dac_override")
# Without it the kernel forgets them in access(2), by which Postgres looks for its own programs.
KEEP = "--securebits=+no_setuid_fixup"


def find_unprivileged_user() -> pwd.struct_passwd:
    """The account that Postgres gets when Jarvis is started by root: Postgres itself refuses to run as root."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise LaunchError("Postgres does not run as root and no account `nobody` exists: start Jarvis as an ordinary user")


@functools.cache
def _drop(initdb: Path, folder: Path) -> tuple[str, ...]:
    """The command prefix under which the unprivileged user can work, tried out one after the other."""
    user = find_unprivileged_user()
    base = ("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    sets = [(f"--inh-caps=-all,+{name}", f"--ambient-caps=-all,+{name}") for name in CAPABILITIES]
    works = '"$0" --show --username=jarvis --pgdata=/nonexistent && cd "$1"'
    for prefix in [(*base, KEEP, *some) for some in sets] + [(*base, *some) for some in sets] + [base]:
        trial = [*prefix, "sh", "-c", works, str(initdb), str(folder)]
        if subprocess.run(trial, capture_output=True, check=False).returncode == 0:
            return prefix
    raise LaunchError(
        f"Postgres does not run as root, and its user {user.pw_name} cannot reach {initdb} and {folder}: "
        "start Jarvis as an ordinary user, or move it out of a folder that only root may enter"
    )


def prefix_without_privileges(initdb: Path, folder: Path) -> list[str]:
    """What to put before a command of Postgres: nothing for an ordinary user, the change of user for root.

    `initdb` is one of Postgres's programs and `folder` one that it is to use; both are tried.
    """
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        raise LaunchError(
            "Postgres does not run as root and `setpriv` (util-linux) is missing: start Jarvis as an ordinary user"
        )
    return list(_drop(initdb, folder))


def check_owner(data: Path) -> None:
    """Raises LaunchError where an ordinary user is to work with data of somebody else: put back by root, mostly."""
    if os.geteuid() == 0 or not data.exists():
        return
    foreign = next((path for path in list_tree(data) if path.lstat().st_uid != os.geteuid()), None)
    if foreign is not None:
        own, other = user_name(os.geteuid()), user_name(foreign.lstat().st_uid)
        raise LaunchError(
            f"{foreign} belongs to {other}, and you are {own}: run `sudo chown -R {own}: {data}`, "
            "or start Jarvis as the user that it belongs to"
        )


def give_to_postgres(data: Path) -> None:
    """Make a cluster that was put back from a backup Postgres's own again, with the rights that it insists on.

    A copy made by root belongs to root, one from another machine to a number that is somebody else here, and some
    programs widen or narrow the modes. Raises LaunchError where that cannot be done.
    """
    user = find_unprivileged_user() if os.geteuid() == 0 else None
    try:
        for path in list_tree(data):
            found = path.lstat()
            if user and (found.st_uid, found.st_gid) != (user.pw_uid, user.pw_gid):
                os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
            if not stat.S_ISLNK(found.st_mode):
                widen_mode(path, stat.S_IMODE(found.st_mode))
        data.chmod(0o700)
    except OSError as error:
        name = user.pw_name if user else user_name(os.geteuid())
        raise LaunchError(
            f"{error.filename or data} cannot be given to Postgres's user {name} ({error.strerror}): "
            f"see that its disk can be written, and run `sudo chown -R {name}: {data}`"
        ) from error


def widen_mode(path: Path, mode: int) -> None:
    """Let the owner of a file or folder work with it; others get nothing more."""
    needed = 0o700 if path.is_dir() else 0o600
    if mode & needed != needed:
        path.chmod(mode | needed)


def list_tree(data: Path) -> Iterator[Path]:
    """A folder and everything in it, each folder before what lies in it; also the log, where it is on another disk."""
    log = data / "pg_wal"
    for top in (data, *([log.resolve()] if log.is_symlink() else [])):
        yield top
        for folder, folders, files in os.walk(top):
            yield from (Path(folder, name) for name in (*folders, *files))


def make_private_directory(path: Path, *, for_postgres: bool = False) -> Path:
    """Make `path` a directory of mode 0700, owned by the user that works in it."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    if for_postgres and os.geteuid() == 0:
        user = find_unprivileged_user()
        os.chown(path, user.pw_uid, user.pw_gid)
    return path
