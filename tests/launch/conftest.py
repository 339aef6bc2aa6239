"""Supervisors with small children, driven in this process."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jarvis.launch.child import ChildPlan
from jarvis.launch.display import Display
from jarvis.launch.instance_lock import InstanceLock
from jarvis.launch.supervisor import Supervisor
from jarvis.lib.log_file import LogFile

MakePlan = Callable[..., ChildPlan]


@pytest.fixture
def plan(tmp_path: Path) -> MakePlan:
    def make(name: str, script: str, **options: Any) -> ChildPlan:
        command = [sys.executable, "-S", "-E", "-c", script]
        return ChildPlan(name=name, command=lambda: command, log=LogFile(tmp_path / f"{name}.log"), **options)

    return make


@pytest.fixture
def shown() -> io.StringIO:
    """What the display wrote."""
    return io.StringIO()


@pytest.fixture
async def supervisor(tmp_path: Path, shown: io.StringIO) -> Supervisor:
    claim = InstanceLock(tmp_path, "http://127.0.0.1:1")
    return Supervisor(claim, Display(shown), [("front",), ("back",), ("base",)])
