"""The one way to change the configuration in a test: `configure(signup="open")`, and it is as before at the end."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jarvis.lib.config import Config, config


@pytest.fixture
def configure() -> Iterator[Callable[..., None]]:
    """Sets fields of the one object that all modules read, to any value, also one that no file may have."""
    before = vars(config).copy()

    def configure(**fields: Any) -> None:
        assert fields.keys() <= Config.model_fields.keys()
        vars(config).update(fields)

    yield configure
    vars(config).clear()
    vars(config).update(before)
