import asyncio
import gc

import pytest

from jarvis.lib.event_loops import PerLoop


class Thing:
    """What can be told apart from another one."""


async def ask(values):
    return values.get()


def test_a_loop_has_one_value_and_another_loop_has_another():
    values = PerLoop(Thing)

    async def ask_twice():
        return values.get(), values.get()

    first, again = asyncio.run(ask_twice())
    assert first is again
    assert asyncio.run(ask(values)) is not first


def test_a_value_goes_with_its_loop():
    values = PerLoop(Thing)
    asyncio.run(ask(values))
    gc.collect()
    assert list(values.values()) == []


async def test_a_value_can_be_renewed_and_taken_away():
    values = PerLoop(Thing)
    first = values.get()
    second = values.renew()
    assert first is not second
    assert values.get() is second
    assert values.pop() is second
    assert values.pop() is None


def test_without_a_loop_there_is_no_value():
    with pytest.raises(RuntimeError):
        PerLoop(Thing).get()
