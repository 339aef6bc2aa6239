"""The page "My data": what a person has, and the ways to it."""

import re

import pytest

from chat.models import Conversation
from tests.support.live import static_files

pytestmark = pytest.mark.django_db


@pytest.fixture
def mine(client, alice):
    static_files()
    client.force_login(alice)
    return client


def said(owner, **fields):
    made = Conversation.objects.create(owner=owner, **fields)
    made.add_message("user", "hello")
    return made


def page_of(client):
    return client.get("/settings/data/").content.decode()


def test_it_is_among_the_settings_and_needs_a_sign_in(client, mine):
    assert 'href="/settings/data/"' in mine.get("/settings/").content.decode()
    assert 'href="/settings/data/" aria-current="page"' in page_of(mine)
    mine.logout()
    assert mine.get("/settings/data/")["location"] == "/sign-in/?next=/settings/data/"


def test_every_way_that_it_shows_leads_there(mine, alice, bob):
    said(alice).create_share()
    said(alice)
    said(bob).create_share()
    gone = said(alice)
    gone.create_share()
    gone.delete_softly()
    page = page_of(mine)
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
        response = mine.get(address)
        assert response.status_code == 200
        assert not mark or f'id="{mark}"' in response.content.decode()


def test_who_has_nothing_is_offered_no_empty_file(mine):
    page = page_of(mine)
    assert "You have no conversations yet." in page
    assert "export/" not in page
    assert "No link is open." in page
