"""Jarvis's web server and a worker in the test's own event loop, before a fake engine."""

import hypothesis

from tests.support.gateway import live
from tests.support.workers import alice, fake, held

# Machines that run other work beside the tests are slow now and then; that is no fault of what is tested.
hypothesis.settings.register_profile(
    "calm", deadline=None, database=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("calm")

__all__ = ["alice", "fake", "held", "live"]
