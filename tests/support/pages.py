"""What a person does on the pages, in a browser."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.async_api import expect

from chat.models import Conversation
from jarvis.lib.database import in_database
from tests.support.accounts import PASSWORD
from tests.support.sockets import session_cookie

SHOTS = Path(__file__).resolve().parent.parent.parent / "docs" / "screenshots"


SIZES = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}


async def add_session(page, user):
    """Signed in without the sign-in page."""
    cookie = await in_database(session_cookie, user)
    await page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": page.site}])


async def sign_in_by_form(page, name="alice"):
    """As a person does it, whose browser is then on the list of sessions."""
    await page.goto("/")
    await page.get_by_label("Username").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_selector("#state[data-phase=ready]")


async def sign_in(page, name="alice"):
    """The page of somebody who is signed in, when it can be written on."""
    await add_session(page, await in_database(User.objects.get, username=name))
    await page.goto("/")
    await page.wait_for_selector("#state[data-phase=ready]")


async def ask(page, text):
    await page.locator("#text").fill(text)
    await page.locator("#text").press("Enter")


async def see_growing(page, words, last):
    """Wait until the newest answer has these words and not yet its last one, as the page itself sees it."""
    script = """([words, last]) => {
      const said = [...document.querySelectorAll(".assistant .said")].at(-1)?.textContent ?? "";
      return said.includes(words) && !said.includes(last);
    }"""
    await page.wait_for_function(script, arg=[words, last])


async def take_screenshot(page, name, whole=False):
    """Keep a picture for the README, when `make screenshots` asks for it."""
    if os.environ.get("JARVIS_SCREENSHOTS"):
        await asyncio.sleep(0.3)  # transitions
        SHOTS.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=SHOTS / f"{name}.png", full_page=whole)


SAID = {
    "Rewrite the onboarding e-mail": 0,
    "Why is the nightly import slow?": 1,
    "Ideas for the team day in Bilbao": 5,
    "SQL: customers without an order since March": 20,
    "Explain lease and fencing tokens": 90,
}


def create_conversations(owner):
    for title, days in SAID.items():
        made = Conversation.objects.create(owner=owner, title=title)
        made.add_message("user", f"{title} Please tell me all about the lighthouse <b>at</b> night.")
        made.add_message("assistant", f"About “{title}”: there is much to say.")
        Conversation.objects.filter(pk=made.pk).update(updated_at=timezone.now() - timedelta(days=days))


def find_entry(page, title):
    return page.locator("#conversations li", has_text=title)


async def open_drawer(page, size):
    if size == "phone" and not await page.locator("body.drawer-open").count():
        await page.locator("#open-sidebar").click()
        await expect(page.locator("#sidebar")).to_be_in_viewport(ratio=1)
