"""The command by which several schedulers of periodic tasks share one schedule."""

from inference.redis.client import Script, open_sync_client
from inference.redis.keys import RAN

KEPT_SECONDS = 40 * 24 * 3600  # longer than any task's period

CLAIM_RUN = Script.load("claim_run")


def claim_run(task: str, last: float) -> tuple[bool, float]:
    """Whether a task is to be run by who asks, and the time by Redis's clock, in seconds.

    `last`: the time when who asks last ran it, or was told that another had. Raises one of UNAVAILABLE_ERRORS.
    """
    with open_sync_client() as redis:
        granted, now = redis.eval(CLAIM_RUN.text, 1, RAN, task, repr(last), KEPT_SECONDS)
    return bool(granted), float(now)
