"""A worker and a fake engine in the test's own event loop, with real Postgres and Redis."""

from tests.support.workers import alice, bob, clean_redis, fake, held

__all__ = ["alice", "bob", "clean_redis", "fake", "held"]
