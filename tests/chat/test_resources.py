"""The REST resources of conversations and messages."""

import json
import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey, UserLimits
from chat.models import Conversation, Message
from inference.models import Generation, LanguageModel

pytestmark = pytest.mark.django_db
BASE = "/api/v1/conversations/"


@pytest.fixture
def alice_client(client, alice):
    client.force_login(alice)
    return client


def create_conversation(owner, *texts, **fields):
    conversation = Conversation.objects.create(owner=owner, **{"title": texts[0] if texts else "untitled"} | fields)
    for number, text in enumerate(texts):
        conversation.add_message("assistant" if number % 2 else "user", text)
    return conversation


def patch(client, conversation, **fields):
    return client.patch(f"{BASE}{conversation.pk}/", fields, content_type="application/json")


def error_of(response):
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


def titles(response):
    assert response.status_code == 200, response.content
    return [one["title"] for one in response.json()["results"]]


def test_one_lists_reads_and_changes_what_is_ones_own(alice_client, alice, bob):
    create_conversation(bob, "a secret")
    conversation = create_conversation(alice, "hello", "hi")
    (listed,) = alice_client.get(BASE).json()["results"]
    assert listed == alice_client.get(f"{BASE}{conversation.pk}/").json()
    assert set(listed) == {
        *("id", "title", "folder", "pinned", "archived", "model", "system_prompt", "temperature", "leaf"),
        *("created_at", "updated_at"),
    }
    LanguageModel.objects.register_served("fake")
    wanted = {"title": "A  new\nname", "folder": "Work", "pinned": True, "archived": True, "model": "fake"}
    changed = patch(alice_client, conversation, **wanted, system_prompt=" Be brief.\n", temperature=0.5)
    assert changed.status_code == 200
    assert changed.json() | wanted | {"title": "A new name"} == changed.json()
    conversation.refresh_from_db()
    assert conversation.title_source == "owner"
    assert conversation.system_prompt == " Be brief.\n"
    assert conversation.pinned_at is not None
    patch(alice_client, conversation, pinned=False, folder="", temperature=None)
    conversation.refresh_from_db()
    assert (conversation.pinned_at, conversation.folder, conversation.temperature) == (None, "", None)


def test_a_change_does_not_move_a_conversation_to_the_top(alice_client, alice):
    old, _ = create_conversation(alice, "old"), create_conversation(alice, "new")
    patch(alice_client, old, title="renamed", pinned=True)
    assert titles(alice_client.get(BASE)) == ["new", "renamed"]


def test_a_key_does_what_a_session_does(alice):
    conversation = create_conversation(alice, "hello")
    _, secret = ApiKey.create_with_secret(alice.pk, "laptop")
    headers = {"authorization": f"Bearer {secret}"}
    assert titles(Client().get(BASE, headers=headers)) == ["hello"]
    response = Client().patch(f"{BASE}{conversation.pk}/", '{"pinned": true}', "application/json", headers=headers)
    assert response.json()["pinned"] is True


def test_a_page_of_another_site_can_change_nothing(alice):
    conversation = create_conversation(alice, "hello")
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert patch(client, conversation, title="taken").status_code == 403
    assert client.delete(f"{BASE}{conversation.pk}/").status_code == 403


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"owner": 1}, "owner"),
        ({"id": str(uuid.uuid4())}, "id"),
        ({"deleted_at": None}, "deleted_at"),
        ({"title": "fine", "nonsense": 1}, "nonsense"),
        ({"title": ""}, "title"),
        ({"title": " \n"}, "title"),
        ({"title": None}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "nul\x00"}, "title"),
        ({"folder": "x" * 61}, "folder"),
        ({"folder": None}, "folder"),
        ({"pinned": "perhaps"}, "pinned"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"system_prompt": "x" * 20_001}, "system_prompt"),
    ],
)
def test_what_is_unknown_privileged_or_out_of_range_is_refused_by_name(alice_client, alice, fields, param):
    conversation = create_conversation(alice, "hello")
    assert error_of(patch(alice_client, conversation, **fields)) == (400, "invalid_request_error", param)
    conversation.refresh_from_db()
    assert (conversation.title, conversation.owner) == ("hello", alice)


def test_a_model_that_is_not_offered_is_refused(alice_client, alice):
    assert error_of(patch(alice_client, create_conversation(alice, "hello"), model="nobody")) == (
        404,
        "model_not_found",
        "model",
    )


def test_models_that_are_closed_to_who_is_signed_in_are_not_told(alice_client, alice):
    for name in ("open", "hidden"):
        LanguageModel.objects.create(name=name, source="x")
    UserLimits.objects.update_or_create(user=alice, defaults={"allowed_models": ["open"]})
    conversation = create_conversation(alice, "hello")
    hidden, unknown = (patch(alice_client, conversation, model=name) for name in ("hidden", "nobody"))
    assert hidden.status_code == unknown.status_code == 404
    assert hidden.content.replace(b"hidden", b"") == unknown.content.replace(b"nobody", b"")
    assert patch(alice_client, conversation, model="open").status_code == 200
    assert [model["name"] for model in alice_client.get("/api/v1/models/").json()["results"]] == ["open"]


def test_lists_are_filtered(alice_client, alice):
    create_conversation(alice, "plain")
    create_conversation(alice, "kept", archived_at=timezone.now())
    create_conversation(alice, "on top", pinned_at=timezone.now())
    create_conversation(alice, "filed", "about lighthouses", folder="Work")
    assert titles(alice_client.get(BASE)) == ["filed", "on top", "kept", "plain"]
    assert titles(alice_client.get(BASE, {"archived": "true"})) == ["kept"]
    assert titles(alice_client.get(BASE, {"archived": "false", "pinned": "false"})) == ["filed", "plain"]
    assert titles(alice_client.get(BASE, {"folder": "Work"})) == ["filed"]
    assert titles(alice_client.get(BASE, {"search": "lighthouse"})) == ["filed"]
    assert titles(alice_client.get(BASE, {"search": '"'})) == []
    assert titles(alice_client.get(BASE, {"folder": "Work", "archived": "true"})) == []


def test_a_long_list_comes_in_pages_that_miss_nothing_and_repeat_nothing(
    alice_client, alice, django_assert_num_queries
):
    same = timezone.now()
    rows = [Conversation(owner=alice, title=str(number)) for number in range(25)]
    Conversation.objects.bulk_create(rows)
    Conversation.objects.update(updated_at=same)
    seen, address = [], f"{BASE}?limit=10"
    while address:
        with django_assert_num_queries(3):  # session, account, conversations
            page = alice_client.get(address).json()
        seen += [one["id"] for one in page["results"]]
        address = page["next"]
    assert len(seen) == len(set(seen)) == 25


def test_deleting_can_be_undone_for_a_while_and_stops_what_runs(alice_client, alice, clean_redis):
    conversation = create_conversation(alice, "hello")
    running = Generation.objects.create(owner=alice, model="fake", door="chat", request_id="r", request={})
    conversation.add_message("assistant", generation=running)
    assert alice_client.delete(f"{BASE}{conversation.pk}/").status_code == 204
    running.refresh_from_db()
    assert running.status == "stopped"
    for method, address in (("get", ""), ("patch", ""), ("delete", ""), ("get", "messages/"), ("get", "export/")):
        response = getattr(alice_client, method)(f"{BASE}{conversation.pk}/{address}", content_type="application/json")
        assert response.status_code == 404
    assert titles(alice_client.get(BASE)) == []
    assert not Conversation.objects.for_user(alice.pk).exists()
    restored = alice_client.post(f"{BASE}{conversation.pk}/restore/")
    assert (restored.status_code, restored.json()["title"]) == (200, "hello")
    assert titles(alice_client.get(BASE)) == ["hello"]


def test_messages_are_told_as_a_tree_with_their_versions(alice_client, alice, django_assert_num_queries):
    conversation = create_conversation(alice, "one", "two", "three")
    one, two, three = conversation.messages.all()
    again = conversation.messages.create(role="assistant", text="two again", parent=one)
    with django_assert_num_queries(4):  # session, account, conversation, messages
        told = alice_client.get(f"{BASE}{conversation.pk}/messages/").json()["results"]
    assert [(row["id"], row["parent"], row["versions"]) for row in told] == [
        (one.pk, None, [one.pk]),
        (two.pk, one.pk, [two.pk, again.pk]),
        (three.pk, two.pk, [three.pk]),
        (again.pk, one.pk, [two.pk, again.pk]),
    ]
    assert told[0] | {"role": "user", "text": "one", "model": None, "status": None} == told[0]


def test_search_tells_conversations_with_the_hits_marked(alice_client, alice, bob):
    create_conversation(bob, "lighthouse")
    conversation = create_conversation(alice, "Where is the light?", "In the <b>lighthouse</b>.")
    (found,) = alice_client.get(f"{BASE}search/", {"q": "lighthouse"}).json()
    assert found["conversation"] == str(conversation.pk)
    assert found["message"] == conversation.messages.last().pk
    assert found["snippet"] == [
        {"text": "In the <b>", "hit": False},
        {"text": "lighthouse", "hit": True},
        {"text": "</b>.", "hit": False},
    ]
    assert error_of(alice_client.get(f"{BASE}search/", {"q": "x", "offset": "-1"})) == (
        400,
        "invalid_request_error",
        "offset",
    )


def test_what_was_deleted_a_day_ago_is_destroyed_and_only_figures_stay(alice):
    from chat.tasks import destroy

    now = timezone.now()
    old, young = (
        create_conversation(alice, "a secret", deleted_at=now - timedelta(hours=25)),
        create_conversation(alice, "x", deleted_at=now),
    )
    fields = {"owner": alice, "model": "fake", "door": "chat", "request_id": "r", "status": "done"}
    rows = [Generation.objects.create(**fields, text="a secret", request={"a": "secret"}) for _ in range(2)]
    Generation.objects.update(completion_tokens=7)
    old.add_message("assistant", "a secret", generation=rows[0])
    Conversation.objects.filter(pk=old.pk).update(titled_by=rows[1])
    assert destroy() == 1
    assert [one.pk for one in Conversation.objects.all()] == [young.pk]
    assert not Message.objects.filter(text__contains="secret").exists()
    for row in Generation.objects.all():
        assert (row.text, row.request, row.completion_tokens) == ("", None, 7)
    assert destroy() == 0


MATRIX = [
    ("get", "/api/v1/conversations/{id}/"),
    ("patch", "/api/v1/conversations/{id}/"),
    ("delete", "/api/v1/conversations/{id}/"),
    ("post", "/api/v1/conversations/{id}/restore/"),
    ("get", "/api/v1/conversations/{id}/messages/"),
    ("get", "/api/v1/conversations/{id}/export/"),
    ("get", "/api/v1/conversations/{id}/export/?as=markdown"),
    ("delete", "/api/v1/shares/{share}/"),
]
COLLECTIONS = [
    ("get", "/api/v1/conversations/"),
    ("get", "/api/v1/conversations/search/?q=secret"),
    ("get", "/api/v1/conversations/export/"),
    ("post", "/api/v1/conversations/import/"),
    ("get", "/api/v1/shares/"),
    ("post", "/api/v1/shares/"),
]


def revoked_key(user):
    key, secret = ApiKey.create_with_secret(user.pk, "old")
    key.revoke()
    return {"x-api-key": secret}


@pytest.mark.parametrize(("method", "address"), MATRIX)
def test_each_address_of_an_object_is_its_owners_alone(client, alice, bob, carol, method, address):
    conversation = create_conversation(bob, "a secret")
    share = conversation.create_share()
    address = address.format(id=conversation.pk, share=share.pk)
    assert getattr(Client(), method)(address).status_code == 401
    assert getattr(Client(), method)(address, headers=revoked_key(bob)).status_code == 401
    for stranger in (alice, carol):
        client.force_login(stranger)
        response = getattr(client, method)(address, content_type="application/json")
        assert error_of(response)[:2] == (404, "not_found")
        assert "secret" not in response.content.decode()
    conversation.refresh_from_db()
    share.refresh_from_db()
    assert (conversation.deleted_at, share.withdrawn_at) == (None, None)
    client.force_login(bob)
    assert getattr(client, method)(address, content_type="application/json").status_code in (200, 204)


@pytest.mark.parametrize(("method", "address"), COLLECTIONS)
def test_no_collection_is_open_to_nobody(method, address, alice):
    assert getattr(Client(), method)(address).status_code == 401
    assert getattr(Client(), method)(address, headers=revoked_key(alice)).status_code == 401


@pytest.mark.parametrize("id", ["x", "0", "00000000-0000-4000-8000-000000000000", "-" * 36, "%00"])
def test_an_id_that_is_none_is_not_found(alice_client, id):
    assert alice_client.get(f"{BASE}{id}/").status_code == 404


@pytest.mark.parametrize("query", ["archived=x", "limit=x", "cursor=x", "folder=%00", "search=%00", "pinned=%ff"])
def test_no_query_is_a_fault_of_the_server(alice_client, query):
    assert alice_client.get(f"{BASE}?{query}").status_code in (200, 400, 404)


def test_the_description_of_it_all_has_no_holes(alice_client, capsys, monkeypatch):
    from django.core.management import call_command

    call_command("spectacular", fail_on_warn=True, validate=True)
    assert "/api/v1/conversations/{id}/messages/" in capsys.readouterr().out


def test_bodies_that_are_no_objects_are_refused(alice_client, alice):
    conversation = create_conversation(alice, "hello")
    for body in ("[]", "1", "null", '"x"', "{", "\xff", json.dumps({"title": {}})):
        response = alice_client.patch(f"{BASE}{conversation.pk}/", body, content_type="application/json")
        assert response.status_code == 400, body
