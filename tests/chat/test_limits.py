"""Searches, exports and imports are counted for each account, and say when to come again."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory
from django_ratelimit.core import _get_window

from accounts.models import ApiKey
from chat import limits
from chat.models import Conversation
from tests.support.accounts import forget_counts
from tests.support.live import static_files

pytestmark = pytest.mark.django_db

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(autouse=True)
def three_calls(configure):
    """Three searches and two files a minute; nothing is counted before a test, nor after it."""
    static_files()
    configure(web_rate_limit_searches=3, web_rate_limit_files=2)
    yield
    forget_counts()


@pytest.fixture
def alice(db):
    """Somebody whose minute is not about to end: windows of a minute begin at a moment that the id decides."""
    people = (User.objects.create_user(f"alice {number}") for number in range(60))
    return next(one for one in people if _get_window(str(one.pk), 60) - time.time() > 20)


@pytest.fixture
def alice_client(client, alice):
    client.force_login(alice)
    return client


@pytest.fixture
def conversation(alice):
    made = Conversation.objects.create(owner=alice, title="Bilbao")
    made.add_message("user", "When does the lighthouse open?")
    return made


def check(response):
    """A refusal for a script."""
    assert response.status_code == 429
    wait = int(response["retry-after"])
    assert 0 < wait <= 60
    error = response.json()["error"]
    assert (error["code"], error["type"]) == ("rate_limit_exceeded", "rate_limit_error")
    assert error["message"] == f"Too many at once. Try again in {wait} s."


def test_searches_are_counted_together_by_whichever_door_they_come(alice_client, alice, conversation):
    _, secret = ApiKey.create_with_secret(alice.pk, "script")
    key = {"headers": {"x-api-key": secret}}
    assert "Bilbao" in alice_client.get("/conversations/?q=bilbao").content.decode()
    assert "lighthouse" in alice_client.get("/conversations/?part=search&q=lighthouse").content.decode()
    assert len(Client().get("/api/v1/conversations/search/?q=bilbao", **key).json()) == 1
    check(Client().get("/api/v1/conversations/search/?q=bilbao", **key))
    check(Client().get("/api/v1/conversations/?search=bilbao", **key))
    page = alice_client.get("/conversations/?q=bilbao")
    assert page.status_code == 429
    assert f"Wait {page['retry-after']} second" in page.content.decode()
    assert "password" not in page.content.decode()  # nobody was guessing
    assert alice_client.get("/conversations/?part=search&q=x").status_code == 429
    for path in ("/conversations/", "/conversations/?part=list", "/api/v1/conversations/", f"/c/{conversation.pk}/"):
        assert alice_client.get(path).status_code == 200  # what is no search is not counted


def test_nobody_uses_up_what_is_anothers(alice_client, bob):
    for _ in range(4):
        answer = alice_client.get("/conversations/?q=x")
    assert answer.status_code == 429
    other = Client()
    other.force_login(bob)
    assert other.get("/conversations/?q=x").status_code == 200


def test_exports_and_imports_are_counted_together(alice_client, conversation):
    one, everything = f"/api/v1/conversations/{conversation.pk}/export/", "/api/v1/conversations/export/"
    assert alice_client.get(f"{one}?as=markdown").status_code == 200
    assert alice_client.get(everything).status_code == 200
    for path in (one, f"{one}?as=markdown", everything):
        check(alice_client.get(path))
        page = alice_client.get(path, headers=BROWSER)  # a link that a person followed
        assert page.status_code == 429
        assert f"Wait {page['retry-after']} second" in page.content.decode()
    file = json.dumps({"format": "jarvis-conversations", "version": 1, "conversations": []}).encode()
    check(alice_client.post("/api/v1/conversations/import/", {"file": SimpleUploadedFile("x.json", file)}))
    assert alice_client.get("/conversations/?q=bilbao").status_code == 200  # searches are counted apart


def test_what_cannot_be_found_is_404_and_is_not_counted(alice_client, bob):
    theirs = Conversation.objects.create(owner=bob)
    for _ in range(3):
        assert alice_client.get(f"/api/v1/conversations/{theirs.pk}/export/").status_code == 404
    assert alice_client.get("/api/v1/conversations/export/").status_code == 200


def test_zero_is_no_limit(alice_client, configure):
    configure(web_rate_limit_searches=0, web_rate_limit_files=0)
    assert {alice_client.get("/conversations/?q=x").status_code for _ in range(20)} == {200}
    assert {alice_client.get("/api/v1/conversations/export/").status_code for _ in range(20)} == {200}


def test_of_fifty_at_once_exactly_the_limit_goes_through(alice):
    request = RequestFactory().get("/conversations/?q=x")
    request.user = alice
    with ThreadPoolExecutor(50) as threads:
        waits = list(threads.map(lambda _: limits.count_request(request, limits.search_limit()), range(50)))
    assert waits.count(0) == 3


def test_without_redis_a_person_still_reads_and_takes_what_is_theirs(alice_client, conversation, settings):
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "unix:///nowhere/redis.sock"}}
    assert "Bilbao" in alice_client.get("/conversations/?q=bilbao").content.decode()
    assert alice_client.get("/api/v1/conversations/export/").status_code == 200
