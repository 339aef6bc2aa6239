"""The connection breaks; nothing is lost and nothing is sent twice."""

import asyncio

import pytest
import pytest_asyncio
from playwright.async_api import expect

from chat.models import Message
from inference.models import Generation
from jarvis.lib.database import in_database
from tests.support.fake_engine import numbered
from tests.support.live import serve, static_files
from tests.support.pages import ask, sign_in
from tests.support.waiting import until
from tests.support.workers import working

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.django_db(transaction=True)]


@pytest_asyncio.fixture(loop_scope="session")
async def site(alice):
    """Only an address: each test here starts and stops the server itself."""
    static_files()
    async with serve() as address:
        pass
    return address


def port(site):
    return int(site.rpartition(":")[2])


async def wait_open(page, other):
    """One conversation, with a first answer, in two windows."""
    await sign_in(page)
    await ask(page, "First.")
    await expect(page.locator(".assistant .said")).to_have_text(numbered(16).strip())
    await sign_in(other)
    await other.goto(page.url)


async def test_an_answer_goes_on_on_the_page_when_the_server_comes_back(visit, site, held, engine):
    engine.settings.answer_tokens = 400
    page = await visit()
    page.expect_complaint("ERR_CONNECTION_REFUSED")
    page.expect_complaint("WebSocket")
    async with working(held):
        async with serve(port(site)):
            await sign_in(page)
            await ask(page, "Count.")
            said = page.locator(".assistant .said")
            await expect(said).to_contain_text("t20 ")
        await expect(page.locator("#state")).to_have_attribute("data-phase", "reconnecting")
        await expect(page.locator("#banner")).to_contain_text("No connection to Jarvis.")
        async with serve(port(site)):
            await expect(page.locator("#state")).to_have_attribute("data-phase", "ready")
            await expect(said).to_have_text(numbered(400).strip(), timeout=20_000)
            await page.close()


async def test_what_is_asked_meanwhile_is_kept_over_a_reload_and_sent_once(visit, site, held):
    page = await visit()
    page.expect_complaint("ERR_CONNECTION_REFUSED")
    page.expect_complaint("WebSocket")
    async with working(held):
        async with serve(port(site)):
            await sign_in(page)
            await ask(page, "First.")
            await expect(page.locator(".assistant .said")).to_have_text(numbered(16).strip())
        await expect(page.locator("#state")).to_have_attribute("data-phase", "reconnecting")
        await ask(page, "Second.")
        await expect(page.locator(".user .fate")).to_contain_text("Not sent yet.")
        async with serve(port(site)):
            await page.reload()
            await expect(page.locator(".assistant .said").last).to_have_text(numbered(16).strip())
            await expect(page.locator(".user .said")).to_have_text(["First.", "Second."])
            await expect(page.locator(".fate")).to_have_count(0)
            await expect(page.locator(".message")).to_have_count(4)
            await page.close()
    assert await in_database(Generation.objects.count) == 2
    assert await in_database(Message.objects.filter(role="user").count) == 2


async def test_two_questions_in_a_new_chat_without_a_connection_become_one_conversation(visit, site, held):
    page = await visit()
    page.expect_complaint("ERR_CONNECTION_REFUSED")
    page.expect_complaint("WebSocket")
    async with working(held):
        async with serve(port(site)):
            await sign_in(page)
        await expect(page.locator("#state")).to_have_attribute("data-phase", "reconnecting")
        await ask(page, "First.")
        await ask(page, "Second.")
        async with serve(port(site)):
            await expect(page.locator(".assistant[data-status=done]")).to_have_count(2)
            await expect(page.locator(".message .said")).to_have_text(
                ["First.", numbered(16).strip(), "Second.", numbered(16).strip()]
            )
            await expect(page.locator("#conversations li")).to_have_count(1)
            await page.close()


async def test_what_was_said_in_another_window_meanwhile_is_caught_up(visit, site, held):
    page, other = await visit(), await visit()
    for one in (page, other):
        one.expect_complaint("ERR_CONNECTION_REFUSED")
        one.expect_complaint("WebSocket")
        one.expect_complaint("ERR_INTERNET_DISCONNECTED")
        one.expect_complaint("Failed to fetch")
    async with working(held), serve(port(site)):
        await wait_open(page, other)
        await page.context.set_offline(True)
        await expect(page.locator("#state")).to_have_attribute("data-phase", "reconnecting")
        await ask(other, "Second.")
        await expect(other.locator(".assistant .said").last).to_have_text(numbered(16).strip())
        await page.context.set_offline(False)
        await expect(page.locator(".message .said")).to_have_text(
            ["First.", numbered(16).strip(), "Second.", numbered(16).strip()]
        )
        await page.close()
        await other.close()


# Counts the messages that are taken away, though they may come back.
WATCHED = """() => {
  window.taken = [];
  new MutationObserver((changes) => {
    for (const change of changes)
      for (const node of change.removedNodes) if (node.matches?.(".message")) window.taken.push(node.innerText);
  }).observe(document.getElementById("messages"), { childList: true });
}"""


async def test_a_page_that_was_fetched_before_a_question_was_told_does_not_take_it_away(visit, site, held):
    page, other = await visit(), await visit()
    for words in ("WebSocket", "ERR_INTERNET_DISCONNECTED", "Failed to fetch"):
        page.expect_complaint(words)
    fetched, told, calls = asyncio.Event(), asyncio.Event(), []

    async def late(route):
        """The first page as it is now, but not before the question has been told."""
        calls.append(route.request.url)
        if len(calls) > 1:
            await route.continue_()
            return
        old = await route.fetch()
        fetched.set()
        await told.wait()
        await route.fulfill(response=old)

    async with working(held), serve(port(site)):
        await wait_open(page, other)
        await page.route(page.url, late)
        await page.evaluate(WATCHED)
        await page.context.set_offline(True)
        await expect(page.locator("#state")).to_have_attribute("data-phase", "reconnecting")
        await page.context.set_offline(False)
        await asyncio.wait_for(fetched.wait(), 15)
        await ask(other, "Second.")
        await expect(page.locator(".user .said")).to_have_text(["First.", "Second."])
        async with page.expect_event("requestfinished", lambda request: request.url == page.url):
            told.set()
        await expect(page.locator(".message .said")).to_have_text(
            ["First.", numbered(16).strip(), "Second.", numbered(16).strip()]
        )
        await until(lambda: len(calls) == 2)  # what came meanwhile may not be all: it is fetched again
        assert await page.evaluate("taken") == []
        await page.close()
        await other.close()
