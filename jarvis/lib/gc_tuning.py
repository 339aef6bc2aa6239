"""Garbage collection for processes that hold many objects for ever and make few cycles."""

import gc

YOUNG_THRESHOLD_OBJECTS = 20_000  # new objects between two collections of the youngest, instead of 700


def freeze_garbage() -> None:
    """Call it when a process has loaded what it needs.

    What is there now is left out of every later collection. Looking through all of Django, its models and its modules
    takes tens of milliseconds, in which no token moves.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_THRESHOLD_OBJECTS, 20, 50)
