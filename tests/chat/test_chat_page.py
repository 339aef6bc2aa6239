"""The page as the server gives it."""

import itertools
import re
from html.parser import HTMLParser

import pytest
from django.test import Client

from chat.models import Conversation, Message
from chat.pages.messages import MAX_PAGE_MESSAGES
from chat.rendering.stored import RENDERER_MARK
from inference.models import Generation, LanguageModel
from tests.support.live import static_files
from tests.support.sockets import link_messages

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def files():
    static_files()


@pytest.fixture
def alice_client(client, alice):
    client.force_login(alice)
    return client


def conversation(owner, *texts, **generation):
    made = Conversation.objects.create(owner=owner, title=texts[0])
    for number, text in enumerate(texts):
        row = None
        if number % 2:
            row = Generation.objects.create(owner=owner, model="fake", door="chat", request_id="r", **generation)
        made.add_message("assistant" if row else "user", text, generation=row)
    return made


def test_a_conversation_is_there_without_any_script(alice_client, alice):
    made = conversation(alice, "What is two and two?", "Four.", status="done")
    page = alice_client.get(f"/c/{made.id}/").content.decode()
    assert "Four." in page
    assert page.count("<article") == 2
    assert 'aria-current="page"' in page
    assert f'href="/c/{made.id}/"' in alice_client.get("/").content.decode()


def test_another_persons_conversation_is_as_unknown_as_one_that_does_not_exist(alice_client, bob):
    secret = conversation(bob, "a secret")
    theirs = alice_client.get(f"/c/{secret.id}/")
    nowhere = alice_client.get("/c/00000000-0000-4000-8000-000000000000/")
    assert theirs.status_code == nowhere.status_code == 404
    assert theirs.content == nowhere.content
    assert "a secret" not in alice_client.get("/").content.decode()


def test_nobody_reads_without_signing_in(alice):
    made = conversation(alice, "a secret")
    for address in ("/", f"/c/{made.id}/"):
        response = Client().get(address)
        assert (response.status_code, response["location"]) == (302, f"/sign-in/?next={address}")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_pages_are_only_read(alice_client, method):
    assert getattr(alice_client, method)("/").status_code == 405


def test_nothing_that_was_written_becomes_markup(alice_client, alice):
    nasty = "</div><script>alert(1)</script><img src=x onerror=alert(1)>\"'&lt;"
    made = conversation(alice, nasty, nasty, status="failed", error_message=nasty)
    LanguageModel.objects.register_served(nasty)
    page = alice_client.get(f"/c/{made.id}/").content.decode()
    tags = Tags()
    tags.feed(page)
    assert page.count("alert(1)") >= 4
    assert [attributes for tag, attributes in tags.found if tag == "img" and ("src", "x") in attributes] == []
    assert [name for _, attributes in tags.found for name, _ in attributes if name.startswith("on")] == []
    assert [dict(attributes).get("type") for tag, attributes in tags.found if tag == "script"] == [
        "module",
        "module",
        "application/json",
    ]


class Tags(HTMLParser):
    """All elements of a page, as a browser would find them."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, attributes))


def test_the_page_takes_the_same_few_queries_however_much_there_is(alice_client, alice, django_assert_num_queries):
    made = conversation(alice, *["text"] * 10, status="done")
    alice_client.get(f"/c/{made.id}/")  # its answers are rendered now
    with django_assert_num_queries(8):  # session, account, groups, conversation, models, messages, sidebar, folders
        alice_client.get(f"/c/{made.id}/")
    for _ in range(30):
        conversation(alice, *["text"] * 10, status="done")
    with django_assert_num_queries(8):
        alice_client.get(f"/c/{made.id}/")


def test_a_long_conversation_is_shown_from_its_end_page_by_page(alice_client, alice):
    made = Conversation.objects.create(owner=alice, title="long")
    lines = [
        Message(conversation=made, role="user", text=f"line {number}.") for number in range(2 * MAX_PAGE_MESSAGES + 10)
    ]
    link_in_order(lines)
    link_messages()
    pages = [alice_client.get(f"/c/{made.id}/").content.decode()]
    while link := re.search(r'<a href="([^"]+)" data-before="(\d+)">Show the earlier', pages[-1]):
        pages.append(alice_client.get(link[1]).content.decode())
        piece = alice_client.get(f"/c/{made.id}/messages/?before={link[2]}").content.decode()
        assert list_lines(piece) == list_lines(pages[-1])
        assert "<body" not in piece
    assert [len(list_lines(page)) for page in pages] == [MAX_PAGE_MESSAGES, MAX_PAGE_MESSAGES, 10]
    assert [line for page in pages[::-1] for line in list_lines(page)] == [line.text for line in lines]
    assert "To the newest messages" in pages[-1]


def link_in_order(messages):
    """Write messages that follow each other, many at once."""
    made = Message.objects.bulk_create(messages)
    for before, after in itertools.pairwise(made):
        after.parent = before
    Message.objects.bulk_update(made, ["parent"], batch_size=500)


def list_lines(page):
    return re.findall(r"line \d+\.", page)


@pytest.mark.parametrize("before", ["x", "-1", "1" * 30, "٣", "1.5"])
def test_a_page_before_nothing_that_can_be_is_404(alice_client, alice, before):
    made = conversation(alice, "x")
    for address in (f"/c/{made.id}/", f"/c/{made.id}/messages/"):
        assert alice_client.get(address, {"before": before}).status_code == 404


def test_the_end_of_2000_messages_takes_as_few_queries_as_one(alice_client, alice, django_assert_num_queries):
    made = Conversation.objects.create(owner=alice, title="long")
    link_in_order(Message(conversation=made, role="assistant", text="*x*") for _ in range(2000))
    link_messages()
    with django_assert_num_queries(9):  # as above, and one that keeps what was rendered
        alice_client.get(f"/c/{made.id}/")
    with django_assert_num_queries(8):
        alice_client.get(f"/c/{made.id}/")


def test_an_answer_is_rendered_on_its_first_view_and_kept(alice_client, alice):
    made = conversation(alice, "*plain*", "**bold**", status="done")
    for _ in range(2):
        page = alice_client.get(f"/c/{made.id}/").content.decode()
        assert "<p><strong>bold</strong></p>" in page
        assert '<div class="said">*plain*</div>' in page
    answer = made.messages.get(role="assistant")
    assert answer.html == f"{RENDERER_MARK}<p><strong>bold</strong></p>\n"
    Message.objects.filter(pk=answer.pk).update(html="<!--0--><p>of an older renderer</p>")
    assert "<strong>bold</strong>" in alice_client.get(f"/c/{made.id}/").content.decode()


def test_the_source_of_a_message_is_its_owners_alone(alice_client, alice, bob):
    made, theirs = conversation(alice, "q", "**a** <b>"), conversation(bob, "a secret")
    answer, secret = made.messages.last(), theirs.messages.first()
    response = alice_client.get(f"/c/{made.id}/messages/{answer.pk}/source/")
    assert (response.content.decode(), response["content-type"]) == ("**a** <b>", "text/plain; charset=utf-8")
    for address in (
        f"/c/{theirs.id}/messages/{secret.pk}/source/",
        f"/c/{made.id}/messages/{secret.pk}/source/",
        f"/c/{made.id}/messages/0/source/",
        f"/c/{theirs.id}/messages/",
    ):
        assert alice_client.get(address).status_code == 404
    assert Client().get(f"/c/{made.id}/messages/{answer.pk}/source/").status_code == 302
    assert Client().get(f"/c/{made.id}/messages/").status_code == 302


def test_every_page_has_the_policy_and_nothing_inline(alice_client, alice):
    made = conversation(alice, "x")
    for address in ("/", f"/c/{made.id}/", "/sign-in/", "/setup/x/", "/nowhere", "/admin/"):
        response = alice_client.get(address)
        policy = response["content-security-policy"]
        for rule in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"):
            assert rule in policy
        assert "unsafe" not in policy
        page = response.content.decode()
        assert not re.search(r"<script(?![^>]*(src=|application/json))", page)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)
        assert response["x-content-type-options"] == "nosniff"


def test_a_page_is_compressed_for_who_can_read_that(alice_client):
    response = alice_client.get("/", headers={"accept-encoding": "gzip"})
    assert response["content-encoding"] == "gzip"
    assert "Accept-Encoding" in response["vary"]
    assert "content-encoding" not in alice_client.get("/")


def test_pages_with_somebodys_words_are_not_kept_by_caches(alice_client):
    assert "no-store" in alice_client.get("/")["cache-control"]


def test_the_guide_is_named_for_what_it_is_and_how_to_replace_it_to_who_can(alice_client, carol, client):
    LanguageModel.objects.register_served("guide")
    page = alice_client.get("/").content.decode()
    assert "<strong>guide</strong>" in page
    assert "JARVIS_MODEL" not in page
    client.force_login(carol)
    assert "JARVIS_MODEL=Qwen/Qwen3-8B" in client.get("/").content.decode()
    LanguageModel.objects.register_served("Qwen/Qwen3-8B")
    assert "JARVIS_MODEL" not in client.get("/").content.decode()


def test_scripts_have_hashed_names_and_are_kept_for_ever(alice_client):
    page = alice_client.get("/").content.decode()
    (script,) = re.findall(r'src="(/static/chat/page\.[0-9a-f]{12}\.js)"', page)
    response = alice_client.get(script)
    assert "immutable" in response["cache-control"]
    modules = re.findall(r'from "\./([^"]+)"', response.content.decode())
    assert len(modules) >= 8
    for module in modules:
        assert re.fullmatch(r"\w+\.[0-9a-f]{12}\.js", module)
        assert alice_client.get(f"/static/chat/{module}").status_code == 200


def test_a_name_of_a_host_that_is_not_served_gets_400(alice_client):
    assert alice_client.get("/", headers={"host": "evil.example"}).status_code == 400
