"""Starts Postgres and Redis for the session, then Django: all of it before any test module is imported.

With `-n` each process that runs tests has servers of its own. Tests of one file, or of one `xdist_group`, run in one
process and in their order; those marked `alone` while no other runs.
"""

import os
import sys

import pytest

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # bytecode halves the start of each of the many processes
sys.dont_write_bytecode = False
pytest.register_assert_rewrite("tests.support")

from tests.support import services  # noqa: E402

services.start()  # its addresses must be in the environment before anything imports `jarvis.lib.config`
os.environ["DJANGO_SETTINGS_MODULE"] = "jarvis.settings"

import django  # noqa: E402

django.setup()

from django.conf import settings  # noqa: E402

settings.WHITENOISE_AUTOREFRESH = True  # static files are collected by the first test that needs them
settings.PASSWORD_HASHERS = ["tests.support.hashing.QuickArgon2"]

from django.db import connection, transaction  # noqa: E402
from django.test import TransactionTestCase  # noqa: E402

pytest_plugins = ["tests.support.alone"]
LONGEST_FIRST = ("vllm", "processes", "browser")  # so that no process is left with a long file at the end


def pytest_collection_modifyitems(items):
    def rank(item):
        return next((k for k, name in enumerate(LONGEST_FIRST) if item.get_closest_marker(name)), len(LONGEST_FIRST))

    items.sort(key=rank)
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.path.relative_to(item.config.rootpath).as_posix()))


KEPT = {"django_migrations", "django_content_type", "auth_permission"}


def empty_tables(case):
    """Empty the tables that hold something.

    Django truncates all of them after each test and makes its content types and permissions again: 0.3 s, where these
    few rows go in a hundredth of it. Rows go without a look at keys and triggers, for which a superuser is needed.
    """
    names = [name for name in connection.introspection.table_names() if name not in KEPT]
    filled = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\")" for name in names)  # noqa: S608
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(filled)
        tables = [f'"{name}"' for (name,) in cursor.fetchall()]
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone() == (True,):
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("; ".join(f"DELETE FROM {table}" for table in tables) or "SELECT")  # noqa: S608
        elif tables:
            cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")


TransactionTestCase._fixture_teardown = empty_tables
