"""A host with another secret key than the database's is told before it makes second factors useless."""

from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import IntegrityError

from jarvis.launch.errors import LaunchError
from jarvis.launch.key_check import check_secret_key
from jarvis.lib.config import Config
from jarvis.models import SecretKeyMark

pytestmark = pytest.mark.django_db


@pytest.fixture
def here(tmp_path: Path) -> Config:
    return Config(_env_file=None, var=tmp_path, secret_key="")


def test_the_first_key_is_the_databases_and_it_may_start_again(here: Config, settings) -> None:
    check_secret_key(here)
    check_secret_key(here)
    (mark,) = SecretKeyMark.objects.all()
    assert settings.SECRET_KEY not in mark.signed
    with pytest.raises(IntegrityError):
        SecretKeyMark.objects.create(id=2, signed="")


def test_another_key_is_refused_with_what_to_do(here: Config, settings) -> None:
    check_secret_key(here)
    settings.SECRET_KEY = "another " * 8
    with pytest.raises(LaunchError, match=f"than the one in {here.var}/secret_key. Put the other Jarvis's") as error:
        check_secret_key(here)
    assert "ARGS=--accept-key" in str(error.value)
    assert "another another" not in str(error.value)
    given = here.model_copy(update={"secret_key": "another " * 8})
    with pytest.raises(LaunchError, match="than the one in JARVIS_SECRET_KEY"):
        check_secret_key(given)


def test_a_lost_key_can_be_given_up(here: Config, settings) -> None:
    check_secret_key(here)
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another " * 8
    check_secret_key(here, accept=True)
    check_secret_key(here)
    settings.SECRET_KEY = old
    with pytest.raises(LaunchError):
        check_secret_key(here)


def test_a_mark_that_was_tampered_with_is_no_sign_of_the_key(here: Config) -> None:
    SecretKeyMark.objects.create(signed="nonsense")
    with pytest.raises(LaunchError):
        check_secret_key(here)


def test_the_migration_is_what_the_model_says() -> None:
    call_command("makemigrations", "jarvis", check=True, dry_run=True, verbosity=0)
