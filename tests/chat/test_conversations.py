"""The list of conversations as the server gives it, whole and in pieces."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone, translation

from chat.models import Conversation
from chat.pages import sidebar
from tests.support.live import static_files

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 18, 0, 30, tzinfo=UTC)


@pytest.fixture
def alice_client(client, alice):
    static_files()
    client.force_login(alice)
    return client


def create_conversation(owner, title, at=None, **fields):
    conversation = Conversation.objects.create(owner=owner, title=title, **fields)
    Conversation.objects.filter(pk=conversation.pk).update(updated_at=at or timezone.now())
    return conversation


def list_titles(groups):
    return [(group.name, [one.title for one in group.conversations]) for group in groups]


def list_headings(days, **zone):
    return [
        group.name for group in sidebar.group_by_date([Conversation(updated_at=NOW - timedelta(days=n)) for n in days])
    ]


def test_headings_follow_the_readers_zone_and_language(monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    days = (0, 0.1, 1.2, 2, 7, 8, 30, 31, 400)
    names = ["Today", "Yesterday", "Previous 7 days", "Previous 30 days", "February 2026", "February 2025"]
    assert list_headings(days) == names
    with timezone.override(ZoneInfo("America/New_York")):  # there it is still the day before
        assert list_headings((0, 0.1, 1.2)) == ["Today", "Yesterday"]
    with translation.override("es"):
        assert list_headings((0, 31)) == ["Hoy", "Febrero de 2026"]


def test_pinned_ones_come_first_then_folders_then_dates(alice, bob):
    create_conversation(bob, "a secret", pinned_at=timezone.now(), folder="Secret")
    create_conversation(alice, "old", timezone.now() - timedelta(days=3))
    create_conversation(alice, "filed", folder="Work")
    create_conversation(alice, "filed away", folder="Work", archived_at=timezone.now())
    create_conversation(alice, "on top", pinned_at=timezone.now(), folder="Play")
    create_conversation(alice, "gone", deleted_at=timezone.now())
    groups, following = sidebar.list_groups(alice.pk)
    assert list_titles(groups) == [("Pinned", ["on top"]), ("Play", []), ("Work", []), ("Previous 7 days", ["old"])]
    assert [(group.name, group.count) for group in groups if group.folder] == [("Play", 0), ("Work", 1)]
    assert following == ""
    groups, _ = sidebar.list_groups(alice.pk, Conversation.objects.get(title="filed"))
    assert ("Work", ["filed"]) in list_titles(groups)  # the open one is to be seen


def test_a_long_list_comes_in_pieces_that_join(alice_client, alice, django_assert_num_queries):
    rows = [Conversation(owner=alice, title=f"number {n}") for n in range(250)]
    Conversation.objects.bulk_create(rows)
    Conversation.objects.update(updated_at=timezone.now())  # all at the same moment
    seen, address = [], "/conversations/?part=list"
    while address:
        with django_assert_num_queries(4 if not seen else 3):  # session, account, conversations, and folders at first
            page = alice_client.get(address)
        seen += [one.title for group in page.context["groups"] for one in group.conversations]
        next_page = page.context["next_page"]
        address = f"/conversations/?part=list&{next_page}" if next_page else ""
    assert len(seen) == len(set(seen)) == 250
    again = alice_client.get("/conversations/?part=list&listed=200").content.decode()
    assert again.count("<li") == 200


def test_ten_thousand_conversations_are_listed_by_the_index(alice):
    Conversation.objects.bulk_create([Conversation(owner=alice, title=str(n)) for n in range(2000)])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE chat_conversation")  # else the planner knows what some other test has left
    plan = Conversation.objects.for_user(alice.pk).outside_folders().newest_first()[:101].explain()
    assert "dated_conversations" in plan
    assert "Sort" not in plan


def test_a_folder_and_the_archive_are_pages_without_any_script(alice_client, alice):
    create_conversation(alice, "filed", folder="Wörk & <b>")
    create_conversation(alice, "kept", archived_at=timezone.now())
    page = alice_client.get("/conversations/", {"folder": "Wörk & <b>"}).content.decode()
    assert "filed</a>" in page
    assert "kept</a>" not in page
    assert "Wörk &amp; &lt;b&gt;" in page
    archive = alice_client.get("/conversations/?archived").content.decode()
    assert "kept</a>" in archive
    assert "filed</a>" not in archive
    assert "filed</a>" in alice_client.get("/conversations/?part=folder", {"folder": "Wörk & <b>"}).content.decode()


def test_a_search_is_a_page_without_any_script_and_its_hits_are_no_markup(alice_client, alice):
    conversation = create_conversation(alice, "<img src=x onerror=alert(1)> lighthouse")
    conversation.add_message("user", "<script>alert(1)</script> lighthouse </mark>")
    for address in ("/conversations/?q=lighthouse", "/conversations/?part=search&q=lighthouse"):
        page = alice_client.get(address).content.decode()
        assert page.count("<mark>lighthouse</mark>") == 2
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        message = conversation.messages.get().pk
        assert f'href="/c/{conversation.pk}/?message={message}&amp;q=lighthouse#m{message}"' in page
    assert "<b>" not in alice_client.get("/conversations/", {"q": '"><b>'}).content.decode()


def test_a_hit_in_another_version_is_shown_on_its_own_path(alice_client, alice):
    conversation = create_conversation(alice, "versions")
    first = conversation.add_message("user", "first wording")
    conversation.add_message("assistant", "an answer to the first")
    other = conversation.messages.create(role="user", text="second wording")
    conversation.leaf = other
    conversation.save()
    page = alice_client.get(f"/c/{conversation.pk}/").content.decode()
    assert "second wording" in page
    assert "first wording" not in page
    page = alice_client.get(f"/c/{conversation.pk}/?message={first.pk}").content.decode()
    assert "an answer to the first" in page
    assert f'id="m{first.pk}"' in page
    assert "second wording" not in page
    for nonsense in ("x", "-1", "9" * 30, "%00"):
        assert alice_client.get(f"/c/{conversation.pk}/?message={nonsense}").status_code == 404
    assert (
        "second wording" in alice_client.get(f"/c/{conversation.pk}/?message=0").content.decode()
    )  # it may be deleted


def test_a_hit_far_up_is_shown_however_long_the_conversation_is(alice_client, alice):
    conversation = create_conversation(alice, "long")
    first = conversation.add_message("user", "the first line")
    parent = first
    for number in range(210):
        parent = conversation.messages.create(role="user", text=f"line {number}", parent=parent)
    conversation.leaf = parent
    conversation.save()
    assert "the first line" not in alice_client.get(f"/c/{conversation.pk}/").content.decode()
    assert "the first line" in alice_client.get(f"/c/{conversation.pk}/?message={first.pk}").content.decode()


def test_only_ones_own_and_only_signed_in(alice_client, bob):
    secret = create_conversation(bob, "a secret", folder="Hidden")
    secret.add_message("user", "a secret")
    for query in ("", "?archived", "?folder=Hidden", "?q=secret", "?part=list", "?part=folder&folder=Hidden"):
        page = alice_client.get(f"/conversations/{query}").content.decode()
        assert "a secret" not in page
        assert Client().get(f"/conversations/{query}").status_code == 302
    assert alice_client.get(f"/conversations/?part=list&current={secret.pk}").content.decode().count("secret") == 0


@pytest.mark.parametrize(
    "query",
    [
        "part=x",
        "part=list&at=x",
        "part=list&at=2026-01-01&id=x",
        "part=list&at=2026-01-01T00:00:00&id=00000000-0000-4000-8000-000000000000",
        "part=list&listed=x",
        "part=list&current=x",
        "part=search&q=a&offset=x",
        "at=9999-99-99T00:00:00Z",
    ],
)
def test_a_query_that_is_not_in_order_is_refused(alice_client, query):
    assert alice_client.get(f"/conversations/?{query}").status_code == 400


@pytest.mark.parametrize(
    "query", ["part=folder&folder=%00", "folder=%00", "q=%00", "part=list&listed=-5", "offset=-5&q=a"]
)
def test_no_query_is_a_fault_of_the_server(alice_client, query):
    assert alice_client.get(f"/conversations/?{query}").status_code == 200
