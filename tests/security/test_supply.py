"""What comes from elsewhere is named by its content: actions by commit, packages by hash; and this page names tests."""

import json
import re

from jarvis.config import BASE

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
