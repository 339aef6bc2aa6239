"""One Jarvis for all crash tests: the supervisor brings back what each of them kills."""

import tempfile
from pathlib import Path

import pytest

from tests.support.launched import until
from tests.support.stack import running


@pytest.fixture(scope="session")
def whole():
    with tempfile.TemporaryDirectory(prefix="jarvis-crash-") as name, running(Path(name)) as stack:
        yield stack


@pytest.fixture
def stack(whole, django_db_blocker):
    until(whole.ready, 60)
    whole.clear()
    with django_db_blocker.unblock():  # its database is its own
        yield whole
