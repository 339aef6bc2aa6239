"""Storing outcomes: those that come at the same time share a statement, and none is given up or holds up another."""

import asyncio

import structlog

from inference.log.events import Problem, Usage
from inference.models import Generation
from inference.queue.outcome import Outcome, store_outcomes
from jarvis.lib import api_errors
from jarvis.lib.database import in_database, is_outage

log = structlog.get_logger(__name__)

RETRY_SECONDS = (0.1, 0.3, 1.0, 2.0)  # seconds between attempts while Postgres is away

Waiting = list[tuple[Outcome, asyncio.Future[bool]]]


class ResultWriter:
    def __init__(self) -> None:
        self.waiting: Waiting = []
        self.news = asyncio.Event()

    async def store_outcome(self, outcome: Outcome) -> bool:
        """Store an outcome, however long Postgres is away. False: another attempt holds the row now.

        An answer that Postgres cannot hold becomes a failed one: `outcome` then says so.
        """
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
                await self.write(batch)
                failures = 0
            except Exception as error:
                if not is_outage(error):
                    raise
                left = [(outcome, done) for outcome, done in batch if not done.done()]
                if failures == 0:
                    log.warning("postgres.away", error=str(error).strip(), waiting=len(left))
                self.waiting = left + self.waiting
                self.news.set()
                await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1

    async def write(self, batch: Waiting) -> None:
        """Store a batch, or each of it alone where one of them cannot be stored. Raises what `is_outage` knows."""
        try:
            await self.write_together(batch)
        except Exception as error:
            if is_outage(error):
                raise
            if len(batch) > 1:
                for one in batch:
                    await self.write([one])
                return
            [(outcome, done)] = batch
            log.error("answer.unstorable", generation=str(outcome.id), error=str(error).strip())
            try:
                await self.write_together([(spoil(outcome), done)])
            except Exception as again:
                if is_outage(again):
                    raise
                log.critical("answer.lost", generation=str(outcome.id), error=str(again).strip())
                if not done.done():
                    done.set_result(False)  # its lease runs out, and then it is seen who else can answer it

    async def write_together(self, batch: Waiting) -> None:
        stored = await in_database(store_outcomes, [outcome for outcome, _ in batch])
        for outcome, done in batch:
            if not done.done():
                done.set_result(outcome.key in stored)


def spoil(outcome: Outcome) -> Outcome:
    """Make an answer that cannot be stored a failed one, of which everything can."""
    failure = api_errors.internal_error()
    outcome.status, outcome.finish_reason = Generation.Status.FAILED.value, "error"
    outcome.text, outcome.choices, outcome.usage = "", None, Usage()
    outcome.first_token_at = outcome.finished_at = None
    outcome.problem = Problem(failure.code, failure.message)
    return outcome
