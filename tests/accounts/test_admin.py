"""The admin: keys are made, shown once and revoked; the ledger and conversations are not read there."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.utils import timezone

from accounts.models import ApiKey, GroupLimits, UserLimits, hash_secret
from chat.models import Conversation, Message
from inference.models import Generation, LanguageModel
from tests.support.admin import alice, carol

__all__ = ["alice", "carol"]

pytestmark = pytest.mark.django_db


def make(client, owner, **fields):
    data = {"owner": owner.pk, "label": "backup script", "scopes": ["chat"], "expires_at_0": "", "expires_at_1": ""}
    data |= fields
    return client.post("/admin/accounts/apikey/add/", data)


def test_a_new_keys_secret_is_shown_once_and_only_its_hash_is_kept(client, carol, alice):
    response = make(client, alice)
    assert response.status_code == 200
    assert "no-store" in response["cache-control"]
    secret = response.context_data["secret"]
    assert secret in response.content.decode()
    key = ApiKey.objects.get()
    assert (key.owner, key.label, key.digest) == (alice, "backup script", hash_secret(secret))
    for address in ("/admin/accounts/apikey/", f"/admin/accounts/apikey/{key.pk}/change/", "/admin/"):
        page = client.get(address).content.decode()
        assert secret not in page
        assert key.digest not in page
    assert secret not in str(dict(client.session))


def test_a_key_can_expire(client, carol, alice):
    make(client, alice, expires_at_0="2020-01-01", expires_at_1="00:00:00")
    assert not ApiKey.objects.usable().exists()
    assert "expired" in client.get("/admin/accounts/apikey/").content.decode()


def test_keys_are_revoked_by_an_action_and_never_deleted(client, carol, alice):
    make(client, alice)
    key = ApiKey.objects.get()
    client.post("/admin/accounts/apikey/", {"action": "revoke", "_selected_action": [key.pk]})
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert "revoked" in client.get("/admin/accounts/apikey/").content.decode()
    assert client.post(f"/admin/accounts/apikey/{key.pk}/delete/", {"post": "yes"}).status_code == 403
    assert ApiKey.objects.count() == 1


def test_a_keys_owner_and_digest_cannot_be_changed(client, carol, alice):
    make(client, alice)
    key = ApiKey.objects.get()
    data = {"label": "renamed", "scopes": ["models"], "requests_per_minute": "5", "allowed_models": "a, b"}
    data |= {"owner": carol.pk, "digest": "0" * 64, "expires_at_0": "", "expires_at_1": ""}
    client.post(f"/admin/accounts/apikey/{key.pk}/change/", data)
    changed = ApiKey.objects.get()
    assert (changed.label, changed.owner, changed.digest) == ("renamed", alice, key.digest)
    assert (changed.scopes, changed.requests_per_minute, changed.allowed_models) == (["models"], 5, ["a", "b"])


def test_a_key_says_who_made_it_and_admin_read_is_for_staff(client, carol, alice):
    page = make(client, alice, scopes=["chat", "admin-read"]).content.decode()
    assert "admin-read is for keys of staff" in page
    assert not ApiKey.objects.exists()
    make(client, carol, scopes=["admin-read"], tokens_per_month="1000")
    key = ApiKey.objects.get()
    assert (key.created_by, key.scopes, key.tokens_per_month) == (carol, ["admin-read"], 1000)


def test_a_key_is_rotated_with_an_overlap_and_the_new_secret_is_shown_once(client, carol, alice):
    make(client, alice)
    before = ApiKey.objects.get()
    address = f"/admin/accounts/apikey/{before.pk}/rotate/"
    assert address in client.get(f"/admin/accounts/apikey/{before.pk}/change/").content.decode()
    assert "works on" in client.get(address).content.decode()
    assert client.post(address, {"hours": "-1"}).context_data["form"].errors
    response = client.post(address, {"hours": "2"})
    assert "no-store" in response["cache-control"]
    after = ApiKey.objects.get()
    assert (after.digest, after.previous_digest) == (hash_secret(response.context_data["secret"]), before.digest)
    assert 1.9 < (after.previous_until - timezone.now()).total_seconds() / 3600 <= 2
    client.post(address, {"hours": "0"})
    assert ApiKey.objects.get().previous_digest is None
    after.revoke()
    assert client.post(address, {"hours": "2"}).status_code == 403
    client.force_login(alice)
    assert client.post(address, {"hours": "2"}).status_code == 302


def test_limits_of_accounts_and_groups_are_set(client, carol, alice):
    group = Group.objects.create(name="team")
    client.post("/admin/accounts/userlimits/add/", {"user": alice.pk, "requests_per_minute": "60"})
    client.post("/admin/accounts/grouplimits/add/", {"group": group.pk, "priority": "2", "shared": "on"})
    assert UserLimits.objects.get().requests_per_minute == 60
    assert (GroupLimits.objects.get().priority, GroupLimits.objects.get().shared) == (2, True)
    client.post(f"/admin/accounts/grouplimits/{group.pk}/change/", {"group": group.pk, "priority": "9"})
    assert GroupLimits.objects.get().priority == 2


def test_one_model_becomes_the_default(client, carol):
    LanguageModel.objects.register_served("one")
    other = LanguageModel.objects.create(name="other", source="x")
    client.post("/admin/inference/languagemodel/", {"action": "make_default", "_selected_action": [other.pk]})
    assert LanguageModel.objects.get(default=True) == other


def test_the_ledger_is_read_only_and_shows_no_text(client, carol, alice):
    fields = {"owner": alice, "model": "fake", "door": "chat", "request_id": "r", "request": {"messages": "a secret"}}
    row = Generation.objects.create(**fields, text="a secret")
    page = client.get(f"/admin/inference/generation/{row.pk}/change/")
    assert page.status_code == 200
    assert "secret" not in page.content.decode()
    assert client.get("/admin/inference/generation/add/").status_code == 403
    client.post(f"/admin/inference/generation/{row.pk}/change/", {"status": "done"})
    assert Generation.objects.get().status == "queued"


def test_lists_do_not_grow_in_queries(client, carol, alice, django_assert_max_num_queries):
    for number in range(30):
        ApiKey.create_with_secret(alice.pk, str(number))
        Generation.objects.create(owner=alice, model="fake", door="chat", request_id="r")
        Message.objects.create(conversation=Conversation.objects.create(owner=alice), role="user", text="a secret")
    for address in ("accounts/apikey", "inference/generation", "chat/conversation", "inference/languagemodel"):
        with django_assert_max_num_queries(10):
            page = client.get(f"/admin/{address}/")
        assert page.status_code == 200
        assert "secret" not in page.content.decode()


def test_the_admin_is_for_staff(client, alice):
    client.force_login(alice)
    assert client.get("/admin/").status_code == 302


def test_staff_hold_keys_only_in_the_names_of_those_whom_they_may_act_for(client, carol):
    """A key is its owner: making or rotating one of a superuser would make oneself one."""
    clerk, peer = (User.objects.create_user(name, is_staff=True) for name in ("clerk", "peer"))
    bob = User.objects.create_user("bob")
    allow = Permission.objects.filter(codename__in=["add_apikey", "change_apikey", "view_apikey"])
    clerk.user_permissions.set(allow)
    keys = {person: ApiKey.create_with_secret(person.pk, "old")[0] for person in (carol, peer, bob, clerk)}

    def held(by):
        client.force_login(User.objects.get(pk=by.pk))
        made, rotated = set(), set()
        for person, key in keys.items():
            data = {"owner": person.pk, "label": "new", "scopes": ["chat"], "allowed_models": ""}
            before = ApiKey.objects.count()
            client.post("/admin/accounts/apikey/add/", data)
            made |= {person.username} if ApiKey.objects.count() > before else set()
            response = client.post(f"/admin/accounts/apikey/{key.pk}/rotate/", {"hours": 0})
            rotated |= {person.username} if response.status_code == 200 else set()
            changed = client.post(f"/admin/accounts/apikey/{key.pk}/change/", data)
            assert (changed.status_code == 403) == (person.username not in rotated)
        assert made == rotated
        return made

    assert held(clerk) == {"clerk", "bob"}
    clerk.user_permissions.add(Permission.objects.get(codename="change_user"))
    assert held(clerk) == {"clerk", "bob", "peer"}
    assert held(carol) == {"clerk", "bob", "peer", "carol"}


def test_staff_may_still_look_at_and_revoke_any_key(client, carol):
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["change_apikey", "view_apikey"]))
    key, _ = ApiKey.create_with_secret(carol.pk, "leaked")
    client.force_login(clerk)
    page = client.get(f"/admin/accounts/apikey/{key.pk}/change/")
    assert (page.status_code, "rotate" in page.content.decode()) == (200, False)
    client.post("/admin/accounts/apikey/", {"action": "revoke", "_selected_action": [key.pk]})
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_limits_of_accounts_and_of_groups_are_told_apart_and_have_names(client, carol, alice):
    UserLimits.objects.create(user=alice)
    group = Group.objects.create(name="writers")
    GroupLimits.objects.create(group=group)
    page = client.get("/admin/accounts/").content.decode()
    assert "Limits of accounts" in page
    assert "Limits of groups" in page
    for path, name in ((f"userlimits/{alice.pk}", "alice"), (f"grouplimits/{group.pk}", "writers")):
        page = client.get(f"/admin/accounts/{path}/change/").content.decode()
        assert f"<h2>{name}</h2>" in page


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("guide", []),
        ("guide, later", ["There is no model later."]),
        ("Qwen3, Guide", ["There is no model Qwen3.", "There is no model Guide. Is guide meant?", "can use none"]),
        ("giude", ["There is no model giude. Is guide meant?", "can use none"]),
        ("off", ["can use none"]),
        ("", []),
    ],
)
def test_a_list_that_names_no_model_is_warned_about(client, carol, alice, names, told):
    LanguageModel.objects.all().delete()  # the one that is there from the start, in some databases
    LanguageModel.objects.create(name="guide", source="guide", default=True)
    LanguageModel.objects.create(name="off", source="off", enabled=False)
    group = Group.objects.create(name="writers")
    (key := ApiKey(owner=alice, label="x")).replace_secret()
    key.save()
    change = f"/admin/accounts/apikey/{key.pk}/change/"
    expiry = {"expires_at_0": "", "expires_at_1": ""}
    for path, fields in (
        ("/admin/accounts/grouplimits/add/", {"group": group.pk, "priority": "0"}),
        ("/admin/accounts/userlimits/add/", {"user": alice.pk}),
        (change, {"label": "x", "scopes": ["chat"]} | expiry),
    ):
        answer = client.post(path, fields | {"allowed_models": names}, follow=True)
        warnings = [str(message) for message in answer.context["messages"] if message.level_tag == "warning"]
        assert len(warnings) == len(told), (path, warnings)
        assert all(words in warning for words, warning in zip(told, warnings, strict=True))
