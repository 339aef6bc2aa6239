"""A person who asks in other words, compares answers, lets one go on, and looks behind it."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.async_api import expect

from accounts.models import Preferences
from chat.models import Conversation, Message
from inference.models import Generation, LanguageModel
from jarvis.lib.database import in_database
from tests.support.accessibility import AXE, LOOK, RULES
from tests.support.fake_engine import numbered
from tests.support.pages import ask, sign_in, take_screenshot
from tests.support.workers import working

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.django_db(transaction=True)]

WHOLE = numbered(16).strip()


async def wait_answers(page, count):
    await expect(page.locator(".assistant[data-status=done]")).to_have_count(count)


def message_texts(page):
    return page.locator(".message .said")


async def edit(page, question, text):
    await question.hover()
    await question.get_by_role("button", name="Edit").click()
    await question.get_by_label("Your question").fill(text)
    await page.keyboard.press("Enter")


async def test_a_question_is_put_in_other_words_and_both_versions_stay(visit, worker, alice, size):
    page = await visit(size)
    await sign_in(page)
    for number, text in enumerate(("One.", "Two."), 1):
        await ask(page, text)
        await wait_answers(page, number)
    question = page.locator(".user").first
    await edit(page, question, "One, better.")
    await expect(message_texts(page)).to_have_text(["One, better.", WHOLE])
    await wait_answers(page, 1)
    versions = page.locator(".user .versions")
    await expect(versions).to_have_text(re.compile(r"2/2"))
    await take_screenshot(page, f"tree-versions-{size}")
    await versions.get_by_role("button", name="Previous version").click()
    await expect(message_texts(page)).to_have_text(["One.", WHOLE, "Two.", WHOLE])
    await expect(versions).to_have_text(re.compile(r"1/2"))
    await expect(versions.get_by_role("button", name="Next version")).to_be_focused()  # by keyboard it goes on
    await page.reload()
    await expect(message_texts(page)).to_have_text(["One.", WHOLE, "Two.", WHOLE])
    await page.keyboard.press("Tab")
    await page.get_by_role("button", name="Next version").click()
    await expect(message_texts(page)).to_have_text(["One, better.", WHOLE])
    await edit(page, page.locator(".user"), "Never mind.")
    await wait_answers(page, 1)
    await expect(versions).to_have_text(re.compile(r"3/3"))
    assert await in_database(Message.objects.filter(role="user").count) == 4


async def test_an_edit_can_be_given_up_and_knows_the_limit(visit, worker, alice):
    page = await visit()
    await sign_in(page)
    await ask(page, "One.")
    await wait_answers(page, 1)
    question = page.locator(".user")
    await question.hover()
    await question.get_by_role("button", name="Edit").click()
    field = question.get_by_label("Your question")
    await expect(field).to_be_focused()
    await field.fill("x" * 5001)
    await expect(question.locator(".count")).to_have_text("1 too many: 5,000 characters are allowed")
    await expect(question.get_by_role("button", name="Send")).to_be_disabled()
    await page.keyboard.press("Escape")
    await expect(field).to_have_count(0)
    await expect(message_texts(page)).to_have_text(["One.", WHOLE])
    await expect(question.get_by_role("button", name="Edit")).to_be_focused()
    assert await in_database(Generation.objects.count) == 1


async def test_another_answer_by_another_model_beside_the_first(visit, worker, alice, held, engine):
    await in_database(LanguageModel.objects.create, name="other")
    here, there = await visit(), await visit("phone")
    for page in (here, there):
        await sign_in(page)
    await ask(here, "One.")
    await wait_answers(here, 1)
    await there.goto(here.url)
    await wait_answers(there, 1)
    await here.locator("summary[aria-label='Answer again']").click()
    await expect(here.locator(".menu button")).to_have_text(["fake", "other"])
    await here.locator(".menu button", has_text="fake").click()
    for page in (here, there):
        await expect(page.locator(".assistant .versions")).to_have_text(re.compile(r"2/2"))
        await wait_answers(page, 1)
    await here.locator("summary[aria-label='Answer again']").click()
    engine.settings.model = held.state.model = "other"
    await here.locator(".menu button", has_text="other").click()
    for page in (here, there):
        await expect(page.locator(".assistant .versions")).to_have_text(re.compile(r"3/3"))
        await wait_answers(page, 1)
    await there.locator(".assistant .versions .prev").click()
    for page in (here, there):
        await expect(page.locator(".assistant .versions")).to_have_text(re.compile(r"2/3"))
    assert [row.model for row in await in_database(lambda: list(Generation.objects.order_by("created_at")))] == [
        "fake",
        "fake",
        "other",
    ]


async def test_a_stopped_answer_goes_on_where_it_was(visit, worker, alice, engine, size):
    engine.settings.answer_tokens = 5000
    page = await visit(size)
    await sign_in(page)
    await ask(page, "Tell.")
    text = page.locator(".assistant .said")
    await expect(text).to_contain_text("t9 ")
    await page.keyboard.press("Escape")
    await expect(page.locator(".assistant")).to_have_attribute("data-status", "stopped")
    begun = (await text.inner_text()).strip()
    engine.settings.answer_tokens = 20
    await take_screenshot(page, f"tree-stopped-{size}")
    await page.get_by_role("button", name="Continue").click()
    await expect(text).to_have_text(begun + WHOLE + " t16 t17 t18 t19")
    await wait_answers(page, 1)
    await expect(page.locator(".versions")).to_have_count(0)
    await page.reload()
    await expect(text).to_have_text(begun + WHOLE + " t16 t17 t18 t19")
    await expect(page.get_by_role("button", name="Continue")).to_have_count(0)


async def test_where_a_server_cannot_go_on_the_page_says_so_and_offers_nothing(visit, site, held, alice, engine):
    held.state.goes_on, engine.settings.answer_tokens = False, 5000
    page = await visit("phone")
    async with working(held):
        await sign_in(page)
        await ask(page, "Tell.")
        await expect(page.locator(".assistant .said")).to_contain_text("t9 ")
        await page.keyboard.press("Escape")
        await expect(page.locator(".fate")).to_have_text(
            "Stopped. What was written is kept."
            " The server of this model cannot go on with it; have another answer instead."
        )
        await expect(page.get_by_role("button", name="Continue")).to_have_count(0)
        await expect(page.get_by_role("button", name="Answer again")).to_be_visible()
        if LOOK:
            await page.screenshot(path=LOOK / "cannot-go-on.png")


async def test_the_figures_of_an_answer_are_there_on_demand(visit, worker, alice, size):
    page = await visit(size)
    await sign_in(page)
    await ask(page, "One.")
    await wait_answers(page, 1)
    await page.get_by_label("Details of this answer").click()
    facts = page.locator(".details")
    await expect(facts).to_contain_text("Tokens out")
    await expect(facts).to_contain_text("fake")
    assert re.search(r"Speed\s*[\d.]+ tokens/s", await facts.inner_text())
    await expect(facts).to_be_in_viewport(ratio=1)
    await take_screenshot(page, f"tree-details-{size}")
    await page.keyboard.press("Escape")
    await expect(facts).to_be_hidden()
    await expect(page.locator(".popover summary")).to_be_focused()


async def test_a_chat_has_settings_of_its_own(visit, worker, alice, engine, size):
    await in_database(Preferences.objects.create, user=alice, system_prompt="Speak like alice.")
    page = await visit(size)
    await sign_in(page)
    settings = page.get_by_role("button", name="Settings of this chat")
    await settings.click()
    prompt = page.get_by_label("System prompt")
    await expect(prompt).to_have_attribute("placeholder", "Speak like alice.")
    await prompt.fill("Be brief.")
    await page.get_by_label("Temperature").fill("0.3")
    await take_screenshot(page, f"tree-settings-{size}")
    await page.get_by_role("button", name="Save").click()
    await ask(page, "One.")
    await wait_answers(page, 1)
    assert (engine.bodies[-1]["messages"][0]["content"], engine.bodies[-1]["temperature"]) == ("Be brief.", 0.3)
    await page.reload()
    await expect(page.locator("#state")).to_have_attribute("data-phase", "ready")
    await settings.click()
    await expect(prompt).to_have_value("Be brief.")
    await expect(page.get_by_label("Temperature")).to_have_value("0.3")
    await prompt.fill("")
    await page.get_by_label("Temperature").fill("")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("#open-settings")).not_to_have_attribute("data-set", "")
    await ask(page, "Two.")
    await wait_answers(page, 2)
    assert engine.bodies[-1]["messages"][0]["content"] == "Speak like alice."
    assert "temperature" not in engine.bodies[-1]
    row = await in_database(Conversation.objects.get)
    assert (row.system_prompt, row.temperature) == ("", None)


async def test_the_place_in_the_queue_is_shown_and_other_chats_that_grow(visit, worker, alice, engine, held, size):
    held.state.slots, engine.settings.answer_tokens = 1, 5000
    times = {"started_at": timezone.now() - timedelta(seconds=8), "finished_at": timezone.now(), "status": "done"}
    await in_database(Generation.objects.create, owner=alice, model="fake", door="v1", request_id="r", **times)
    page = await visit(size)
    await sign_in(page)
    await ask(page, "Busy.")
    await expect(page.locator(".assistant .said")).to_contain_text("t3 ")
    busy = page.url
    for text in ("Waits.", "Waits too."):
        await page.goto("/")
        await ask(page, text)
        await expect(page.locator(".assistant .wait")).to_be_visible()
    await expect(page.locator(".assistant .wait")).to_have_text("Number 2 in the queue · about 20 s")
    await take_screenshot(page, f"tree-queue-{size}")
    await expect(page.locator("#conversations .answering")).to_have_count(3)
    await page.goto(busy)
    await expect(page.locator(".assistant .said")).to_contain_text("t3 ")
    await page.keyboard.press("Escape")
    await expect(page.locator("#conversations .answering")).to_have_count(2)
    await expect(page.locator(".assistant .fate")).to_contain_text("Stopped.")


async def test_axe_finds_nothing_in_cards_dialogs_and_fields(visit, worker, alice, engine):
    await in_database(LanguageModel.objects.create, name="other")
    await in_database(Preferences.objects.create, user=alice, speak=True, listen=True)
    page = await visit()
    await sign_in(page)
    await ask(page, "One.")
    await wait_answers(page, 1)
    await edit(page, page.locator(".user"), "One, better.")
    await expect(page.locator(".user .versions")).to_have_text(re.compile(r"2/2"))
    await wait_answers(page, 1)
    engine.settings.answer_tokens = 5000
    await ask(page, "Two.")
    await expect(page.locator(".assistant .said").nth(1)).to_contain_text("t3 ")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Continue")).to_be_visible()
    await page.evaluate(AXE)

    async def faults():
        found = []
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            told = await page.evaluate("options => axe.run(document, options)", {"runOnly": RULES, "preload": False})
            found += [
                f"{scheme} {one['id']}: {node['html'][:200]}" for one in told["violations"] for node in one["nodes"]
            ]
        return found

    found = []
    summaries = ("summary[aria-label='Answer again']", "summary[aria-label='Details of this answer']")
    for opens in (*summaries, ".user .message-tool"):
        await page.locator(".user").last.hover()
        await page.locator(opens).last.click()
        found += await faults()
        await page.keyboard.press("Escape")
    for opens in ("#open-settings", "#open-help"):
        await page.locator(opens).click()
        found += await faults()
        await page.keyboard.press("Escape")
    assert not found
