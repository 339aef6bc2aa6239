"""The check that functions are named by what they do, and that a class name stands for one class."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "check_names.py"
specification = importlib.util.spec_from_file_location("check_names", SCRIPT)
assert specification is not None
assert specification.loader is not None
check_names = importlib.util.module_from_spec(specification)
specification.loader.exec_module(check_names)


def write(root: Path, room: str, text: str) -> None:
    (root / room).mkdir(exist_ok=True)
    (root / room / "module.py").write_text(text)


@pytest.mark.parametrize("name", ["told", "chosen_model", "_kept", "renewed", "growing", "accepted_by"])
def test_a_function_named_by_a_participle_is_found(tmp_path, name):
    write(tmp_path, "chat", f"x = 1\n\n\ndef {name}() -> int: ...\n")
    participles, functions, twice = check_names.check(tmp_path)
    assert participles == [f"chat/module.py:4: `{name}` is named by a participle"]
    assert (functions, twice) == (1, [])
    assert check_names.main(tmp_path) == 1


@pytest.mark.parametrize("name", ["renew_leases", "put_row", "read_log", "ring", "feed", "is_held", "heading_for"])
def test_verbs_and_nouns_are_allowed(tmp_path, name):
    write(tmp_path, "inference", f"async def {name}() -> int: ...\n")
    assert check_names.check(tmp_path) == ([], 1, [])


def test_flags_are_allowed(tmp_path):
    write(
        tmp_path,
        "accounts",
        "class Key:\n    def expired(self) -> bool: ...\n\n    @property\n    def hidden(self): ...\n\n"
        "    @functools.cached_property\n    def spent(self) -> int: ...\n",
    )
    assert check_names.check(tmp_path) == ([], 3, [])
    assert check_names.main(tmp_path) == 0


def test_one_participle_in_a_hundred_is_let_pass(tmp_path, capsys):
    write(tmp_path, "jarvis", "def told(): ...\n" + "".join(f"def read_{n}(): ...\n" for n in range(99)))
    assert check_names.main(tmp_path) == 0
    assert "1 of 100 functions" in capsys.readouterr().out


def test_a_class_name_that_stands_twice_is_found(tmp_path):
    write(tmp_path, "chat", "class Gate: ...\n\n\nclass Meta: ...\n")
    write(tmp_path, "inference", "class Meta: ...\n\n\nclass Gate: ...\n")
    assert check_names.check(tmp_path)[2] == ["inference/module.py:4: class `Gate` is also at chat/module.py:1"]
    assert check_names.main(tmp_path) == 1


def test_migrations_are_not_looked_at(tmp_path):
    (tmp_path / "chat" / "migrations").mkdir(parents=True)
    (tmp_path / "chat" / "migrations" / "0001_first.py").write_text("def told(): ...\n")
    assert check_names.check(tmp_path) == ([], 0, [])
