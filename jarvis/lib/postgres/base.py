"""Django looks for a backend's `DatabaseWrapper` here."""

from typing import Any

from django.db.backends.postgresql import base
from psycopg import Connection
from psycopg_pool import ConnectionPool


class DatabaseWrapper(base.DatabaseWrapper):
    """As Django's own. Its pool looks at one idle connection after another, and waits longer after each that is dead:
    with three of them, whoever comes first after an outage would wait for seconds, and be refused."""

    @property
    def pool(self) -> "ConnectionPool[Any] | None":
        pool: ConnectionPool[Any] | None = super().pool
        if pool is not None and pool._check is ConnectionPool.check_connection:  # once for each pool
            # Django hands it psycopg's own, and there is no other way. (`private_names` needs apps, which need this.)
            pool._check = lambda connection: check_or_drain(pool, connection)
        return pool


def check_or_drain(pool: "ConnectionPool[Any]", connection: "Connection[Any]") -> None:
    """Raise what a dead connection raises, and replace all that are idle: they have most likely died with it."""
    try:
        ConnectionPool.check_connection(connection)
    except Exception:
        pool.drain()
        raise
