"""The pool of connections to Postgres."""

import time

import psycopg
import pytest
from django.db import connection
from psycopg_pool import ConnectionPool, PoolTimeout

from tests.support.away import postgres_away

__all__ = ["postgres_away"]


def test_a_connection_is_there_at_once_when_postgres_is_back(postgres_away):
    """It was away for so long that attempts which wait twice as long each time would come seconds later."""
    parameters = connection.get_connection_params()
    options = connection.settings_dict["OPTIONS"]["pool"] | {"min_size": 1}
    known = {name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if name in parameters}
    with ConnectionPool(kwargs=known, open=True, check=ConnectionPool.check_connection, **options) as pool:
        pool.wait()
        with postgres_away():
            back = time.monotonic() + 3.5
            while time.monotonic() < back:
                with pytest.raises((PoolTimeout, psycopg.OperationalError)):
                    pool.getconn(timeout=0.2)
        began = time.monotonic()
        pool.putconn(pool.getconn(timeout=3))
        assert time.monotonic() - began < 2.5
