"""The field for questions: other keyboards, files, what cannot be sent, and what has to wait."""

import re

import pytest
from playwright.async_api import expect

from accounts.models import UserLimits
from chat.models import Message
from jarvis.lib.database import in_database
from tests.support.fake_engine import numbered
from tests.support.pages import ask, sign_in, take_screenshot
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.django_db(transaction=True)]

WHOLE = numbered(16).strip()

# As another keyboard, or a browser's input method, says it: (target, event) to what has the focus then.
PRESS = """([id, event]) => {
  const target = id ? document.getElementById(id) : document.body;
  target.focus();
  target.dispatchEvent(new KeyboardEvent("keydown", { ...event, bubbles: true, cancelable: true }));
  return document.activeElement.id;
}"""
# Files fall on the page, or are pasted: [name, type, bytes] of each.
BRING = """([how, files]) => {
  const transfer = new DataTransfer();
  for (const [name, type, bytes] of files) transfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
  const options = { bubbles: true, cancelable: true };
  const place = document.getElementById(how === "paste" ? "text" : "welcome");
  if (how === "paste") place.dispatchEvent(new ClipboardEvent("paste", { ...options, clipboardData: transfer }));
  else for (const type of ["dragover", "drop"])
    place.dispatchEvent(new DragEvent(type, { ...options, dataTransfer: transfer }));
}"""


async def press(page, target, **event):
    return await page.evaluate(PRESS, [target, event])


async def bring(page, how, *files):
    await page.evaluate(BRING, [how, [[name, kind, list(content)] for name, kind, content in files]])


async def test_keyboards_with_other_letters_and_input_methods(visit, worker, alice, engine):
    page = await visit()
    await sign_in(page)
    control = {"ctrlKey": True, "keyCode": 75}
    for event in (
        {"key": "л", "code": "KeyK"},  # Russian
        {"key": "κ", "code": "KeyK"},  # Greek
        {"key": "ל", "code": "KeyK"},  # Hebrew
        {"key": "k", "code": "KeyV"},  # Dvorak, where the letter counts
    ):
        await page.locator("#text").focus()
        assert await press(page, "", **event, **control) == "search", event
    assert await press(page, "text", key="v", code="KeyK", **control) == "text"  # Dvorak again: it pastes
    # The Enter that ends a word which is put together, as Safari tells it, and as the others do.
    await page.locator("#text").fill("にほんご")
    for ending in ({"keyCode": 229}, {"keyCode": 13, "isComposing": True}):
        await press(page, "text", key="Enter", **ending)
        await press(page, "text", key="Escape", **ending)
    await expect(page.locator("#text")).to_have_value("にほんご")
    # Half an emoji and a NUL, which nothing can store.
    await page.locator("#text").evaluate(
        "field => { field.value = 'cut \\ud83d \\0end'; field.dispatchEvent(new Event('input', { bubbles: true })); }"
    )
    await page.locator("#text").press("Enter")
    await expect(page.locator(".assistant .said")).to_have_text(WHOLE)
    assert (await in_database(Message.objects.get, role="user")).text == "cut \ufffd end"
    for paragraph, right in (("שלום (Linux).", True), ("Hello.", False)):
        await page.locator("#text").fill(paragraph)
        way = await page.locator("#text").evaluate("field => getComputedStyle(field).direction")
        assert (way == "rtl") is right


async def test_files_become_text_or_a_word_why_not(visit, worker, alice, size):
    page = await visit(size)
    await sign_in(page)
    field, count = page.locator("#text"), page.locator("#count")
    await field.fill("See: ")
    await bring(page, "drop", ("a.py", "text/x-python", b"print('```')\r\n"))
    await expect(field).to_have_value("See: a.py\n````py\nprint('```')\n````\n")
    await page.keyboard.press("Control+Z")
    await expect(field).to_have_value("See: ")
    for number, (name, content) in enumerate(
        (("u.txt", b"\xff\xfea\x00\xf1\x00"), ("w.txt", "mañana".encode("cp1252")), ("c", "año".encode()))
    ):
        await bring(page, "paste", (name, "", content))
        text = ("a\xf1", "mañana", "año")[number]
        await expect(field).to_have_value(re.compile(f"{name}\n```\\w*\n{text}\n```\n$"))
    await field.fill("kept")
    for how, file, words in (
        ("paste", ("image.png", "image/png", b"\x89PNG"), "Pictures cannot be sent: the models here read text."),
        ("drop", ("a.pdf", "application/pdf", b"%PDF\x00\x01"), "a.pdf is not a text file. Copy its text and paste it"),
        ("drop", ("none.txt", "text/plain", b" \n"), "none.txt is empty."),
    ):
        await bring(page, how, file)
        await expect(count).to_contain_text(words)
        await expect(field).to_have_value("kept")
    await bring(page, "drop", ("long.log", "", "año ".encode() * 20_000))
    await expect(count).to_contain_text("long.log is too long: only its beginning fits into 5,000 characters.")
    await expect(page.locator("#send")).to_be_enabled()
    assert len(await field.input_value()) == 5000
    await take_screenshot(page, f"composer-file-{size}")
    await field.fill("x" * 4999 + "😀😀😀")
    await expect(count).to_have_text("2 too many: 5,000 characters are allowed")
    await page.get_by_role("button", name="Keep the first 5,000").click()
    await expect(field).to_have_value("x" * 4999 + "😀")
    await expect(page.locator("#send")).to_be_enabled()


async def test_who_asks_too_much_sees_when_it_is_sent_again_and_can_take_it_back(visit, worker, alice, size):
    await in_database(UserLimits.objects.create, user=alice, requests_per_minute=1)
    page = await visit(size)
    await page.clock.install()
    await sign_in(page)
    await ask(page, "One.")
    await expect(page.locator(".assistant .said")).to_have_text(WHOLE)
    await ask(page, "Two.")
    wait = page.locator("#wait")
    await expect(wait).to_have_text(re.compile(r"You have asked a lot in a short time\. Sending again in \d\d s\."))
    await expect(wait).to_be_in_viewport(ratio=1)
    before = int(re.search(r"(\d+) s", await wait.inner_text())[1])
    await ask(page, "Three, which waits behind it.")
    notes = page.locator(".user .fate")
    await expect(notes).to_have_text(["Not sent yet.Edit", "Not sent yet.Edit"])
    await take_screenshot(page, f"composer-wait-{size}")
    await page.clock.run_for(5_000)
    assert int(re.search(r"(\d+) s", await wait.inner_text())[1]) <= before - 5
    await page.locator("#text").fill("typed meanwhile")
    await notes.last.get_by_role("button", name="Edit").click()
    await expect(page.locator("#text")).to_have_value("Three, which waits behind it.\n\ntyped meanwhile")
    await in_database(UserLimits.objects.all().delete)

    async def is_answered():  # not before the server has looked at the limits again
        await page.clock.run_for(61_000)
        return await page.locator(".assistant").count() == 2

    await until(is_answered, 40)
    await expect(page.locator(".assistant .said")).to_have_text([WHOLE, WHOLE])
    await expect(wait).to_be_hidden()
    await expect(page.locator(".user .said")).to_have_text(["One.", "Two."])
