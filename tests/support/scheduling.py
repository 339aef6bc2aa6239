"""Who runs what with `-n`: the tests of one file run in one process and in their order, the longest files first."""

from typing import Any

import pytest

TOGETHER = {  # what shares something that is costly to start
    "tests/engine/test_vllm.py": "vllm",
    "tests/processes/test_vllm.py": "vllm",
    "tests/processes/test_crashes.py": "stack",
    "tests/processes/test_secrets.py": "stack",
}
LONGEST_FIRST = ("vllm", "processes", "browser")  # markers; so no process is left with a long file at the end


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return TOGETHER.get(path, path)

    config.option.loadscopereorder = False
    return ByFile(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        by_marker = (number for number, name in enumerate(LONGEST_FIRST) if item.get_closest_marker(name))
        others = len(LONGEST_FIRST) + ("/security/" not in item.nodeid)
        return next(by_marker, others)

    items.sort(key=rank)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Packed bytes hold the time at which they were packed, and all processes must have the same names of tests."""
    return argname if isinstance(val, bytes) and not val.isascii() else None
