"""Database work for code that runs on an event loop."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, close_old_connections
from django.db.models import Model, QuerySet

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound=Model)

# SQLSTATE classes of what passes by itself: connection, state of the transaction (a standby that only reads), rollback,
# resources, object in use, intervention of an operator, the system around the server.
PASSING = frozenset(("08", "25", "40", "53", "55", "57", "58"))

_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="database")


def is_outage(error: BaseException) -> bool:
    """Whether a statement failed because the server is away, busy or full, so that it may pass when it is tried again.

    False for a fault of its data, which would fail for ever: a number out of range, a value too long, half a character.
    """
    state = getattr(error.__cause__, "sqlstate", None)
    if state is None:  # psycopg said it, not the server
        return isinstance(error, OperationalError | InterfaceError)
    return state[:2] in PASSING


def log_failure(log: Any, error: BaseException) -> None:
    """Log that a statement failed, and whether that is an outage or a fault of ours."""
    if is_outage(error):
        log.warning("postgres.away", error=str(error).strip())
    else:
        log.error("postgres.refuses", error=str(error).strip(), exc_info=error)


def read_in_pages(rows: QuerySet[M], size: int = 2000) -> Iterator[M]:
    """The rows in their order, read `size` at a time by their keys.

    Unlike `.iterator()` it needs no cursor on the server, which a pooler that lends a connection for each transaction
    (PgBouncer) loses between two reads, and it holds no transaction while whoever reads is slow. A row that is deleted
    meanwhile is left out.
    """
    keys = list(rows.values_list("pk", flat=True))
    for start in range(0, len(keys), size):
        page = keys[start : start + size]
        there = rows.order_by().in_bulk(page)
        yield from (there[key] for key in page if key in there)


async def in_database(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run sync ORM code in a thread of a small fixed pool and give its result.

    Unlike `sync_to_async` it makes no thread per request, and it hands the connection back
    to the process's pool when the work is done, so no connection waits with its thread.
    """

    def call() -> T:
        try:
            return work(*args, **kwargs)
        finally:
            close_old_connections()

    return await asyncio.get_running_loop().run_in_executor(_threads, call)
