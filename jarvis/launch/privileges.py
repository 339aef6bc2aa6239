"""The user that embedded Postgres runs as, and how a child learns that its parent is gone."""

import functools
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from jarvis.launch.errors import LaunchError

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


def make_private_directory(path: Path, *, for_postgres: bool = False) -> Path:
    """Make `path` a directory of mode 0700, owned by the user that works in it."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    if for_postgres and os.geteuid() == 0:
        user = find_unprivileged_user()
        os.chown(path, user.pw_uid, user.pw_gid)
    return path
