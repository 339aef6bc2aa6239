"""The REST resources: what is one's own, what is everybody's, what may be changed, and that nothing else can be."""

import asyncio
import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.utils import timezone

from accounts.audit import AuditEvent
from accounts.models import ApiKey
from inference.models import Generation, LanguageModel, PausedPlace, UsageDay
from inference.redis.client import close_client, shared_client
from inference.redis.keys import worker_key
from inference.redis.workers import publish_state
from inference.worker_state import EngineState, Gpu, WorkerState

pytestmark = pytest.mark.django_db
TODAY = timezone.now().date()


@pytest.fixture
def alice():
    return User.objects.create_user("alice")


@pytest.fixture
def bob():
    return User.objects.create_user("bob")


@pytest.fixture
def carol():
    return User.objects.create_superuser("carol")


@pytest.fixture
def as_alice(client, alice):
    client.force_login(alice)
    return client


@pytest.fixture
def as_carol(client, carol):
    client.force_login(carol)
    return client


def post(client, address, data=None):
    return client.post(address, data or {}, content_type="application/json")


def patch(client, address, data):
    return client.patch(address, data, content_type="application/json")


def fault(response):
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


def call(owner, **fields):
    given = {"model": "fake", "door": "v1", "request_id": "r", "status": "done", "finished_at": timezone.now()}
    given |= {"prompt_tokens": 10, "completion_tokens": 5, "text": "a secret", "request": {"messages": "a secret"}}
    return Generation.objects.create(owner=owner, **given | fields)


def test_the_description_is_complete_and_without_warnings(capsys):
    call_command("spectacular", "--validate", "--fail-on-warn")
    said = capsys.readouterr().out
    for address in ("keys/{id}/revoke/", "models/{id}/", "usage/", "workers/{id}/pause/", "generations/{id}/cancel/"):
        assert f"/api/v1/{address}" in said


# Keys


def test_a_key_is_made_for_oneself_and_its_secret_shown_once(as_alice, alice):
    made = post(as_alice, "/api/v1/keys/", {"label": "laptop"})
    assert (made.status_code, made["cache-control"]) == (201, "no-store")
    body = made.json()
    assert body["owner"] == "alice"
    assert as_alice.get("/api/v1/models/", headers={"x-api-key": body["secret"]}).status_code in (200, 403)
    [listed] = as_alice.get("/api/v1/keys/").json()["results"]
    assert (listed["label"], listed["prefix"]) == ("laptop", body["secret"][:9])
    assert "secret" not in listed
    assert "digest" not in listed


@pytest.mark.parametrize(
    "field", ["owner", "owner_id", "digest", "secret", "prefix", "revoked_at", "last_used_at", "created_at", "id"]
)
def test_nothing_else_of_a_key_can_be_set(as_alice, bob, field):
    assert fault(post(as_alice, "/api/v1/keys/", {"label": "x", field: bob.pk})) == (
        400,
        "invalid_request_error",
        field,
    )
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("data", [{}, {"label": ""}, {"label": "x" * 101}, {"label": "x", "expires_at": "2020-01-01"}])
def test_what_is_not_in_order_makes_no_key(as_alice, data):
    assert post(as_alice, "/api/v1/keys/", data).status_code == 400
    assert not ApiKey.objects.exists()


def test_keys_of_others_are_neither_seen_nor_revoked(as_alice, bob):
    key, _ = ApiKey.create_with_secret(bob.pk, "his")
    assert as_alice.get("/api/v1/keys/").json()["count"] == 0
    assert as_alice.get(f"/api/v1/keys/{key.pk}/").status_code == 404
    assert post(as_alice, f"/api/v1/keys/{key.pk}/revoke/").status_code == 404
    key.refresh_from_db()
    assert key.revoked_at is None


def test_a_key_is_revoked_once(as_alice, alice):
    key, secret = ApiKey.create_with_secret(alice.pk, "laptop")
    first = post(as_alice, f"/api/v1/keys/{key.pk}/revoke/").json()["revoked_at"]
    assert first is not None
    assert post(as_alice, f"/api/v1/keys/{key.pk}/revoke/").json()["revoked_at"] == first
    assert as_alice.get("/api/v1/keys/", headers={"x-api-key": secret}).status_code == 401
    assert as_alice.get("/api/v1/keys/?revoked=false").json()["count"] == 0


def test_a_key_cannot_make_or_revoke_keys(client, alice):
    key, secret = ApiKey.create_with_secret(alice.pk, "leaked")
    headers = {"authorization": f"Bearer {secret}"}
    assert client.get("/api/v1/keys/", headers=headers).json()["count"] == 1
    made = client.post("/api/v1/keys/", {"label": "another"}, content_type="application/json", headers=headers)
    assert fault(made)[:2] == (403, "permission_denied")
    assert client.post(f"/api/v1/keys/{key.pk}/revoke/", headers=headers).status_code == 403


def test_administrators_see_all_keys_but_not_by_a_key_without_the_scope(as_carol, carol, alice):
    ApiKey.create_with_secret(alice.pk, "hers")
    _, secret = ApiKey.create_with_secret(carol.pk, "script")
    assert as_carol.get("/api/v1/keys/").json()["count"] == 2
    assert as_carol.get("/api/v1/keys/?owner=alice").json()["count"] == 1
    as_carol.logout()
    assert as_carol.get("/api/v1/keys/", headers={"x-api-key": secret}).json()["count"] == 1


# Models


@pytest.fixture
def models():
    LanguageModel.objects.all().delete()
    one = LanguageModel.objects.create(name="one", source="/secret/folder", default=True, price_input="2.5")
    return one, LanguageModel.objects.create(name="two", source="x", enabled=False)


def test_people_see_the_models_that_are_on_without_their_sources(as_alice, models):
    body = as_alice.get("/api/v1/models/")
    assert [model["name"] for model in body.json()["results"]] == ["one"]
    assert "secret" not in body.content.decode()
    assert body.json()["results"][0]["price_input"] == "2.500000"


def test_administrators_set_prices_and_the_default(as_carol, models):
    one, two = models
    assert as_carol.get("/api/v1/models/").json()["count"] == 2
    changed = patch(as_carol, f"/api/v1/models/{two.pk}/", {"price_output": "10", "default": True})
    assert changed.status_code == 200
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.default, two.default, two.enabled, two.price_output) == (False, True, True, Decimal(10))
    assert AuditEvent.objects.get(event="model.changed").details == {"fields": ["default", "price_output"]}
    assert fault(patch(as_carol, f"/api/v1/models/{two.pk}/", {"default": False})) == (
        400, "invalid_request_error", "default"
    )  # fmt: skip


@pytest.mark.parametrize("field", ["name", "source", "engine_args", "kind", "max_model_len", "registered", "id"])
def test_nothing_else_of_a_model_can_be_set(as_carol, models, field):
    before = LanguageModel.objects.values().get(pk=models[0].pk)
    assert fault(patch(as_carol, f"/api/v1/models/{models[0].pk}/", {field: "1"}))[0] == 400
    assert LanguageModel.objects.values().get(pk=models[0].pk) == before


@pytest.mark.parametrize("price", ["-1", "x", "1e30", "NaN", True])
def test_a_price_is_a_sum_of_money(as_carol, models, price):
    assert fault(patch(as_carol, f"/api/v1/models/{models[0].pk}/", {"price_input": price}))[2] == "price_input"


def test_others_change_no_model(as_alice, models, carol):
    assert fault(patch(as_alice, f"/api/v1/models/{models[0].pk}/", {"price_input": 0}))[:2] == (
        403,
        "permission_denied",
    )
    _, secret = ApiKey.create_with_secret(carol.pk, "script")
    address = f"/api/v1/models/{models[0].pk}/"
    by_key = as_alice.patch(address, {"price_input": 0}, content_type="application/json", headers={"x-api-key": secret})
    assert by_key.status_code == 403


# Usage


@pytest.fixture
def used(alice, bob):
    key, _ = ApiKey.create_with_secret(alice.pk, "laptop")
    call(alice, key=key, cost=Decimal("0.5"))
    call(alice, finished_at=timezone.now() - timedelta(days=1))
    call(bob, model="other")
    for days in (0, 1):
        UsageDay.objects.roll_up((timezone.now() - timedelta(days=days)).date())
    return key


@pytest.mark.parametrize("address", ["/api/v1/usage/", "/api/usage"])
def test_one_sees_ones_own_usage(as_alice, used, address):
    body = as_alice.get(address).json()
    assert body["totals"]["calls"] == 2
    assert body["totals"]["cost"] == "0.500000000000"
    assert [(row["model"], row["calls"]) for row in body["results"]] == [("fake", 1), ("fake", 1)]
    assert body["currency"] == "USD"
    assert body["counted_at"]


def test_usage_is_summed_and_filtered_as_asked(as_alice, used):
    def ask(query):
        return as_alice.get(f"/api/v1/usage/?{query}").json()

    by_key = ask("group=key")["results"]
    assert [row["key"] and row["key"]["label"] for row in by_key] == ["laptop", None]
    assert set(by_key[0]) == {
        "key", "calls", "failed", "stopped", "prompt_tokens", "completion_tokens", "cached_tokens", "cost"
    }  # fmt: skip
    assert ask(f"key={used.pk}")["totals"]["calls"] == 1
    assert ask("model=other")["totals"]["calls"] == 0
    yesterday = (timezone.now() - timedelta(days=1)).date()
    assert ask(f"start={yesterday}&end={yesterday}")["totals"]["calls"] == 1
    page = ask("group=day&limit=1")
    assert (page["count"], len(page["results"])) == (2, 1)
    assert "offset=1" in page["next"]


@pytest.mark.parametrize("query", ["user=bob", "group=user,model", "model=other"])
def test_nobody_sees_the_usage_of_others(as_alice, used, query):
    body = as_alice.get(f"/api/v1/usage/?{query}")
    assert "bob" not in body.content.decode()
    assert body.json()["totals"]["prompt_tokens"] in (0, 20)


def test_administrators_see_all_of_it(as_carol, used):
    assert as_carol.get("/api/v1/usage/").json()["totals"]["calls"] == 3
    assert as_carol.get("/api/v1/usage/?user=bob&group=user").json()["results"][0]["user"] == "bob"


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("group=day,secrets", "group"),
        ("start=2026-13-01", "start"),
        ("start=2026-02-01&end=2026-01-01", "start"),
        ("start=1900-01-01", "start"),
        ("end=0001-01-01", "start"),
        ("key=x", "key"),
        ("key=99999999999999999999", "key"),
        ("limit=-1", "limit"),
    ],
)
def test_a_question_about_usage_that_makes_no_sense_is_told_so(as_alice, query, param):
    response = as_alice.get(f"/api/v1/usage/?{query}")
    assert fault(response) == (400, "invalid_request_error", param)


def test_usage_costs_the_same_however_much_there_is(as_carol, used, django_assert_max_num_queries):
    for number in range(30):
        call(User.objects.create_user(f"user{number}"), model=f"model{number}")
    UsageDay.objects.roll_up(timezone.now().date())
    with django_assert_max_num_queries(7):
        as_carol.get("/api/v1/usage/?group=day,model,key,user")


# Workers


def tell(**fields):
    engine = EngineState(phase="ready", model="fake", slots=8)
    gpu = Gpu(name="H100", memory_total=80_000, memory_used=70_000, use=90)
    state = WorkerState(
        "here/1-a", "host", 1, 0.0, engine, gpus=[gpu], place="host:/run", slots=8, tokens_per_second=12.5
    )

    async def tell():
        await publish_state(state)
        await shared_client().expire(worker_key(state.name), 60)  # a live one would tell it again and again
        await close_client()

    asyncio.run(tell())
    return state


@pytest.fixture
def worker():
    yield tell()

    async def clean():
        await shared_client().flushdb()
        await close_client()

    asyncio.run(clean())


def test_administrators_see_and_pause_workers(as_carol, worker):
    [seen] = as_carol.get("/api/v1/workers/").json()
    assert (seen["id"], seen["engine"]["phase"], seen["tokens_per_second"]) == (worker.id, "ready", 12.5)
    assert seen["gpus"][0]["memory_used"] == 70_000
    assert post(as_carol, f"/api/v1/workers/{worker.id}/pause/").json()["paused"]
    assert PausedPlace.objects.get().by == "carol"
    assert post(as_carol, f"/api/v1/workers/{worker.id}/pause/").status_code == 200
    assert not post(as_carol, f"/api/v1/workers/{worker.id}/resume/").json()["paused"]
    assert not PausedPlace.objects.exists()
    assert fault(as_carol.get(f"/api/v1/workers/{'0' * 16}/"))[:2] == (404, "not_found")


def test_others_see_and_pause_none(as_alice, alice, worker):
    alice.is_staff = True
    alice.save()
    for response in (
        as_alice.get("/api/v1/workers/"),
        as_alice.get(f"/api/v1/workers/{worker.id}/"),
        post(as_alice, f"/api/v1/workers/{worker.id}/pause/"),
    ):
        assert fault(response)[:2] == (403, "permission_denied")
    assert not PausedPlace.objects.exists()


# Generations


def test_one_sees_ones_own_calls_without_their_words(as_alice, alice, bob):
    mine, his = call(alice), call(bob)
    body = as_alice.get("/api/v1/generations/")
    assert [row["id"] for row in body.json()["results"]] == [str(mine.pk)]
    assert "secret" not in body.content.decode()
    assert as_alice.get(f"/api/v1/generations/{mine.pk}/").json()["prompt_tokens"] == 10
    assert as_alice.get(f"/api/v1/generations/{his.pk}/").status_code == 404
    assert as_alice.get(f"/api/v1/generations/{uuid.uuid4()}/").status_code == 404
    assert as_alice.get("/api/v1/generations/nonsense/").status_code == 404


def test_calls_come_in_pages_that_do_not_move(as_alice, alice, django_assert_max_num_queries):
    rows = [call(alice) for _ in range(5)]
    with django_assert_max_num_queries(5):
        page = as_alice.get("/api/v1/generations/?limit=2").json()
    seen = [row["id"] for row in page["results"]]
    call(alice)
    while page["next"]:
        page = as_alice.get(page["next"]).json()
        seen += [row["id"] for row in page["results"]]
    assert sorted(seen) == sorted(str(row.pk) for row in rows)


def test_calls_are_filtered(as_carol, alice, bob):
    call(alice, status="failed", model="other")
    call(bob)

    def count(query):
        return len(as_carol.get(f"/api/v1/generations/?{query}").json()["results"])

    assert [count(q) for q in ("", "owner=alice", "status=failed", "status=done", "model=other", "door=chat")] == [
        2, 1, 1, 1, 1, 0
    ]  # fmt: skip
    assert fault(as_carol.get("/api/v1/generations/?status=nonsense")) == (400, "invalid_request_error", "status")


def test_a_call_that_waits_tells_its_place_and_the_wait(as_alice, alice, bob, worker):
    ended = timezone.now()
    call(bob, started_at=ended - timedelta(seconds=16), finished_at=ended)
    until = timezone.now() + timedelta(minutes=1)
    for _ in range(8):  # all slots
        call(bob, status="running", finished_at=None, lease_until=until)
    first, second = (call(alice, status="queued", finished_at=None) for _ in range(2))
    his = call(bob, status="queued", finished_at=None)

    def place(row):
        told = as_alice.get(f"/api/v1/generations/{row.pk}/").json()
        return told["position"], told["wait_seconds"]

    assert (place(first), place(second)) == ((1, 2.0), (2, 4.0))
    assert as_alice.get(f"/api/v1/generations/{his.pk}/").status_code == 404
    assert place(call(alice)) == (None, None)
    assert place(call(alice, status="running", finished_at=None, lease_until=until)) == (None, None)
    listed = as_alice.get("/api/v1/generations/").json()["results"]
    assert not any({"position", "wait_seconds"} & row.keys() for row in listed)
    assert post(as_alice, f"/api/v1/generations/{second.pk}/cancel/").json()["status"] == "stopped"
    assert place(second) == (None, None)


def test_without_a_worker_the_place_is_known_and_the_wait_is_not(as_alice, alice):
    row = call(alice, status="queued", finished_at=None)
    told = as_alice.get(f"/api/v1/generations/{row.pk}/").json()
    assert (told["position"], told["wait_seconds"]) == (1, None)


def test_a_call_of_ones_own_is_cancelled(as_alice, alice, bob):
    waiting, running, over = (call(alice, status=s, finished_at=None) for s in ("queued", "running", "done"))
    his = call(bob, status="queued", finished_at=None)
    assert post(as_alice, f"/api/v1/generations/{waiting.pk}/cancel/").json()["status"] == "stopped"
    assert post(as_alice, f"/api/v1/generations/{running.pk}/cancel/").json()["status"] == "running"
    assert post(as_alice, f"/api/v1/generations/{over.pk}/cancel/").json()["status"] == "done"
    assert post(as_alice, f"/api/v1/generations/{his.pk}/cancel/").status_code == 404
    running.refresh_from_db()
    his.refresh_from_db()
    assert running.stop_asked_at is not None
    assert his.status == "queued"


def test_administrators_cancel_any_call_but_staff_without_the_right_do_not(client, alice, bob):
    rows = [call(alice, status="queued", finished_at=None) for _ in range(2)]
    bob.is_staff = True
    bob.save()
    client.force_login(bob)
    assert post(client, f"/api/v1/generations/{rows[0].pk}/cancel/").status_code == 404
    bob.user_permissions.add(*Permission.objects.filter(codename__in=["view_generation", "change_generation"]))
    client.force_login(User.objects.get(pk=bob.pk))
    assert post(client, f"/api/v1/generations/{rows[1].pk}/cancel/").json()["status"] == "stopped"


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_the_ledger_cannot_be_written(as_carol, alice, method):
    row = call(alice)
    response = getattr(as_carol, method)(
        f"/api/v1/generations/{row.pk}/", {"prompt_tokens": 0}, content_type="application/json"
    )
    assert fault(response)[:2] == (405, "method_not_allowed")
    assert post(as_carol, "/api/v1/generations/", {"model": "fake"}).status_code == 405


@pytest.mark.parametrize("address", ["keys/", "models/", "usage/", "workers/", "generations/"])
def test_nobody_gets_in_without_being_known(client, address):
    assert fault(client.get(f"/api/v1/{address}"))[:2] == (401, "invalid_api_key")
    assert fault(client.get(f"/api/v1/{address}", headers={"x-api-key": "jv_wrong"}))[:2] == (401, "invalid_api_key")
