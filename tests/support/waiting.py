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
