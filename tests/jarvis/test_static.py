"""Static files as browsers and caches ask for them."""

import re

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage

from jarvis.web.static import OURS
from tests.support.live import static_files


@pytest.fixture
def address():
    static_files()
    return staticfiles_storage.url("chat/chat.css")


def test_a_file_comes_compressed_under_a_name_that_may_be_kept_for_ever(client, address):
    plain = client.get(address)
    assert re.fullmatch(r"/static/chat/chat\.[0-9a-f]{12}\.css", address)
    assert plain.status_code == 200
    assert plain["content-type"].startswith("text/css")
    assert "immutable" in plain["cache-control"]
    small = client.get(address, headers={"accept-encoding": "gzip"})
    assert small["content-encoding"] == "gzip"
    assert len(small.content) < len(plain.content) / 2


def test_what_a_browser_has_already_is_not_sent_again(client, address):
    first = client.get(address)
    again = client.get(address, headers={"if-none-match": first["etag"], "if-modified-since": first["last-modified"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_head_and_a_part_of_a_file(client, address):
    whole = client.get(address)
    head = client.head(address)
    assert (head.content, head["content-length"]) == (b"", whole["content-length"])
    part = client.get(address, headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])


@pytest.mark.parametrize("path", ["../settings.py", "..%2fsettings.py", "%2e%2e/%2e%2e/manage.py", "nothing.css", ""])
@pytest.mark.django_db
def test_nothing_else_is_served(client, address, path):
    assert client.get(f"/static/{path}").status_code == 404


def test_our_scripts_are_small_and_find_each_other_under_their_hashed_names(client, address):
    paths = [path for path in staticfiles_storage.hashed_files if path.endswith(".js") and path.split("/")[0] in OURS]
    scripts = {path: client.get(staticfiles_storage.url(path)).content.decode() for path in paths}
    assert "chat/page.js" in scripts
    assert sum(len(text.encode()) for text in scripts.values()) < 80 * 1024
    imported = {name for text in scripts.values() for name in re.findall(r'(?:from ?|import\()"\./([^"]+)"', text)}
    assert imported
    assert all(re.fullmatch(r"[a-z]+\.[0-9a-f]{12}\.js", name) for name in imported)
    assert not any(re.search(r"^\s*//", text, re.MULTILINE) for text in scripts.values())
