from tests.openai.conftest import alice, fake, held, live

__all__ = ["alice", "fake", "held", "live"]
