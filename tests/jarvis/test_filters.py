"""Lists refuse a filter that they do not understand, and tell nobody whose ids exist."""

import pytest
from django.contrib.auth.models import User

from accounts.models import ApiKey
from inference.models import Generation

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_alice(client):
    client.force_login(User.objects.create_user("alice"))
    return client


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("conversations/?pinned=abc", "pinned"),
        ("conversations/?archived=2", "archived"),
        ("conversations/?limit=abc", "limit"),
        ("conversations/?limit=0", "limit"),
        ("conversations/?limit=-1", "limit"),
        ("conversations/?limit=1.5", "limit"),
        ("conversations/?pined=true", "pined"),
        ("conversations/?offset=0", "offset"),  # its pages are found by a cursor
        ("keys/?revoked=maybe", "revoked"),
        ("keys/?limit=x", "limit"),
        ("keys/?offset=x", "offset"),
        ("keys/?offset=-1", "offset"),
        ("keys/?offset=99999999999999999999", "offset"),
        ("models/?enabled=c", "enabled"),
        ("models/?default=c", "default"),
        ("models/?kind=c", "kind"),
        ("shares/?conversation=x", "conversation"),
        ("generations/?status=nope", "status"),
        ("generations/?status=done&status=nope", "status"),
        ("generations/?door=window", "door"),
        ("generations/?since=yesterday", "since"),
        ("generations/?before=2026-13-01", "before"),
        ("generations/?key=x", "key"),
        ("generations/?key=1.5", "key"),
        ("generations/?key=0", "key"),
        ("generations/?key=99999999999999999999", "key"),
        ("generations/?limit=ten", "limit"),
        ("usage/?limit=x", "limit"),
        ("usage/?modle=guide", "modle"),
    ],
)
def test_a_wrong_filter_is_refused_by_its_name(as_alice, query, param):
    response = as_alice.get(f"/api/v1/{query}")
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (400, "invalid_request_error", param)
    assert param in error["message"]


@pytest.mark.parametrize(
    "query",
    [
        "conversations/?pinned=",
        "conversations/?pinned=TRUE&archived=0",
        "conversations/?limit=&folder=",
        "conversations/?limit=100000",
        "keys/?revoked=no&limit=1&offset=5",
        "keys/?format=json",
        "models/?enabled=true&default=1&kind=",
        "generations/?key=&status=done&door=v1&since=2026-01-01T00:00:00Z",
        "usage/?group=day&limit=1&offset=0",
    ],
)
def test_a_filter_that_can_be_understood_is_taken(as_alice, query):
    assert as_alice.get(f"/api/v1/{query}").status_code == 200


def test_a_page_is_never_longer_than_its_bound(as_alice):
    alice = User.objects.get()
    for number in range(3):
        ApiKey.create_with_secret(alice.pk, f"key {number}")
    assert len(as_alice.get("/api/v1/keys/?limit=2").json()["results"]) == 2
    assert len(as_alice.get("/api/v1/keys/?limit=1000000").json()["results"]) == 3
    assert as_alice.get("/api/v1/keys/?revoked=true").json()["count"] == 0
    assert as_alice.get("/api/v1/keys/?revoked=FALSE").json()["count"] == 3


def test_a_list_does_not_tell_which_keys_exist(as_alice):
    alice, bob = User.objects.get(), User.objects.create_user("bob")
    mine, his = ApiKey.create_with_secret(alice.pk, "mine")[0], ApiKey.create_with_secret(bob.pk, "his")[0]
    Generation.objects.create(owner=alice, key=mine, model="fake", door="v1", request={})
    Generation.objects.create(owner=bob, key=his, model="fake", door="v1", request={})
    for path in ("generations", "usage"):
        answers = [as_alice.get(f"/api/v1/{path}/?key={pk}") for pk in (his.pk, his.pk + 1000)]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json()["results"] == answers[1].json()["results"] == []
    assert len(as_alice.get(f"/api/v1/generations/?key={mine.pk}").json()["results"]) == 1
