"""What an administrator looks for on an object's page is there: its actions, its limits, and what went wrong."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.utils import timezone

from accounts.audit import AuditEvent
from accounts.models import ApiKey, GroupLimits, Invitation, UserLimits
from inference.models import Generation, LanguageModel
from inference.models.usage import UsageDay
from tests.support.admin import alice, bob, carol, files

__all__ = ["alice", "bob", "carol", "files"]

pytestmark = pytest.mark.django_db


def call(owner, **fields):
    return Generation.objects.create(owner=owner, **{"model": "fake", "door": "v1", "request_id": "r"} | fields)


def page(client, address):
    answer = client.get(f"/admin/{address}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_call_is_cancelled_on_its_page_and_the_log_tells(client, carol, alice):
    waiting = call(alice)
    address = f"inference/generation/{waiting.pk}"
    assert "../do/cancel/" in page(client, f"{address}/change/")
    assert client.get(f"/admin/{address}/do/cancel/").status_code == 405
    answer = client.post(f"/admin/{address}/do/cancel/", follow=True)
    assert answer.request["PATH_INFO"] == f"/admin/{address}/change/"
    assert "1 call is cancelled" in answer.content.decode()
    assert "../do/cancel/" not in answer.content.decode()  # it has ended
    waiting.refresh_from_db()
    assert waiting.status == "stopped"
    assert AuditEvent.objects.get(event="generation.cancelled").details["calls"] == [str(waiting.pk)]


def test_a_button_needs_the_right_of_its_action(client, bob, alice):
    bob("view_generation", "view_user", "view_apikey")
    waiting, key = call(alice), ApiKey.create_with_secret(alice.pk, "x")[0]
    for address, action in (
        (f"inference/generation/{waiting.pk}", "cancel"),
        (f"auth/user/{alice.pk}", "make_reset_link"),
        (f"accounts/apikey/{key.pk}", "revoke"),
    ):
        assert "../do/" not in page(client, f"{address}/change/")
        assert client.post(f"/admin/{address}/do/{action}/").status_code == 403
    waiting.refresh_from_db()
    key.refresh_from_db()
    assert (waiting.status, key.revoked_at) == ("queued", None)


@pytest.mark.parametrize("action", ["delete_selected", "get_urls", "nothing"])
def test_only_actions_with_a_button_are_done_there(client, carol, alice, action):
    assert client.post(f"/admin/auth/user/{alice.pk}/do/{action}/").status_code == 404
    assert User.objects.filter(pk=alice.pk).exists()


def test_a_reset_link_is_made_on_the_users_page(client, carol, alice):
    address = f"auth/user/{alice.pk}"
    text = page(client, f"{address}/change/")
    assert "../do/make_reset_link/" in text
    assert "../do/end_sessions/" not in text  # there are none
    answer = client.post(f"/admin/{address}/do/make_reset_link/")
    assert "no-store" in answer["cache-control"]
    assert "/reset/" in answer.context_data["link"]
    assert AuditEvent.objects.filter(event="admin.changed", object_name="alice").exists()
    assert client.post("/admin/auth/user/999999/do/make_reset_link/").status_code == 404


def test_staff_get_no_link_for_a_superuser(client, bob, carol):
    bob("view_user", "change_user")
    address = f"/admin/auth/user/{carol.pk}"
    assert "../do/" not in client.get(f"{address}/change/").content.decode()
    for action in ("make_reset_link", "remove_second_factor", "end_sessions"):
        answer = client.post(f"{address}/do/{action}/")
        assert (answer.status_code, answer.get("location")) == (302, f"{address}/change/")  # and no page with a link
    assert not AuditEvent.objects.filter(event="admin.changed").exists()


def test_keys_invitations_and_models_have_their_buttons_too(client, carol, alice):
    key = ApiKey.create_with_secret(alice.pk, "x")[0]
    invitation = Invitation.create_with_secret(carol.pk, "friends")[0]
    model = LanguageModel.objects.create(name="other", source="x")
    for address, action in (
        (f"accounts/apikey/{key.pk}", "revoke"),
        (f"accounts/invitation/{invitation.pk}", "withdraw"),
        (f"inference/languagemodel/{model.pk}", "make_default"),
    ):
        assert f"../do/{action}/" in page(client, f"{address}/change/")
        text = client.post(f"/admin/{address}/do/{action}/", follow=True).content.decode()
        assert f"../do/{action}/" not in text  # it is done
    assert ApiKey.objects.get().revoked_at
    assert Invitation.objects.get().withdrawn_at
    assert LanguageModel.objects.get(default=True) == model


def test_no_part_of_a_password_is_on_a_users_page(client, carol, alice):
    alice.set_password("a long word of hers")
    alice.save()
    text = page(client, f"auth/user/{alice.pk}/change/")
    assert "argon2" not in text
    assert f"/admin/auth/user/{alice.pk}/password/" in text


def account(person, **more):
    fields = {"username": person.username, "first_name": "", "last_name": "", "email": "", "is_active": "on"}
    fields |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00", "last_login_0": "", "last_login_1": ""}
    return fields | more


def limits(**fields):
    parts = {"TOTAL_FORMS": "1", "INITIAL_FORMS": str(int(UserLimits.objects.exists()))} | {
        f"0-{name}": value for name, value in fields.items()
    }
    return {f"limits-{name}": value for name, value in parts.items()}


def test_limits_are_read_and_set_on_the_users_page(client, carol, alice):
    LanguageModel.objects.get_or_create(name="fake", defaults={"source": "x"})
    address = f"/admin/auth/user/{alice.pk}/change/"
    assert 'name="limits-0-requests_per_minute"' in client.get(address).content.decode()
    assert client.post(address, account(alice, **limits())).status_code == 302
    assert not UserLimits.objects.exists()  # nothing was filled in
    answer = client.post(address, account(alice, **limits(parallel="3", allowed_models="fake, fak")), follow=True)
    assert "There is no model fak." in answer.content.decode()
    row = UserLimits.objects.get()
    assert (row.user, row.parallel, row.allowed_models) == (alice, 3, ["fake", "fak"])
    assert 'value="3"' in client.get(address).content.decode()
    changed = limits(user=alice.pk, parallel="5", allowed_models="fake")
    assert client.post(address, account(alice, **changed)).status_code == 302
    assert UserLimits.objects.get().parallel == 5
    assert client.post(address, account(alice)).status_code == 302  # a form without them leaves them as they are
    assert UserLimits.objects.get().parallel == 5
    assert client.post(address, account(alice, **limits(user=alice.pk, parallel="-1"))).status_code == 200
    told = AuditEvent.objects.filter(event__startswith="limits.").order_by("id").values_list("event", flat=True)
    assert list(told) == ["limits.made", "limits.changed"]


def test_limits_on_a_page_need_their_own_right(client, bob, alice):
    UserLimits.objects.create(user=alice, parallel=3)
    address = f"/admin/auth/user/{alice.pk}/change/"
    data = account(alice, **limits(user=alice.pk, parallel="9"))
    bob("view_user", "change_user")
    assert "limits-" not in client.get(address).content.decode()
    client.post(address, data)
    bob("view_user", "change_user", "view_userlimits")
    assert "calls at a time" in client.get(address).content.decode().casefold()
    client.post(address, data)
    assert UserLimits.objects.get().parallel == 3
    bob("view_user", "change_user", "view_userlimits", "change_userlimits")
    client.post(address, data)
    assert UserLimits.objects.get().parallel == 9


def test_limits_are_set_on_the_groups_page(client, carol):
    group = Group.objects.create(name="team")
    part = {"limits-TOTAL_FORMS": "1", "limits-INITIAL_FORMS": "0", "limits-0-priority": "2", "limits-0-shared": "on"}
    assert client.post(f"/admin/auth/group/{group.pk}/change/", {"name": "team"} | part).status_code == 302
    assert (GroupLimits.objects.get().group, GroupLimits.objects.get().priority) == (group, 2)


def test_the_list_of_calls_says_what_went_wrong_and_the_overview_leads_there(client, carol, alice):
    ended = {"status": "failed", "error_code": "engine_error", "finished_at": timezone.now()}
    call(alice, **ended, error_message="The engine broke off." + " again" * 50)
    call(alice, **ended | {"finished_at": timezone.now() - timedelta(days=9)}, request_id="older")
    call(alice, status="done", finished_at=timezone.now())
    UsageDay.objects.roll_up(timezone.now().date())
    assert "engine_error: The engine broke off." in page(client, "inference/generation/")
    start = client.get("/admin/").context["board"]
    assert [client.get(link).context["cl"].result_count for link in (start.failed_today, start.failed_month)] == [1, 2]
    assert start.failed_today.replace("&", "&amp;") in page(client, "")


def test_dates_are_filtered_by_yesterday_and_told_to_the_second(client, carol, alice):
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    for hours in (-25, -24, -1, 0):
        call(alice, created_at=midnight + timedelta(hours=hours), request_id=str(hours))
    answer = client.get("/admin/inference/generation/")
    choices = next(spec for spec in answer.context["cl"].filter_specs if spec.title == "day of the question")
    link = next(one for one in choices.choices(answer.context["cl"]) if one["display"] == "Yesterday")["query_string"]
    shown = client.get(f"/admin/inference/generation/{link}").context["cl"].result_list
    assert {row.request_id for row in shown} == {"-24", "-1"}
    key = ApiKey.create_with_secret(alice.pk, "x")[0]
    assert f"{key.created_at:%H:%M:%S}" in page(client, "accounts/apikey/")


def test_rights_are_told_in_words(client, carol, alice):
    assert Permission.objects.exists()
    assert "| call | may view</option>" in page(client, f"auth/user/{alice.pk}/change/")


def test_pages_of_what_happens_now_keep_up_by_themselves(client, carol):
    for address in ("queue/", "workers/"):
        text = page(client, address)
        assert "data-live" in text
        assert "jarvis/live." in text
