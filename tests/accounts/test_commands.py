"""Accounts and keys from a terminal."""

import io

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from accounts.authentication import caller_for_key
from accounts.models import ApiKey, hash_secret

GOOD = "correct horse battery"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(db):
    return User.objects.create_user("alice")


def say(*arguments, **options):
    out = io.StringIO()
    call_command(*arguments, stdout=out, **options)
    return out.getvalue().strip()


def type_in(monkeypatch, text):
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_a_user_is_made_with_a_password_from_standard_input(monkeypatch):
    type_in(monkeypatch, "correct horse battery\n")
    assert "bob" in say("createuser", "bob", "--password-stdin")
    bob = User.objects.get(username="bob")
    assert bob.check_password("correct horse battery")
    assert bob.password.startswith("argon2")
    assert not bob.is_staff


def test_an_administrator_can_be_made(monkeypatch):
    type_in(monkeypatch, "correct horse battery\n")
    say("createuser", "carol", "--admin", "--password-stdin")
    assert User.objects.get(username="carol").is_superuser


@pytest.mark.parametrize(
    ("name", "password"), [("bob", "short"), ("bob", "password123"), ("alice", GOOD), ("a b", GOOD), ("bob", "")]
)
def test_what_cannot_be_an_account_is_explained_and_not_made(monkeypatch, alice, name, password):
    type_in(monkeypatch, f"{password}\n")
    with pytest.raises(CommandError):
        say("createuser", name, "--password-stdin")
    assert User.objects.count() == 1


@pytest.mark.parametrize(("begin", "end"), [("", ""), ("", "\n"), ("", "\r\n"), ("", "\r"), ("\ufeff", "\r\n")])
def test_what_ends_a_line_elsewhere_is_no_part_of_a_password(monkeypatch, begin, end):
    type_in(monkeypatch, f"{begin}a b c d e f{end}")
    say("createuser", "bob", "--password-stdin")
    assert User.objects.get().check_password("a b c d e f")
    type_in(monkeypatch, f"{begin} blank at both ends {end}")
    say("changepassword", "BOB", "--password-stdin")
    assert User.objects.get().check_password(" blank at both ends ")


@pytest.mark.parametrize("line", ["createuser bob", "changepassword alice"])
def test_without_a_terminal_one_is_told_how_to_give_the_password(monkeypatch, alice, line):
    type_in(monkeypatch, "")
    with pytest.raises(CommandError, match="--password-stdin"):
        say(*line.split())


def test_a_password_in_another_encoding_is_told(monkeypatch, alice):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("contraseña larga\n".encode("latin-1")), "utf-8"))
    with pytest.raises(CommandError, match="UTF-8"):
        say("changepassword", "alice", "--password-stdin")


def test_an_account_is_found_whatever_the_case_of_its_name(alice):
    say("apikey", "create", "--user", "Alice", "--name", "laptop")
    assert "laptop" in say("apikey", "list", "--user", "ALICE")
    assert "had none" in say("twofactor", "off", "aLICE")
    for line in ("apikey list --user nobody", "changepassword nobody", "twofactor off nobody"):
        with pytest.raises(CommandError, match=r"\.venv/bin/python manage\.py createuser nobody"):
            say(*line.split())
    User.objects.update(is_active=False)
    with pytest.raises(CommandError, match="not active"):
        say("apikey", "create", "--user", "alice", "--name", "laptop")


def test_a_key_is_printed_once_and_only_its_hash_is_kept(alice):
    secret = say("apikey", "create", "--user", "alice", "--name", "laptop")
    assert secret.startswith("jv_")
    assert len(secret) > 40
    key = ApiKey.objects.get()
    assert (key.owner, key.label, key.digest) == (alice, "laptop", hash_secret(secret))
    assert not [value for value in ApiKey.objects.values_list().get() if secret in str(value)]
    assert caller_for_key(hash_secret(secret)).user_id == alice.pk


def test_keys_are_listed_without_their_secrets_and_revoked_by_their_beginning(alice):
    secret = say("apikey", "create", "--user", "alice", "--name", "laptop")
    listed = say("apikey", "list")
    assert "laptop" in listed
    assert "usable" in listed
    assert secret not in listed
    assert "revoked" in say("apikey", "revoke", secret[:9])
    assert caller_for_key(hash_secret(secret)) is None
    assert "revoked" in say("apikey", "list", "--user", "alice")


@pytest.mark.parametrize(
    "line", ["create --user nobody --name x", "create --user alice --name x --days 0", "revoke jv_no"]
)
def test_what_cannot_be_done_is_explained(alice, line):
    with pytest.raises(CommandError, match=r"\w"):
        say("apikey", *line.split())
    assert not ApiKey.objects.exists()


def test_a_second_factor_that_is_lost_is_removed(alice):
    TOTP.activate(alice, generate_totp_secret())
    assert "password alone" in say("twofactor", "off", "alice")
    assert not Authenticator.objects.exists()
    assert "had none" in say("twofactor", "off", "alice")
    with pytest.raises(CommandError, match="no account"):
        say("twofactor", "off", "nobody")
