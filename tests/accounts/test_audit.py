"""The audit log: written by itself, never changed, without secrets."""

import pytest
from django.contrib.auth.models import Group
from django.db import ProgrammingError, transaction

from accounts.audit import AuditEvent, record_event
from accounts.models import ApiKey, GroupLimits, UserLimits
from tests.support.accounts import PASSWORD
from tests.support.admin import carol

__all__ = ["carol"]

pytestmark = pytest.mark.django_db


def events(**filters):
    return list(AuditEvent.objects.filter(**filters).order_by("id").values_list("event", flat=True))


def last(event):
    return AuditEvent.objects.filter(event=event).latest("id")


def test_signing_in_and_out_is_recorded_with_the_address(client, alice):
    client.post("/sign-in/", {"login": "alice", "password": PASSWORD}, REMOTE_ADDR="192.0.2.7")
    client.post("/sign-out/", REMOTE_ADDR="192.0.2.8")
    assert events(actor=alice) == ["sign_in", "sign_out"]
    assert (last("sign_in").address, last("sign_out").address) == ("192.0.2.7", "192.0.2.8")
    assert last("sign_in").actor_name == "alice"


def test_a_failed_sign_in_names_an_account_but_never_what_was_typed(client, alice):
    client.post("/sign-in/", {"login": "alice", "password": "a guess"})
    assert (last("sign_in.failed").object_name, last("sign_in.failed").actor) == ("alice", None)
    client.post("/sign-in/", {"login": "my password is hunter2", "password": "alice"})
    assert (last("sign_in.failed").object_name, last("sign_in.failed").details) == ("", {"known": False})


def test_a_key_made_changed_and_revoked_in_the_admin_is_recorded_with_who_did_it(client, carol, alice):
    data = {"owner": alice.pk, "label": "laptop", "scopes": ["chat"], "expires_at_0": "", "expires_at_1": ""}
    secret = client.post("/admin/accounts/apikey/add/", data).context_data["secret"]
    key = ApiKey.objects.get()
    client.post(f"/admin/accounts/apikey/{key.pk}/change/", data | {"label": "desk"})
    client.post("/admin/accounts/apikey/", {"action": "revoke", "_selected_action": [key.pk]})
    mine = AuditEvent.objects.filter(actor=carol, object_type="accounts.apikey", object_id=str(key.pk))
    assert set(mine.values_list("event", flat=True)) == {
        "key.made", "admin.added", "key.changed", "admin.changed", "key.revoked"
    }  # fmt: skip
    assert last("key.made").details == {"owner": "alice"}
    assert last("key.changed").details == {"owner": "alice", "fields": ["label"]}
    everything = str(list(AuditEvent.objects.values()))
    assert secret not in everything
    assert key.digest not in everything


def test_using_a_key_is_an_event_only_where_it_comes_from_a_new_address(client, alice):
    key, secret = ApiKey.create_with_secret(alice.pk, "laptop")

    def use(address):
        response = client.get("/api/schema/", headers={"x-api-key": secret}, REMOTE_ADDR=address)
        assert response.status_code == 200

    before = AuditEvent.objects.count()
    for _ in range(3):
        use("192.0.2.7")
    assert AuditEvent.objects.count() == before + 1
    event = last("key.new_address")
    assert (event.actor, event.address, event.object_name, event.details) == (
        alice, "192.0.2.7", str(key), {"owner": "alice"}
    )  # fmt: skip
    use("192.0.2.8")
    use("2001:db8::1")
    use("2001:db8::2")  # the same network of 64 bits
    assert [event.address for event in AuditEvent.objects.filter(event="key.new_address").order_by("id")] == [
        "192.0.2.7", "192.0.2.8", "2001:db8::1"
    ]  # fmt: skip
    assert events(event="key.changed") == []


@pytest.mark.parametrize(
    ("field", "value", "event"),
    [
        ("is_active", False, "user.deactivated"),
        ("is_superuser", True, "user.rights_changed"),
        ("email", "new@example.com", "user.changed"),
    ],
)
def test_what_changes_an_account_is_told_by_its_field(alice, field, value, event):
    setattr(alice, field, value)
    alice.save()
    assert last(event).details == {"fields": [field]}


def test_a_new_password_is_an_event_without_the_password(alice):
    alice.set_password("another long word")
    alice.save()
    assert last("user.password_changed").object_name == "alice"
    assert alice.password not in str(list(AuditEvent.objects.values()))


def test_changed_limits_tell_whose_they_are_and_which_fields_changed(client, carol, alice):
    fields = ("requests_per_minute", "tokens_per_minute", "parallel", "tokens_per_month", "allowed_models")
    data = dict.fromkeys(fields, "") | {"user": alice.pk, "parallel": 2}
    client.post("/admin/accounts/userlimits/add/", data)
    assert UserLimits.objects.get(user=alice).parallel == 2
    client.post(f"/admin/accounts/userlimits/{alice.pk}/change/", data | {"parallel": 9, "tokens_per_month": 1000})
    client.post(f"/admin/accounts/userlimits/{alice.pk}/change/", data | {"parallel": 9, "tokens_per_month": 1000})
    mine = AuditEvent.objects.filter(actor=carol, event__startswith="limits.", object_id=str(alice.pk)).order_by("id")
    assert list(mine.values_list("event", "details")) == [
        ("limits.made", {"user": "alice"}),
        ("limits.changed", {"user": "alice", "fields": ["parallel", "tokens_per_month"]}),
    ]


def test_limits_of_a_group_and_their_end_are_told_too(alice):
    staff = Group.objects.create(name="staff")
    limits = GroupLimits.objects.create(group=staff)
    limits.priority = 2
    limits.save(update_fields=["priority"])
    UserLimits.objects.create(user=alice, parallel=1)
    staff.delete()
    alice.delete()
    event = AuditEvent.objects.filter(event__startswith="limits.").order_by("id")
    assert list(event.values_list("event", "object_type", "details")) == [
        ("limits.made", "accounts.grouplimits", {"group": "staff"}),
        ("limits.changed", "accounts.grouplimits", {"group": "staff", "fields": ["priority"]}),
        ("limits.made", "accounts.userlimits", {"user": "alice"}),
        ("limits.deleted", "accounts.grouplimits", {"group": "staff"}),
        ("limits.deleted", "accounts.userlimits", {"user": "alice"}),
    ]


def test_details_named_like_secrets_are_left_out(alice):
    record_event("key.rotated", obj=alice, secret="s", new={"digest": "d", "label": "x"}, note="n" * 5000, ids=[1, 2])
    details = last("key.rotated").details
    assert details == {"new": {"label": "x"}, "note": "n" * 500, "ids": [1, 2]}


def test_the_database_itself_refuses_to_change_or_delete_an_event(alice):
    event = record_event("key.revoked", obj=alice)
    for change in (lambda: AuditEvent.objects.update(event="x"), event.delete, AuditEvent.objects.all().delete):
        with pytest.raises(ProgrammingError, match="only ever added to"), transaction.atomic():
            change()
    assert last("key.revoked").pk == event.pk


def test_an_event_outlives_the_account_it_is_about(alice):
    record_event("sign_in", actor=alice)
    alice.delete()
    event = last("sign_in")
    assert event.actor_name == "alice"
    assert AuditEvent.objects.filter(event="user.deleted", object_name="alice").exists()


def test_an_event_is_undone_with_what_it_tells_of(alice):
    with transaction.atomic():
        ApiKey.create_with_secret(alice.pk, "laptop")
        assert events(event="key.made") == ["key.made"]
        transaction.set_rollback(True)
    assert events(event="key.made") == []
