"""The page "My data": what a person has, and the ways to it."""

import re

import pytest

from chat.models import Conversation
from tests.support.live import static_files

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice_client(client, alice):
    static_files()
    client.force_login(alice)
    return client


def create_conversation(owner, **fields):
    made = Conversation.objects.create(owner=owner, **fields)
    made.add_message("user", "hello")
    return made


def read_page(client):
    return client.get("/settings/data/").content.decode()


def test_it_is_among_the_settings_and_needs_a_sign_in(client, alice_client):
    assert 'href="/settings/data/"' in alice_client.get("/settings/").content.decode()
    assert 'href="/settings/data/" aria-current="page"' in read_page(alice_client)
    alice_client.logout()
    assert alice_client.get("/settings/data/")["location"] == "/sign-in/?next=/settings/data/"


def test_every_way_that_it_shows_leads_there(alice_client, alice, bob):
    create_conversation(alice).create_share()
    create_conversation(alice)
    create_conversation(bob).create_share()
    gone = create_conversation(alice)
    gone.create_share()
    gone.delete_softly()
    page = read_page(alice_client)
    assert "You have 2 conversations." in page
    assert "1 link of yours is open" in page
    ways = re.findall(r'class="button" href="([^"]+)"', page)
    assert ways == [
        "/api/v1/conversations/export/",
        "/conversations/#files-head",
        "/conversations/",
        "/conversations/#shares-head",
        "/settings/data/delete/",
    ]
    for way in ways[:-1]:  # the last is test_leaving.py's
        address, _, mark = way.partition("#")
        response = alice_client.get(address)
        assert response.status_code == 200
        assert not mark or f'id="{mark}"' in response.content.decode()


def test_who_has_nothing_is_offered_no_empty_file(alice_client):
    page = read_page(alice_client)
    assert "You have no conversations yet." in page
    assert "export/" not in page
    assert "No link is open." in page
