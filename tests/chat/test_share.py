"""Links under which anybody may read."""

import pytest
from django.test import Client

from chat.models import Conversation, Share
from inference.models import Generation
from tests.support.live import static_files

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice_client(client, alice):
    static_files()
    client.force_login(alice)
    return client


@pytest.fixture
def conversation(alice):
    made = Conversation.objects.create(owner=alice, title="A <b>title</b>")
    made.add_message("user", "a question <script>alert(1)</script>")
    row = Generation.objects.create(owner=alice, model="fake", door="chat", request_id="r", status="done")
    made.add_message("assistant", "an answer", generation=row)
    return made


def share(alice_client, conversation, **fields):
    response = alice_client.post(
        "/api/v1/shares/", {"conversation": str(conversation.pk), **fields}, "application/json"
    )
    assert response.status_code == 201, response.content
    return response.json()


def open_link(link):
    return Client().get(link["url"])


def test_anybody_reads_what_was_said_and_nothing_of_how_or_by_whom(alice_client, alice, conversation):
    link = share(alice_client, conversation)
    assert len(Share.objects.get().token) == 43
    response = open_link(link)
    page = response.content.decode()
    assert response.status_code == 200
    assert "an answer" in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "A &lt;b&gt;title&lt;/b&gt;" in page
    for told in ("alice", str(conversation.pk), "data-generation", "data-key", "fake"):
        assert told not in page
    assert response["x-robots-tag"] == "noindex, nofollow"
    assert "no-store" in response["cache-control"]
    assert response["referrer-policy"] == "no-referrer"
    assert '<meta name="robots" content="noindex' in page


def test_the_owners_name_is_shown_only_where_they_wish(alice_client, alice, conversation):
    alice.first_name, alice.last_name = "Alice", "Liddell"
    alice.save()
    assert "Alice Liddell" in open_link(share(alice_client, conversation, with_name=True)).content.decode()
    assert "Liddell" not in open_link(share(alice_client, conversation)).content.decode()


def test_it_shows_the_conversation_as_it_was_and_no_other_version(alice_client, conversation):
    link = share(alice_client, conversation)
    question, _ = conversation.messages.all()
    conversation.add_message("user", "said later")
    conversation.leaf = conversation.messages.create(role="assistant", text="another version", parent=question)
    conversation.save()
    page = open_link(link).content.decode()
    assert "an answer" in page
    assert "said later" not in page
    assert "another version" not in page


def test_a_link_that_is_withdrawn_shows_nothing_nor_do_a_deleted_conversation_or_account(
    alice_client, alice, conversation
):
    link = share(alice_client, conversation)
    nowhere = Client().get("/s/" + "x" * 43 + "/")
    conversation.delete_softly()
    assert (open_link(link).status_code, open_link(link).content) == (404, nowhere.content)
    conversation.restore()
    assert open_link(link).status_code == 200
    alice.is_active = False
    alice.save()
    assert open_link(link).status_code == 404
    alice.is_active = True
    alice.save()
    assert alice_client.delete(f"/api/v1/shares/{link['id']}/").status_code == 204
    assert (open_link(link).status_code, open_link(link).content) == (404, nowhere.content)
    assert alice_client.delete(f"/api/v1/shares/{link['id']}/").status_code == 404
    assert alice_client.get("/api/v1/shares/").json()["results"] == []


def test_own_links_are_listed_also_for_one_conversation(alice_client, alice, bob, conversation):
    other = Conversation.objects.create(owner=alice, title="other")
    other.add_message("user", "hello")
    links = [share(alice_client, conversation), share(alice_client, other)]
    theirs = Conversation.objects.create(owner=bob)
    theirs.add_message("user", "x")
    theirs.create_share()
    listed = alice_client.get("/api/v1/shares/").json()["results"]
    assert [link["url"] for link in listed] == [link["url"] for link in reversed(links)]
    one = alice_client.get(f"/api/v1/shares/?conversation={other.pk}").json()["results"]
    assert [link["title"] for link in one] == ["other"]
    page = alice_client.get("/conversations/").content.decode()
    assert page.count('class="withdraw"') == 2


@pytest.mark.parametrize("fields", [{}, {"conversation": "x"}, {"conversation": None}, {"token": "mine"}, {"leaf": 1}])
def test_what_is_not_in_order_is_refused(alice_client, conversation, fields):
    body = fields if "conversation" in fields or not fields else {"conversation": str(conversation.pk), **fields}
    response = alice_client.post("/api/v1/shares/", body, "application/json")
    assert response.status_code == 400, response.content
    assert not Share.objects.exists()


def test_nobody_shares_what_is_anothers_deleted_or_empty(alice_client, alice, bob):
    theirs = Conversation.objects.create(owner=bob, title="a secret")
    theirs.add_message("user", "a secret")
    gone = Conversation.objects.create(owner=alice)
    gone.add_message("user", "x")
    gone.delete_softly()
    empty = Conversation.objects.create(owner=alice)
    for one, status in ((theirs, 404), (gone, 404), (empty, 400)):
        response = alice_client.post("/api/v1/shares/", {"conversation": str(one.pk)}, "application/json")
        assert response.status_code == status
        assert "secret" not in response.content.decode()
    assert not Share.objects.exists()


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_the_page_is_only_read(alice_client, conversation, method):
    assert getattr(Client(), method)(share(alice_client, conversation)["url"]).status_code == 405
