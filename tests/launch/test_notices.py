"""What a start tells beside the state of the processes."""

import asyncio
import io

import pytest
from django.contrib.auth.models import User
from django.db import connection

from jarvis.launch import notices
from jarvis.launch.display import Display
from jarvis.lib.config import Config, config

LINK = "Make the first administrator: http://127.0.0.1:8090/setup/x"


def make_config(**fields: object) -> Config:
    return config.model_copy(update=fields)


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({"secure": True, "allowed_hosts": ("jarvis.example.com", "b.example")}, "https://jarvis.example.com"),
        ({"secure": True, "allowed_hosts": ("localhost", ".example.com", "*", "b.example")}, "https://b.example"),
        ({"secure": True, "allowed_hosts": ("localhost", "127.0.0.1")}, ""),
        ({"secure": False, "allowed_hosts": ("jarvis.example.com",)}, ""),
    ],
)
def test_the_address_behind_the_proxy_is_what_the_configuration_says(fields: dict[str, object], address: str) -> None:
    assert notices.public_address(make_config(**fields)) == address


@pytest.mark.django_db(transaction=True)
def test_anonymous_use_unknown_names_and_clashes_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JARVIS_WEB_PROT", "1")
    for name in ("a", "b"):
        User.objects.create_user(name, "shared@example.com")
    told = " ".join(notices.find_notices(make_config(allow_anonymous=True)))
    assert [word for word in ("JARVIS_ALLOW_ANONYMOUS", "JARVIS_WEB_PROT", "a, b") if word not in told] == []
    User.objects.all().delete()
    monkeypatch.delenv("JARVIS_WEB_PROT")
    assert not [line for line in notices.find_notices(make_config()) if "ANONYMOUS" in line or "accounts" in line]


@pytest.mark.django_db(transaction=True)
def test_a_link_that_was_used_does_not_stay() -> None:
    here = make_config(database_url=own_database())
    shown = io.StringIO()
    display = Display(shown)
    display.add_note("Jarvis is at …")
    display.add_note(LINK)
    assert notices.is_admin_missing(here)
    User.objects.create(username="carol", is_superuser=True)
    assert not notices.is_admin_missing(here)
    asyncio.run(notices.drop_used_link(here, display, LINK))
    assert shown.getvalue().endswith("The first administrator is made.\n")
    shown.isatty = lambda: True  # type: ignore[method-assign]
    live = Display(shown)
    live.add_note(LINK)
    live.remove_note(LINK, "")
    assert shown.getvalue().split(LINK)[-1].strip("\x1b[JA0123456789 \n") == ""


def own_database() -> str:
    """The tests' own, which is not the one of the configuration."""
    given = connection.settings_dict
    return f"postgresql://{given['USER']}@/{given['NAME']}?host={given['HOST']}"


def test_a_low_limit_of_open_files_is_told_with_what_it_means() -> None:
    assert notices.describe_few_files(1024) == ""
    assert "only 256 files open here, so each web process takes 128 connections" in notices.describe_few_files(256)
    assert "takes 831 connections" in notices.describe_few_files(1023)
