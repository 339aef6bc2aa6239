"""The command line where something is missing: one sentence, which says what to do."""

import os
import subprocess
import sys

import psycopg
import pytest
from django.db import OperationalError, ProgrammingError

from jarvis.lib.config import BASE, Config
from jarvis.lib.secrets import secret_key
from jarvis.management import command_line


@pytest.mark.parametrize("word", ["version", "--version"])
def test_the_version_is_that_of_jarvis(capsys, word):
    command_line.main(["manage.py", word])
    assert capsys.readouterr().out.startswith("Jarvis 0.")


def test_a_command_while_nothing_runs_ends_with_one_line(tmp_path):
    environment = {"PATH": os.environ["PATH"], "JARVIS_ENV_FILE": "/dev/null", "JARVIS_VAR": str(tmp_path)}
    command = [sys.executable, "manage.py", "createuser", "ana", "--password-stdin"]
    ended = subprocess.run(command, env=environment, cwd=BASE, input="", capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "make run" in ended.stderr


def test_a_server_of_ones_own_that_is_away_is_named(configure):
    configure(database_url="postgresql://u:hunter2@127.0.0.1:1/x")
    text = command_line.explain_database()
    assert text.startswith("Postgres at DATABASE_URL cannot be used: ")
    assert "hunter2" not in text


def undefined_table():
    error = ProgrammingError("relation does not exist")
    error.__cause__ = psycopg.errors.UndefinedTable("relation does not exist")
    return error


@pytest.mark.parametrize(
    ("error", "word"),
    [(OperationalError("away"), "Postgres"), (undefined_table(), "migrate"), (EOFError(), "terminal")],
)
def test_what_stops_a_command_is_told_in_a_sentence(monkeypatch, error, word):
    def fail(_arguments):
        raise error

    monkeypatch.setattr("django.core.management.execute_from_command_line", fail)
    with pytest.raises(SystemExit, match=word):
        command_line.main(["manage.py", "createuser", "ana"])
    with pytest.raises(type(error)):  # whose logs are to hold it all
        command_line.main(["manage.py", "gpu_worker"])


def test_faults_of_ours_are_shown_whole(monkeypatch):
    monkeypatch.setattr("django.core.management.execute_from_command_line", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        command_line.main(["manage.py", "createuser", "ana"])


def test_another_user_is_told_whose_folder_it_is(monkeypatch, tmp_path):
    stranger = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: stranger)
    with pytest.raises(SystemExit, match=r"belongs to \S+, and you are .*\(sudo -u ") as end:
        _ = Config(var=tmp_path, _env_file=None).run_dir
    assert "remove" not in str(end.value)  # live sockets may lie there


def test_a_secret_key_that_was_put_back_by_somebody_else_is_told(monkeypatch, tmp_path):
    (tmp_path / "secret_key").write_text("a" * 64)
    stranger = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: stranger)

    def refuse(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.read_text", refuse)
    with pytest.raises(SystemExit, match=rf"secret_key belongs to \S+, and you are .* `sudo chown -R \S+ {tmp_path}`"):
        secret_key(Config(var=tmp_path, secret_key="", _env_file=None))


@pytest.mark.parametrize(("terminal", "level", "status"), [(True, "1", 0), (False, "1", 1), (True, None, 1)])
def test_make_says_nothing_below_an_error_that_a_person_has_read(monkeypatch, capfd, terminal, level, status):
    monkeypatch.setattr("django.core.management.execute_from_command_line", lambda _: sys.exit("It is wrong."))
    monkeypatch.setenv("MAKELEVEL", level) if level else monkeypatch.delenv("MAKELEVEL", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with pytest.raises(SystemExit) as end:
        command_line.main(["manage.py", "run"])
    assert end.value.code == ("It is wrong." if status else 0)
    assert ("It is wrong." in capfd.readouterr().err) is (status == 0)
