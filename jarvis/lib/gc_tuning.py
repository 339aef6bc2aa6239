"""Garbage collection for processes that hold many objects for ever and make few cycles."""

import gc

YOUNG_THRESHOLD_OBJECTS = 20_000  # new objects between two collections of the youngest, instead of 700
# What lives through two collections is looked at again only when all is. Calls under way do, with the cycles that they
# are; so the pauses between must not be long, or garbage fills hundreds of MB.
COLLECTIONS_BEFORE_OLDER = 10


def freeze_garbage() -> None:
    """Call it when a process has loaded what it needs.

    What is there now is left out of every later collection. Looking through all of Django, its models and its modules
    takes tens of milliseconds, in which no token moves.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_THRESHOLD_OBJECTS, COLLECTIONS_BEFORE_OLDER, COLLECTIONS_BEFORE_OLDER)
