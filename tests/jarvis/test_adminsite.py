"""The admin's own pages: what they show, to whom, and that they cost the same however much there is."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from accounts.audit import AuditEvent, record_event
from accounts.models import ApiKey
from inference.models import Generation, LanguageModel, PausedPlace, UsageDay
from inference.redis.client import close_client, shared_client
from inference.redis.keys import worker_key
from inference.redis.workers import publish_state
from inference.worker_state import EngineState, WorkerState
from tests.support.admin import alice, bob, carol, files

__all__ = ["alice", "bob", "carol", "files"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker():
    state = WorkerState("here/1-a", "gpu-1", 1, 0.0, EngineState("ready", model="fake", slots=8), place="gpu-1:/run")

    async def tell(state):
        if state is None:
            await shared_client().flushdb()
        else:
            await publish_state(state)
            await shared_client().expire(worker_key(state.name), 60)  # a live one would tell it again and again
        await close_client()

    asyncio.run(tell(state))
    yield state
    asyncio.run(tell(None))


def call(owner, **fields):
    given = {"model": "fake", "door": "v1", "request_id": "r", "status": "done", "finished_at": timezone.now()}
    return Generation.objects.create(owner=owner, **given | fields)


def page(client, address, **query):
    response = client.get(f"/admin/{address}", query)
    assert response.status_code == 200
    return response.content.decode()


def test_the_first_page_shows_how_things_are(client, carol, alice, worker):
    key, _ = ApiKey.create_with_secret(alice.pk, "nightly report")
    call(alice, key=key, prompt_tokens=1000, completion_tokens=234, cost=Decimal("1.25"))
    call(alice, status="failed")
    call(carol, status="queued", finished_at=None)
    UsageDay.objects.roll_up(timezone.now().date())
    text = page(client, "")
    for words in ("1.23k", "50.0 %", "gpu-1", "nightly report", "1.25 USD", "Active users per day", "Cost per day"):
        assert words in text


def test_the_first_page_costs_the_same_however_much_there_is(client, carol, alice, django_assert_max_num_queries):
    def fill(count):
        for number in range(count):
            someone = User.objects.create_user(f"user{count}-{number}")
            call(someone, model=f"model{number}", finished_at=timezone.now() - timedelta(days=number % 20))
            call(someone, status="queued", finished_at=None)
        for days in range(20):
            UsageDay.objects.roll_up((timezone.now() - timedelta(days=days)).date())

    page(client, "")
    fill(2)
    with django_assert_max_num_queries(12):
        page(client, "")
    fill(30)
    with django_assert_max_num_queries(12):
        page(client, "")


@pytest.mark.parametrize(
    "address", ["queue/", "inference/generation/", "inference/usageday/", "accounts/auditevent/", "workers/"]
)
def test_no_list_grows_in_queries(client, carol, worker, django_assert_max_num_queries, address):
    for number in range(30):
        someone = User.objects.create_user(f"user{number}")
        call(someone, status="queued", finished_at=None)
        call(someone, key=ApiKey.create_with_secret(someone.pk, "x")[0])
    UsageDay.objects.roll_up(timezone.now().date())
    with django_assert_max_num_queries(11):
        page(client, address)


def test_without_redis_the_first_page_says_so(client, carol, configure):
    configure(redis_url="unix:///nowhere")
    assert "Redis cannot be reached" in page(client, "")
    assert "Redis cannot be reached" in page(client, "workers/")


def test_staff_without_the_right_see_their_lists_and_no_figures(client, bob):
    text = page(client, "")
    assert "Calls today" not in text
    assert "Queue" not in text
    for address in ("workers/", "queue/", "inference/usageday/export/", "accounts/auditevent/export/"):
        assert client.get(f"/admin/{address}").status_code == 403


def test_who_may_look_may_not_yet_act(client, bob, alice, worker):
    bob("view_generation")
    waiting = call(alice, status="queued", finished_at=None)
    assert "Pause</button>" not in page(client, "workers/")
    assert client.post("/admin/workers/", {"worker": worker.id, "do": "pause"}).status_code == 403
    assert "Cancel 1" not in page(client, "queue/")
    assert client.post("/admin/queue/", {"owner": alice.pk, "model": "fake"}).status_code == 403
    client.post("/admin/inference/generation/", {"action": "cancel", "_selected_action": [waiting.pk]})
    waiting.refresh_from_db()
    assert (waiting.status, PausedPlace.objects.count()) == ("queued", 0)


def test_a_worker_is_paused_and_resumed(client, carol, worker):
    client.post("/admin/workers/", {"worker": worker.id, "do": "pause"})
    assert PausedPlace.objects.get().place == "gpu-1:/run"
    client.post("/admin/workers/", {"worker": worker.id, "do": "resume"})
    assert not PausedPlace.objects.exists()
    client.post("/admin/workers/", {"worker": "no such worker", "do": "pause"})
    assert not PausedPlace.objects.exists()
    said = AuditEvent.objects.filter(event__startswith="worker.").order_by("id").values_list("event", "actor_name")
    assert list(said) == [("worker.paused", "carol"), ("worker.resumed", "carol")]


def test_what_one_user_waits_for_is_cancelled(client, carol, alice):
    mine = [call(alice, status="queued", finished_at=None) for _ in range(2)]
    other = [call(alice, status="queued", model="other", finished_at=None), call(carol, status="queued")]
    assert "Cancel 2" in page(client, "queue/")
    client.post("/admin/queue/", {"owner": alice.pk, "model": "fake"})
    assert [Generation.objects.get(pk=row.pk).status for row in [*mine, *other]] == ["stopped"] * 2 + ["queued"] * 2
    assert AuditEvent.objects.get(event="queue.cancelled").details["calls"] == 2
    for nonsense in ({}, {"owner": "x", "model": "fake"}, {"owner": "9" * 40, "model": "other"}):
        assert client.post("/admin/queue/", nonsense).status_code == 302
    assert Generation.objects.queued().count() == 2


def test_chosen_calls_are_cancelled(client, carol, alice):
    waiting, done = call(alice, status="queued", finished_at=None), call(alice)
    data = {"action": "cancel", "_selected_action": [waiting.pk, done.pk]}
    assert "1 call is cancelled" in client.post("/admin/inference/generation/", data, follow=True).content.decode()
    assert [Generation.objects.get(pk=row.pk).status for row in (waiting, done)] == ["stopped", "done"]


def test_calls_are_found_by_user_model_and_door(client, carol, alice):
    LanguageModel.objects.get_or_create(name="fake", defaults={"source": "x"})
    call(alice, door="chat", request_id="the-one")
    call(carol, model="other", request_id="another")
    for query in ({"q": "alice"}, {"model": "fake"}, {"door": "chat"}, {"owner__id__exact": alice.pk}):
        text = page(client, "inference/generation/", **query)
        assert "1 entry" in text


def test_a_models_prices_are_set(client, carol):
    model = LanguageModel.objects.create(name="one", source="x")
    address = f"/admin/inference/languagemodel/{model.pk}/change/"
    data = {"name": "one", "source": "x", "kind": "local", "enabled": "on", "engine_args": "", "max_model_len": 0}
    client.post(address, data | {"price_input": "2.5", "price_output": "10", "price_cached": ""})
    model.refresh_from_db()
    assert (model.price_input, model.price_output, model.price_cached) == (Decimal("2.5"), 10, None)
    assert "2.50 / 10.00 USD" in page(client, "inference/languagemodel/")
    assert "greater than or equal" in client.post(address, data | {"price_input": "-1"}).content.decode()
    assert AuditEvent.objects.filter(event="admin.changed", object_name="one").exists()


def test_users_and_groups_lead_to_their_usage(client, carol, alice):
    group = Group.objects.create(name="Support")
    alice.groups.add(group)
    call(alice)
    call(carol)
    UsageDay.objects.roll_up(timezone.now().date())
    links = {
        f"auth/user/{alice.pk}/change/": f"/admin/inference/usageday/?user__id__exact={alice.pk}",
        f"auth/group/{group.pk}/change/": f"/admin/inference/usageday/?user__groups__id__exact={group.pk}",
    }
    for address, link in links.items():
        assert link in page(client, address)
        assert "1 entry" in client.get(link).content.decode()


def lines(response):
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode().splitlines()


def test_usage_is_exported_as_the_list_shows_it(client, carol, alice):
    key, _ = ApiKey.create_with_secret(alice.pk, '=HYPERLINK("http://evil.example")')
    call(alice, key=key, cost=Decimal("0.00004750"))
    call(carol)
    UsageDay.objects.roll_up(timezone.now().date())
    header, row = lines(client.get("/admin/inference/usageday/export/", {"user__id__exact": alice.pk}))
    assert header.startswith("day,user,model,key,calls")
    assert f'"\'=HYPERLINK(""http://evil.example"") ({key.prefix})"' in row
    assert row.endswith(",1,0,0,0,0,0,0.0000475")
    assert client.get("/admin/inference/usageday/export/", {"nonsense": "1"}).status_code in (302, 400)


def test_the_audit_log_is_read_filtered_and_exported_but_never_written(client, carol, alice):
    event = record_event("key.revoked", obj=alice, why="@SUM(A1)")
    record_event("sign_in", actor=alice)
    text = page(client, "accounts/auditevent/", about="key.")
    assert "key.revoked" in text
    assert "1 entry" in text
    for address in ("add/", f"{event.pk}/delete/"):
        assert client.get(f"/admin/accounts/auditevent/{address}").status_code == 403
    client.post(f"/admin/accounts/auditevent/{event.pk}/change/", {"event": "x"})
    assert AuditEvent.objects.get(pk=event.pk).event == "key.revoked"
    header, row = lines(client.get("/admin/accounts/auditevent/export/", {"about": "key."}))
    assert header.startswith("time,event,who")
    assert ",key.revoked,carol,auth.user," in row.replace(",,", ",carol,")
