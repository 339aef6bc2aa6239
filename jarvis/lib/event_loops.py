"""Values that live once for each event loop, such as a client whose connections belong to it."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One value for each event loop: made when it is first asked for, and gone with its loop."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()

    def get(self) -> T:
        """The value of the running loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._values:
            self._values[loop] = self._make()
        return self._values[loop]

    def renew(self) -> T:
        """A new value in the place of the running loop's."""
        value = self._values[asyncio.get_running_loop()] = self._make()
        return value

    def pop(self) -> T | None:
        """Take the value of the running loop away, and give it where there was one."""
        return self._values.pop(asyncio.get_running_loop(), None)

    def values(self) -> Iterable[T]:
        """Those of all loops."""
        return self._values.values()
