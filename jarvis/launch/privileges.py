"""The user that embedded Postgres runs as, and how a child learns that its parent is gone."""

import functools
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from jarvis.launch.errors import LaunchError

# With one of these, a user without rights may pass through folders that only root may enter (/root, our run folder).
_CAPABILITIES = ("dac_read_search", "dac_override")


def unprivileged_user() -> pwd.struct_passwd:
    """The account that Postgres gets when Jarvis is started by root: Postgres itself refuses to run as root."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise LaunchError("Postgres does not run as root and no account `nobody` exists: start Jarvis as an ordinary user")


@functools.cache
def _drop(program: Path) -> tuple[str, ...]:
    """The command prefix under which the unprivileged user can run `program`, tried out one after the other."""
    user = unprivileged_user()
    base = ("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    prefixes = [(*base, f"--inh-caps=-all,+{name}", f"--ambient-caps=-all,+{name}") for name in _CAPABILITIES]
    for prefix in [*prefixes, base]:
        if subprocess.run([*prefix, str(program), "--version"], capture_output=True, check=False).returncode == 0:
            return prefix
    raise LaunchError(
        f"Postgres does not run as root, and its user {user.pw_name} cannot reach {program}: "
        "start Jarvis as an ordinary user, or move its folder out of one that only root may enter"
    )


def unprivileged(program: Path) -> list[str]:
    """What to put before a command of Postgres: nothing for an ordinary user, the change of user for root."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        raise LaunchError(
            "Postgres does not run as root and `setpriv` (util-linux) is missing: start Jarvis as an ordinary user"
        )
    return list(_drop(program))


def private_directory(path: Path, *, for_postgres: bool = False) -> Path:
    """Make `path` a directory of mode 0700, owned by the user that works in it."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    if for_postgres and os.geteuid() == 0:
        user = unprivileged_user()
        os.chown(path, user.pw_uid, user.pw_gid)
    return path
