"""Names and addresses are the same whatever their case, at every way in; what was there before is reported."""

import importlib
import io

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client

from accounts import name_clashes
from accounts.models import Invitation
from tests.support.accounts import PASSWORD, mail, sign_in

__all__ = ["mail"]

pytestmark = pytest.mark.django_db
FORMS = {"username": "x", "password1": PASSWORD, "password2": PASSWORD}

SAME = [("Ana", "ana"), ("Ana", "ANA"), ("José", "JOSÉ"), ("José", "Jose\u0301"), ("Ana", "Ａｎａ"), ("Ωmega", "ωMEGA")]


@pytest.mark.parametrize(("stored", "typed"), SAME)
def test_one_signs_in_by_a_name_in_any_case_and_form(client, stored, typed):
    User.objects.create_user(stored, password=PASSWORD)
    assert sign_in(client, f" {typed} ")["location"] == "/"


def create_user(name):
    call_command("createuser", name, "--password-stdin", stdout=io.StringIO())


def create_superuser(name):
    call_command("createsuperuser", "--noinput", username=name, email="x@example.com", stdout=io.StringIO())


@pytest.mark.parametrize(("stored", "name"), SAME)
def test_no_second_account_differs_in_case_alone(client, carol, configure, monkeypatch, stored, name):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    configure(signup="open")
    User.objects.create_user(stored)
    link = Invitation.create_with_secret(carol.pk, "x", limit=5)[1]
    for path in ("/sign-up/", f"/join/{link}/"):
        assert "username" in client.post(path, FORMS | {"username": name}).context["form"].errors
    for command in (create_user, create_superuser):
        with pytest.raises(CommandError, match="already"):
            command(name)
    with pytest.raises(IntegrityError), transaction.atomic():  # whatever else makes one
        User.objects.create_user(name)
    client.force_login(carol)
    answer = client.post("/admin/auth/user/add/", FORMS | {"username": name, "usable_password": "true"})
    assert "username" in answer.context["adminform"].form.errors
    other = User.objects.create_user("other")
    answer = client.post(f"/admin/auth/user/{other.pk}/change/", admin_fields(other) | {"username": name})
    assert "username" in answer.context["adminform"].form.errors
    assert User.objects.filter(is_superuser=False).count() == 2


def admin_fields(user):
    joined = {"date_joined_0": "2026-01-01", "date_joined_1": "12:00:00"}
    return {"username": user.username, "email": user.email, "is_active": "on"} | joined


def test_an_account_may_change_the_case_of_its_own_name(client, carol, alice):
    client.force_login(carol)
    assert client.post(f"/admin/auth/user/{alice.pk}/change/", admin_fields(alice) | {"username": "ALICE"})["location"]
    alice.refresh_from_db()
    assert alice.username == "ALICE"


@pytest.mark.parametrize("email", ["Ana@Example.com", " ana@example.com", "ANA@EXAMPLE.COM "])
def test_an_address_is_kept_as_sign_in_looks_for_it_whoever_stores_it(client, email):
    ana = User.objects.create_user("ana", password=PASSWORD)
    ana.email = email
    ana.save()
    for typed in ("ana@example.com", "Ana@EXAMPLE.com", " ana@example.com "):
        assert sign_in(Client(), typed)["location"] == "/"
    assert User.objects.get(email="ana@example.com") == ana


def test_an_administrator_gives_an_address_once_and_the_former_one_opens_nothing(client, carol, alice, bob):
    EmailAddress.objects.create(user=alice, email="alice@example.com", verified=True, primary=True)
    client.force_login(carol)
    taken = client.post(f"/admin/auth/user/{bob.pk}/change/", admin_fields(bob) | {"email": "ALICE@Example.com"})
    assert "email" in taken.context["adminform"].form.errors
    client.post(f"/admin/auth/user/{alice.pk}/change/", admin_fields(alice) | {"email": "New@Example.com"})
    assert sign_in(Client(), "new@example.com")["location"] == "/"
    assert sign_in(Client(), "alice@example.com").status_code == 200


def test_a_reset_finds_an_address_that_was_stored_with_capitals(client, alice, mail, mailoutbox):
    alice.email = "Alice@Example.COM"
    alice.save()
    client.post("/reset/", {"email": "ALICE@example.com"})
    assert [letter.to for letter in mailoutbox] == [["alice@example.com"]]


@pytest.fixture
def clash(db):
    """Two accounts from before names had to differ in more than case."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {name_clashes.INDEX}")
    return [User.objects.create_user(name, password=f"{PASSWORD} of {name}") for name in ("ana", "ANA")]


def has_index():
    with connection.cursor() as cursor:
        cursor.execute(name_clashes.FIND_INDEX, [name_clashes.INDEX])
        return cursor.fetchone() is not None


def report():
    out = io.StringIO()
    name_clashes.keep_names_unique("default", 1, out)
    return out.getvalue()


def test_accounts_from_before_are_reported_and_each_signs_in_with_its_own_name(clash):
    assert "ana, ANA" in report()
    assert User.objects.count() == 2
    assert not has_index()
    for name in ("ana", "ANA"):
        assert sign_in(Client(), name, f"{PASSWORD} of {name}")["location"] == "/"
    assert sign_in(Client(), "ana", f"{PASSWORD} of ANA").status_code == 200
    assert sign_in(Client(), "Ana", f"{PASSWORD} of ana").status_code == 200
    User.objects.filter(username="ANA").update(is_active=False)
    assert sign_in(Client(), "ANA", f"{PASSWORD} of ANA").status_code == 200


def test_they_can_be_changed_in_all_else_and_no_third_one_is_made(client, carol, clash, monkeypatch):
    client.force_login(carol)
    first, second = clash
    change = admin_fields(first) | {"first_name": "Ana"}
    assert client.post(f"/admin/auth/user/{first.pk}/change/", change)["location"]
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    with pytest.raises(CommandError, match="already"):
        create_user("aNA")
    with pytest.raises(CommandError, match="ana, ANA"):
        call_command("twofactor", "off", "Ana")
    call_command("twofactor", "off", "ANA")
    client.post(f"/admin/auth/user/{second.pk}/change/", admin_fields(second) | {"username": "ana2"})
    assert report() == ""
    assert has_index()


def test_the_migration_keeps_every_account_and_tells_shared_addresses(alice, bob):
    User.objects.filter(pk=alice.pk).update(email=" Alice@Example.com")
    User.objects.filter(pk=bob.pk).update(email="ALICE@example.com")
    migration = importlib.import_module("accounts.migrations.0007_addresses_in_lower_case")
    with connection.schema_editor() as editor:
        migration.lower_addresses(apps, editor)
    assert set(User.objects.values_list("username", "email")) == {(n, "alice@example.com") for n in ("alice", "bob")}
    assert "alice, bob have the same e-mail" in report()
    assert sign_in(Client(), "Alice@example.com")["location"] == "/"


@pytest.mark.parametrize("name", ["ANA", "Ａｎａ"])
def test_guesses_are_counted_for_the_account_however_its_name_is_written(client, name):
    User.objects.create_user("ana", password=PASSWORD)
    for _ in range(10):
        assert sign_in(client, "ana", "wrong").status_code == 200
    assert sign_in(client, name).status_code == 429
