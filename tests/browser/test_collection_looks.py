"""How the collection looks in Spanish and in the dark, on a phone, and that axe finds nothing on it."""

from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.async_api import expect

from chat.models import Conversation
from jarvis.lib.database import in_database
from tests.support.accounts import PASSWORD
from tests.support.pages import create_conversations, find_entry, open_drawer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.django_db(transaction=True)]

AXE = Path(AXE_FILE_PATH).read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SETTLED = "Promise.allSettled(document.getAnimations().filter(a => a.effect.getComputedTiming().endTime < Infinity))"


async def check_clean(page):
    """What axe finds on the page as it is now: nothing. Nothing sticks out sideways either."""
    await page.evaluate(SETTLED)
    await page.evaluate(AXE)
    told = await page.evaluate("rules => axe.run(document, {runOnly: rules, preload: false})", RULES)
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in told["violations"]] == []
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
async def test_every_part_is_accessible_and_speaks_spanish(visit, worker, alice, size, scheme):
    def some():
        create_conversations(alice)
        Conversation.objects.filter(title__startswith="SQL").update(folder="Trabajo")
        return Conversation.objects.get(title__startswith="Ideas").create_share().get_absolute_url()

    link = await in_database(some)
    page = await visit(size, scheme, locale="es-ES")
    await page.goto("/")
    await page.locator("#id_username, #id_login").fill("alice")
    await page.locator("#id_password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#state[data-phase=ready]")
    await open_drawer(page, size)
    assert await page.locator("#conversations h2").first.inner_text() == "Hoy"
    await find_entry(page, "Ideas").hover()
    await find_entry(page, "Ideas").locator(".more").click()
    await check_clean(page)
    await page.get_by_role("menuitem", name="Compartir").click()
    await expect(page.get_by_label("Enlace", exact=True)).to_be_visible()
    await check_clean(page)
    await page.keyboard.press("Escape")
    await expect(find_entry(page, "Ideas").locator(".more")).to_be_focused()
    await find_entry(page, "Ideas").locator(".more").click()
    await page.get_by_role("menuitem", name="Mover a una carpeta").click()
    await check_clean(page)
    await page.keyboard.press("Escape")
    await page.locator("#search").fill("lighthouse")
    await expect(page.locator("#search-results li")).to_have_count(5)
    await check_clean(page)
    await page.goto("/conversations/")
    await check_clean(page)
    await page.goto("/conversations/?q=lighthouse")
    await check_clean(page)
    await page.goto(link)
    await check_clean(page)
