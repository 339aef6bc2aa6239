"""Wait for a condition, never for a time."""

import asyncio


async def until(condition, seconds=10):
    """Wait until a plain or async condition holds."""
    async with asyncio.timeout(seconds):
        while True:
            value = condition()
            if await value if asyncio.iscoroutine(value) else value:
                return
            await asyncio.sleep(0.005)


async def end_tasks(seconds=5):
    """Cancel whatever still runs in this loop, before it is closed, and wait for its end.

    More than once: on Python 3.11 a client of Redis that waits with a time limit loses a cancellation that comes at the
    wrong moment, and asyncio waits for ever when it closes a loop.
    """
    left = asyncio.all_tasks() - {asyncio.current_task()}
    async with asyncio.timeout(seconds):
        while left:
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=0.2)
