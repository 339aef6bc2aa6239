"""Links of invitation: shown once, counted, expiring; no more accounts than they may make."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connections, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import Invitation, hash_secret

NEW = {"username": "bob", "password1": "a long enough word", "password2": "a long enough word"}


@pytest.fixture
def signup(configure):
    def switch(kind):
        configure(signup=kind)

    switch("invitation")
    return switch


@pytest.fixture
def invite(db):
    def make(**fields):
        invitation, secret = Invitation.create_with_secret(None, "for bob", **fields)
        return invitation, f"/join/{secret}/"

    return make


def test_the_link_makes_one_account_and_signs_in(signup, invite, client):
    group = Group.objects.create(name="writers")
    invitation, link = invite(group=group)
    assert client.get(link).status_code == 200
    assert client.post(link, NEW)["location"] == "/"
    bob = User.objects.get()
    assert (bob.username, list(bob.groups.all()), bob.password[:6]) == ("bob", [group], "argon2")
    assert client.get("/").status_code == 200
    invitation.refresh_from_db()
    assert invitation.uses == 1
    again = Client().post(link, NEW | {"username": "mallory"})
    assert (again.status_code, User.objects.count()) == (410, 1)


def test_nothing_but_what_the_form_shows_is_taken(signup, invite, client):
    more = dict.fromkeys(("is_staff", "is_superuser"), "on") | {"groups": "1", "user_permissions": "1"}
    more |= {"id": "777777", "limit": "99"}
    client.post(invite()[1], NEW | more)
    bob = User.objects.get()
    assert (bob.is_staff, bob.is_superuser, bob.pk == 777_777) == (False, False, False)
    assert not bob.groups.exists()
    assert not bob.user_permissions.exists()
    assert Invitation.objects.get().limit == 1


@pytest.mark.parametrize(
    "over",
    [
        {"expires_at": timezone.now() - timedelta(seconds=1)},
        {"withdrawn_at": timezone.now()},
        {"uses": 1},
    ],
)
def test_a_link_that_is_over_makes_nothing_and_says_what_to_do(signup, invite, client, over):
    link = invite(**over)[1]
    for response in (client.get(link), client.post(link, NEW)):
        assert response.status_code == 410
        assert "Ask for a new one" in response.content.decode()
    assert not User.objects.exists()


@pytest.mark.parametrize("token", ["x", "é", "a" * 5000, "%00", "' OR 1=1"])
def test_a_wrong_link_makes_nothing(signup, db, client, token):
    assert client.post(f"/join/{token}/", NEW).status_code == 410
    assert not User.objects.exists()


def test_closed_means_that_links_are_closed_too_and_open_needs_none(signup, invite, client):
    link = invite()[1]
    signup("closed")
    for path in (link, "/sign-up/"):
        assert client.post(path, NEW).status_code in (403, 410)
    signup("invitation")
    assert client.post("/sign-up/", NEW).status_code == 403
    assert "invitation link" in client.get("/sign-up/").content.decode()
    signup("open")
    assert client.post("/sign-up/", NEW)["location"] == "/"
    assert [user.username for user in User.objects.all()] == ["bob"]


def test_a_name_that_is_taken_uses_nothing_up(signup, invite, client, alice):
    invitation, link = invite()
    response = client.post(link, NEW | {"username": "alice"})
    assert "already exists" in response.content.decode()
    invitation.refresh_from_db()
    assert invitation.uses == 0


def test_the_secret_is_kept_as_a_hash_only(invite):
    invitation, link = invite()
    secret = link.split("/")[2]
    assert len(secret) == 43
    assert invitation.digest == hash_secret(secret)
    assert not [value for value in Invitation.objects.values_list().get() if secret in str(value)]


@pytest.mark.django_db(transaction=True)
def test_of_twenty_that_come_at_once_no_more_than_the_limit_get_in(transactional_db):
    invitation, _ = Invitation.create_with_secret(None, "five", limit=5)

    def take(number):
        try:
            with transaction.atomic():
                if not Invitation.objects.get(pk=invitation.pk).count_use():
                    return False
                User.objects.create(username=f"user{number}")
                return True
        finally:
            connections["default"].close()

    with ThreadPoolExecutor(10) as threads:
        assert sum(threads.map(take, range(20))) == 5
    assert User.objects.count() == 5
    invitation.refresh_from_db()
    assert invitation.uses == 5


@pytest.mark.django_db(transaction=True)
def test_two_who_take_the_same_name_at_once_get_one_account_and_one_error(signup, transactional_db):
    _, secret = Invitation.create_with_secret(None, "two", limit=2)

    def join(_):
        try:
            return Client(raise_request_exception=True).post(f"/join/{secret}/", NEW).status_code
        finally:
            connections["default"].close()

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(join, range(2))) == [200, 302]
    assert User.objects.count() == 1
    assert Invitation.objects.get().uses == 1


def test_in_the_admin_the_link_is_shown_once(signup, client, carol):
    client.force_login(carol)
    data = {"note": "for bob", "limit": "2", "expires_at_0": "2100-01-01", "expires_at_1": "00:00:00", "group": ""}
    response = client.post("/admin/accounts/invitation/add/", data | {"uses": "0", "digest": "0" * 64})
    assert (response.status_code, "no-store" in response["cache-control"]) == (200, True)
    link = response.context_data["link"]
    invitation = Invitation.objects.get()
    assert (invitation.limit, invitation.made_by, invitation.uses) == (2, carol, 0)
    assert link.startswith("http://testserver/join/")
    secret = link.split("/")[-2]
    assert invitation.digest == hash_secret(secret)
    for address in ("/admin/accounts/invitation/", f"/admin/accounts/invitation/{invitation.pk}/change/", "/admin/"):
        assert secret not in client.get(address).content.decode()
    client.post("/admin/accounts/invitation/", {"action": "withdraw", "_selected_action": [invitation.pk]})
    assert Client().post(link, NEW).status_code == 410


def test_staff_can_invite_only_into_their_own_groups(signup, client, alice):
    staff, admins = Group.objects.create(name="staff"), Group.objects.create(name="admins")
    alice.is_staff = True
    alice.save()
    alice.groups.add(staff)
    alice.user_permissions.add(Permission.objects.get(codename="add_invitation"))
    client.force_login(alice)
    data = {"note": "x", "limit": "1", "expires_at_0": "2100-01-01", "expires_at_1": "00:00:00"}
    client.post("/admin/accounts/invitation/add/", data | {"group": admins.pk})
    assert not Invitation.objects.exists()
    client.post("/admin/accounts/invitation/add/", data | {"group": staff.pk})
    assert Invitation.objects.get().group == staff
