from tests.support.gateway import live
from tests.support.workers import alice, fake, held

__all__ = ["alice", "fake", "held", "live"]
