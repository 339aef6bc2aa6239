"""The pool of connections to Postgres."""

import time

import psycopg
import pytest
from django.db import connection
from psycopg_pool import ConnectionPool, PoolTimeout

from jarvis.lib.postgres.base import check_or_drain
from tests.support.away import postgres_away

__all__ = ["postgres_away"]


@pytest.fixture
def pool(transactional_db):
    """One like that of each process."""
    parameters = connection.get_connection_params()
    known = {name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if name in parameters}
    options = connection.settings_dict["OPTIONS"]["pool"]
    made = ConnectionPool(kwargs=known, open=False, check=lambda one: check_or_drain(made, one), **options)
    with made:
        made.wait()
        yield made


def test_the_pool_of_each_process_looks_at_its_connections_in_this_way(transactional_db):
    connection.ensure_connection()
    assert connection.pool._check.__module__ == "jarvis.lib.postgres.base"


def test_a_connection_is_there_at_once_when_postgres_is_back(pool, postgres_away):
    """It was away for so long that attempts which wait twice as long each time would come seconds later."""
    with postgres_away():
        back = time.monotonic() + 3.5
        while time.monotonic() < back:
            with pytest.raises((PoolTimeout, psycopg.OperationalError)):
                pool.getconn(timeout=0.2)
    began = time.monotonic()
    pool.putconn(pool.getconn(timeout=3))
    assert time.monotonic() - began < 2.5


def test_who_comes_first_when_postgres_is_back_does_not_wait_for_each_that_died(pool, postgres_away):
    with postgres_away():
        pass  # three idle connections are dead now
    began = time.monotonic()
    pool.putconn(pool.getconn(timeout=3))
    assert time.monotonic() - began < 0.9
