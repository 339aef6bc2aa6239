"""Who kills the engine: after it has died, what it ran goes back one at a time, until each has shown a token.

A generation that loses the engine again while it is alone and before anything new has come is the one that kills it,
and fails. Its neighbours, whom each death has hit as well, have shown that they are not to blame, and go on.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class QuarantinePassage:
    """Held while one generation is with the engine. `clear` lets the next one in."""

    def __init__(self, lock: asyncio.Lock | None) -> None:
        self.lock = lock

    def let_next_in(self) -> None:
        if self.lock is not None:
            self.lock.release()
            self.lock = None


class Quarantine:
    """The way of all generations of a worker to its engine."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    @asynccontextmanager
    async def enter(self, *, alone: bool) -> AsyncGenerator[QuarantinePassage, None]:
        """Go through to the engine when nobody is on probation there; `alone`: nobody may follow before `clear`."""
        await self.lock.acquire()
        passage = QuarantinePassage(self.lock)
        if not alone:
            passage.let_next_in()
        try:
            yield passage
        finally:
            passage.let_next_in()
