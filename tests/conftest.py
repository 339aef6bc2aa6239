"""Starts Postgres and Redis for the session, then Django: all of it before any test module is imported.

With `-n` each process that runs tests has servers of its own.
"""

import os
import sys

import pytest

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # bytecode halves the start of each of the many processes
sys.dont_write_bytecode = False
pytest.register_assert_rewrite("tests.support")

from tests.support import services  # noqa: E402

assert "jarvis.lib.config" not in sys.modules, "Django was set up before the servers of this process were there."
services.start()  # its addresses must be in the environment before anything imports `jarvis.lib.config`
os.environ["DJANGO_SETTINGS_MODULE"] = "jarvis.settings"

import django  # noqa: E402

django.setup()
# The processes of `-n` inherit the environment: pytest-django would set Django up before their own servers are there.
del os.environ["DJANGO_SETTINGS_MODULE"]

from django.conf import settings  # noqa: E402

settings.WHITENOISE_AUTOREFRESH = True  # static files are collected by the first test that needs them
settings.PASSWORD_HASHERS = ["tests.support.hashing.QuickArgon2"]

from django.db import OperationalError, connection, transaction  # noqa: E402
from django.test import TransactionTestCase  # noqa: E402

pytest_plugins = ["tests.support.alone", "tests.support.configured", "tests.support.scheduling", "tests.support.vllm"]
KEPT = {"django_migrations", "django_content_type", "auth_permission"}
END_OTHERS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""


def empty_tables(case):
    """Empty the tables that hold something, also where the test has left a transaction that does not end."""
    try:
        delete_rows()
    except OperationalError:  # it waited for such a transaction too long, or its own connection is gone
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute(END_OTHERS)
        delete_rows()


def delete_rows():
    """Django truncates all tables after each test and makes its content types and permissions again.

    That takes 0.3 s, where these few rows go in a hundredth of it. Rows go without a look at keys and triggers, for
    which a superuser is needed.
    """
    names = [name for name in connection.introspection.table_names() if name not in KEPT]
    filled = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\")" for name in names)  # noqa: S608
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        cursor.execute(filled)
        tables = [f'"{name}"' for (name,) in cursor.fetchall()]
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone() == (True,):
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("; ".join(f"DELETE FROM {table}" for table in tables) or "SELECT")  # noqa: S608
        elif tables:
            cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")


TransactionTestCase._fixture_teardown = empty_tables
