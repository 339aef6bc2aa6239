"""The keyboard, the composer and the voice."""

import pytest
from playwright.async_api import expect

from accounts.models import Preferences
from chat.models import Message
from jarvis.lib.database import in_database
from tests.support.fake_engine import numbered
from tests.support.pages import ask, sign_in, take_screenshot

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.django_db(transaction=True)]

WHOLE = numbered(16).strip()


async def test_what_is_done_often_has_a_key_and_a_card_lists_them(visit, worker, alice, engine):
    page = await visit()
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await sign_in(page)
    await ask(page, "One.")
    await expect(page.locator(".assistant[data-status=done]")).to_be_visible()
    await page.keyboard.press("Control+Shift+C")
    await expect(page.locator(".assistant .copy")).to_have_text("Copied")
    assert (await page.evaluate("navigator.clipboard.readText()")).strip() == WHOLE
    await page.keyboard.type("?")
    await expect(page.locator("#text")).to_have_value("?")  # who types a question mark wants one
    await page.locator("#text").fill("")
    await page.locator("#open-settings").focus()
    await page.keyboard.type("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    await expect(page.locator("#help dt")).to_contain_text(["New chat", "Search", "Copy the last answer"])
    await take_screenshot(page, "tree-keys-desktop")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_hidden()
    await page.keyboard.press("Shift+Escape")
    await expect(page.locator("#text")).to_be_focused()
    await page.keyboard.press("Control+Shift+S")
    await expect(page.locator("#sidebar")).to_be_hidden()
    await page.reload()
    await expect(page.locator("#sidebar")).to_be_hidden()  # until it is wanted again
    await page.locator("#open-sidebar").click()
    await expect(page.locator("#sidebar")).to_be_visible()
    await page.get_by_role("button", name="Close the list").click()
    await expect(page.locator("#sidebar")).to_be_hidden()
    await page.locator("#open-sidebar").click()
    engine.settings.answer_tokens = 5000
    await ask(page, "Two.")
    await expect(page.locator(".assistant .said").last).to_contain_text("t3 ")
    await page.locator("#open-help").click()
    await page.keyboard.press("Escape")  # closes the card, and nothing else
    await expect(page.locator("#help")).to_be_hidden()
    await expect(page.locator("#stop")).to_be_visible()
    await page.keyboard.press("Control+Shift+O")
    await expect(page.get_by_role("heading", name="What can I do for you, alice?")).to_be_visible()
    assert "/c/" not in page.url


async def test_a_mac_is_shown_its_own_keys(visit, worker, alice):
    page = await visit()
    await page.add_init_script("Object.defineProperty(navigator, 'platform', {get: () => 'MacIntel'})")
    await sign_in(page)
    await page.locator("#open-help").click()
    await expect(page.locator("#help dd").first).to_have_text("⌘ ⇧ O")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Meta+Shift+S")
    await expect(page.locator("#sidebar")).to_be_hidden()


async def test_what_is_pasted_is_never_lost_and_each_chat_has_a_draft(visit, worker, alice, size):
    page = await visit(size)
    await sign_in(page)
    await ask(page, "One.")
    await expect(page.locator(".assistant[data-status=done]")).to_be_visible()
    address, field = page.url, page.locator("#text")
    height = (await field.bounding_box())["height"]
    await field.focus()
    await page.evaluate("document.execCommand('insertText', false, 'line of words\\n'.repeat(600))")
    await expect(page.locator("#count")).to_have_text("3,400 too many: 5,000 characters are allowed")
    await expect(page.get_by_role("button", name="Keep the first 5,000")).to_be_visible()
    await expect(page.locator("#send")).to_be_disabled()
    assert len(await field.input_value()) == 8400
    assert height < (await field.bounding_box())["height"] < page.viewport_size["height"] / 2
    await page.keyboard.press("Enter")
    await page.goto("/")
    await expect(field).to_have_value("")
    await field.fill("of the new chat")
    other = await page.context.new_page()
    await other.goto(address)
    await expect(other.locator("#text")).to_have_value("line of words\n" * 600)
    await other.locator("#text").fill("line of words")
    await other.reload()
    await expect(other.locator("#text")).to_have_value("line of words")
    await other.close()
    await page.reload()
    await expect(field).to_have_value("of the new chat")
    if size == "phone":
        await page.locator("#open-sidebar").click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert await page.evaluate("localStorage.length") == 0
    assert await in_database(Message.objects.filter(role="user").count) == 1


VOICES = """
window.said = [];
window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
Object.defineProperty(window, "speechSynthesis", { value: {
  speak(one) { said.push([one.text, one.lang]); this.now = one; },
  cancel() { this.now?.onend?.(); this.now = null; },
} });
window.webkitSpeechRecognition = undefined;
window.SpeechRecognition = class {
  start() { window.hearing = this; }
  stop() { this.onend(); }
};
"""


async def test_voices_are_there_for_who_wants_them(visit, worker, alice):
    page = await visit()
    await page.add_init_script(VOICES)
    await sign_in(page)
    await ask(page, "One.")
    await expect(page.locator(".assistant[data-status=done]")).to_be_visible()
    await expect(page.get_by_role("button", name="Ask by voice")).to_have_count(0)  # off until asked for
    await expect(page.get_by_role("button", name="Read aloud")).to_have_count(0)
    await in_database(Preferences.objects.create, user=alice, speak=True, listen=True)
    await page.reload()
    speak, listen = (page.get_by_role("button", name=name) for name in ("Read aloud", "Ask by voice"))
    await speak.click()
    assert await page.evaluate("said") == [[WHOLE, "en"]]
    await expect(speak).to_have_attribute("aria-pressed", "true")
    await speak.click()
    await expect(speak).not_to_have_attribute("aria-pressed", "true")
    await page.locator("#text").fill("Tell me")
    await listen.click()
    await page.evaluate("hearing.onresult({results: [[{transcript: 'a '}], [{transcript: 'story'}]]})")
    await expect(page.locator("#text")).to_have_value("Tell me a story")
    await expect(listen).to_have_attribute("aria-pressed", "true")
    await take_screenshot(page, "tree-voice-desktop")
    await listen.click()
    await expect(listen).not_to_have_attribute("aria-pressed", "true")
    await page.keyboard.press("Shift+Escape")
    await page.keyboard.press("Enter")
    await expect(page.locator(".user .said").last).to_have_text("Tell me a story")


async def test_voices_are_hidden_where_the_browser_has_none(visit, worker, alice):
    await in_database(Preferences.objects.create, user=alice, speak=True, listen=True)
    page = await visit()
    await page.add_init_script(
        "Object.defineProperty(window, 'speechSynthesis', {value: undefined});"
        "window.SpeechRecognition = window.webkitSpeechRecognition = undefined;"
    )
    await sign_in(page)
    await ask(page, "One.")
    await expect(page.locator(".assistant[data-status=done]")).to_be_visible()
    await expect(page.get_by_role("button", name="Answer again")).to_be_visible()
    await expect(page.get_by_role("button", name="Ask by voice")).to_have_count(0)
    await expect(page.get_by_role("button", name="Read aloud")).to_have_count(0)
