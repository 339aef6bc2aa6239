"""`manage.py`: Django's command line, with one sentence where a command cannot be carried out."""

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

BASE = Path(__file__).resolve().parents[2]
DAEMONS = ("run", "gpu_worker", "runserver")  # they say themselves what ends them, in their logs
MANAGE = ".venv/bin/python manage.py"
VERSION_WORDS = (["version"], ["--version"])


def main(arguments: Sequence[str]) -> None:
    """Carry out a command line."""
    try:
        run_command(arguments)
    except SystemExit as end:
        if isinstance(end.code, str) and "MAKELEVEL" in os.environ and sys.stderr.isatty():
            # A person who typed `make run` has read why; below it make would add `*** Error 1`.
            print(end.code, file=sys.stderr)
            sys.exit(0)
        raise
    except KeyboardInterrupt:
        sys.exit(130)


def run_command(arguments: Sequence[str]) -> None:
    """Raises SystemExit with a sentence where it cannot be carried out."""
    if list(arguments[1:]) in VERSION_WORDS:
        print(describe_version())
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jarvis.settings")
    try:
        from django.core.management import execute_from_command_line
        from django.db import InterfaceError, OperationalError, ProgrammingError
    except ModuleNotFoundError:
        sys.exit(f"{sys.executable} has no Django. Run `make install` once, then: {MANAGE} {' '.join(arguments[1:])}")
    if arguments[1:2] and arguments[1] in DAEMONS:
        execute_from_command_line(list(arguments))
        return
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # each try of its own would be a line
    try:
        execute_from_command_line(list(arguments))
    except (OperationalError, InterfaceError):
        sys.exit(explain_database())
    except ProgrammingError as error:
        if getattr(error.__cause__, "sqlstate", "") not in ("42P01", "42703"):  # no such table, no such column
            raise
        sys.exit(f"The tables of the database are not up to date. Run: {MANAGE} migrate")
    except EOFError:
        sys.exit("There is no terminal to ask on. Give the answers on the command line: see --help.")


def explain_database() -> str:
    """Why Postgres cannot be used, and what to do."""
    import psycopg

    from jarvis.lib.config import config
    from jarvis.lib.server_errors import explain_postgres

    try:
        psycopg.connect(config.postgres, connect_timeout=3).close()
    except psycopg.Error as error:
        if config.database_url:
            return f"Postgres at DATABASE_URL cannot be used: {explain_postgres(error, config.database_url)}."
        return (
            "Jarvis does not run here, nor does its Postgres. Start it with `make run`, or only its servers with "
            f"`{MANAGE} run --services-only`, and try again in another terminal."
        )
    return "Postgres was away for a moment. Try again."


def describe_version() -> str:
    import tomllib

    own = tomllib.loads((BASE / "pyproject.toml").read_text())["project"]["version"]
    return f"Jarvis {own}"
