"""Storing outcomes: those that come at the same time share a statement, and none is given up."""

import asyncio

import structlog
from django.db import DataError
from django.db import Error as DatabaseError

from inference.entries import Problem
from inference.models import Generation
from inference.openai import errors
from inference.outcome import Key, Outcome, store
from jarvis.database import in_database

log = structlog.get_logger(__name__)

PAUSES = (0.1, 0.3, 1.0, 2.0)  # seconds between attempts while Postgres is away


class Ledger:
    def __init__(self) -> None:
        self.waiting: list[tuple[Outcome, asyncio.Future[bool]]] = []
        self.news = asyncio.Event()

    async def store(self, outcome: Outcome) -> bool:
        """Store an outcome, however long Postgres is away. False: another attempt holds the row now."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.waiting.append((outcome, done))
        self.news.set()
        return await done

    async def run(self) -> None:
        """Write what waits, until cancelled."""
        failures = 0
        while True:
            await self.news.wait()
            self.news.clear()
            batch, self.waiting = self.waiting, []
            try:
                stored: set[Key] = await in_database(store_all, [outcome for outcome, _ in batch])
                failures = 0
            except DatabaseError as error:
                if failures == 0:
                    log.warning("postgres.away", error=str(error).strip(), waiting=len(batch))
                self.waiting = batch + self.waiting
                self.news.set()
                await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
                failures += 1
                continue
            for outcome, done in batch:
                if not done.done():
                    done.set_result(outcome.key in stored)


def store_all(outcomes: list[Outcome]) -> set[Key]:
    """As `store`; an answer that Postgres cannot hold fails alone, instead of holding up all others for ever."""
    try:
        return store(outcomes)
    except DataError as error:
        if len(outcomes) > 1:
            return set().union(*(store_all([outcome]) for outcome in outcomes))
        [outcome] = outcomes
        log.error("answer.unstorable", generation=str(outcome.id), error=str(error).strip())
        failure = errors.internal_error()
        outcome.status, outcome.finish_reason = Generation.Status.FAILED.value, "error"
        outcome.text, outcome.choices = "", None
        outcome.problem = Problem(failure.code, failure.message)
        return store([outcome])
