import pytest

from tests.support.bench import Bench


@pytest.fixture
async def bench(tmp_path):
    """A run directory, a model folder and a stand-in engine; whatever still runs in it at the end is ended."""
    bench = Bench(tmp_path)
    yield bench
    await bench.close()
