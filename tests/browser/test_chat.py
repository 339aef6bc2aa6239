"""A person in front of a browser: from the first link to an answer that nothing cuts off."""

import asyncio

import pytest
from django.contrib.auth.models import User
from playwright.async_api import expect

from accounts.first_admin import first_admin_link
from chat.models import Message
from inference.models import Generation, LanguageModel
from jarvis.lib.database import in_database
from tests.support.accounts import PASSWORD
from tests.support.fake_engine import numbered
from tests.support.pages import ask, see_growing, sign_in, take_screenshot
from tests.support.workers import working

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.django_db(transaction=True)]


async def test_the_first_administrator_comes_by_the_link_and_asks(visit, worker, size):
    link = await in_database(first_admin_link)
    page = await visit(size)
    await page.goto(link)
    await take_screenshot(page, f"setup-{size}")
    await page.get_by_label("Username").fill("carol")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("Password confirmation").fill(PASSWORD)
    await page.get_by_role("button", name="Make the account").click()
    await expect(page.locator("#state")).to_have_attribute("data-phase", "ready")
    await expect(page.get_by_role("heading", name="What can I do for you, carol?")).to_be_visible()
    await ask(page, "Count.")
    await expect(page.locator(".assistant .said")).to_have_text(numbered(16).strip())
    assert await in_database(User.objects.filter(is_superuser=True).count) == 1
    page.expect_complaint("410")
    await page.goto(link)
    await expect(page.get_by_role("heading", name="This link is closed")).to_be_visible()


async def test_an_answer_streams_in_and_is_there_after_a_reload(visit, worker, alice, engine, size):
    engine.settings.answer_tokens = 60
    page = await visit(size)
    await sign_in(page)
    await ask(page, "Count.")
    said = page.locator(".assistant .said")
    await see_growing(page, "t3 ", "t59")
    await expect(page.locator("#stop")).to_be_visible()
    await expect(said).to_have_text(numbered(60).strip())
    await expect(page.locator("#stop")).to_be_hidden()
    assert "/c/" in page.url
    await expect(page.locator("#conversations [aria-current]")).to_have_text("Count.")
    await page.reload()
    await expect(said).to_have_text(numbered(60).strip())
    await expect(page.locator(".user .said")).to_have_text("Count.")


async def test_a_reload_in_the_middle_goes_on_with_the_answer_to_its_end(visit, worker, alice, engine, size):
    engine.settings.answer_tokens = 150
    page = await visit(size)
    await sign_in(page)
    await ask(page, "Count.")
    said = page.locator(".assistant .said")
    await expect(said).to_contain_text("t20 ")
    await page.reload()
    await see_growing(page, "t0 t1 t2", "t149")
    await expect(said).to_have_text(numbered(150).strip())
    assert await in_database(Generation.objects.count) == 1


async def test_a_stop_by_button_or_escape_keeps_what_was_written(visit, worker, alice, engine, size):
    engine.settings.answer_tokens = 5000
    page = await visit(size)
    await sign_in(page)
    for number, how in enumerate(("button", "escape"), 1):
        await ask(page, how)
        await expect(page.locator(".assistant")).to_have_count(number)
        said = page.locator(".assistant .said").last
        await expect(said).to_contain_text("t10 ")
        if how == "button":
            await page.locator("#stop").click()
        else:
            await page.keyboard.press("Escape")
        await expect(page.locator(".assistant").last).to_have_attribute("data-status", "stopped")
        await expect(page.locator(".assistant .fate").last).to_contain_text("Stopped. What was written is kept.")
        await expect(page.locator("#stop")).to_be_hidden()
        shown = (await said.inner_text()).strip()
        stored = await in_database(Message.objects.filter(role="assistant").latest, "id")
        assert stored.text.strip() == shown
    async with asyncio.timeout(5):
        while engine.counters.running:
            await asyncio.sleep(0.02)
    await page.reload()
    await expect(page.locator(".assistant .said").last).to_have_text(shown)


async def test_both_windows_of_a_person_see_the_same_answer_grow(visit, worker, alice, engine):
    engine.settings.answer_tokens = 200
    here, there = await visit("desktop"), await visit("phone")
    await sign_in(here)
    await sign_in(there)
    await ask(here, "Who sees this?")
    await expect(here.locator(".assistant .said")).to_contain_text("t5 ")
    await there.locator("#open-sidebar").click()
    await expect(there.locator("#conversations .answering a")).to_have_text("Who sees this?")
    await there.locator("#conversations a").click()
    await see_growing(there, "t0 t1 t2", "t199")
    for page in (here, there):
        await expect(page.locator(".assistant .said")).to_have_text(numbered(200).strip())
    await ask(there, "And this?")
    for page in (here, there):
        await expect(page.locator(".user .said").last).to_have_text("And this?")
        await expect(page.locator(".assistant .said").last).to_have_text(numbered(200).strip())
        await expect(page.locator(".message")).to_have_count(4)


async def test_while_the_model_loads_it_says_so_and_takes_questions(visit, site, held, engine, alice, carol, size):
    name, detail = ("carol", "Reading the weights: 6.9 of 16 GB. ") if size == "desktop" else ("alice", "")
    held.up.clear()
    held.state.phase, held.state.progress, held.state.detail = "loading", 0.43, "Reading the weights: 6.9 of 16 GB."
    held.state.model = engine.settings.model = "Qwen/Qwen3-8B"
    await in_database(LanguageModel.objects.register_served, "Qwen/Qwen3-8B")
    async with working(held):
        page = await visit(size)
        await page.goto("/")
        await page.get_by_label("Username").fill(name)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.locator("#state")).to_have_attribute("data-phase", "loading")
        await expect(page.locator("#state")).to_contain_text("43 %")
        await expect(page.locator("#banner")).to_contain_text(
            f"Loading Qwen/Qwen3-8B 43 %. {detail}You can ask already"
        )
        await take_screenshot(page, f"loading-{size}")
        await ask(page, "Are you there?")
        await expect(page.locator(".assistant .said")).to_have_text("Waiting in the queue")
        held.state.progress = 0.9
        await expect(page.locator("#state")).to_contain_text("90 %")
        held.state.phase, held.state.progress, held.state.detail = "ready", None, ""
        held.up.set()
        await expect(page.locator("#banner")).to_be_hidden()
        await expect(page.locator(".assistant .said")).to_have_text(numbered(16).strip())


async def test_a_failed_answer_says_why_and_can_be_asked_again(visit, worker, alice, engine):
    engine.settings.fail_next, engine.settings.fail_status = 1, 400
    engine.settings.fail_body = '{"error": {"message": "no", "type": "BadRequestError", "code": 400}}'
    page = await visit()
    await sign_in(page)
    await ask(page, "Fail, please.")
    fate = page.locator(".assistant .fate").first
    words = "This answer failed: This could not be accepted as it is. Rephrase it, or choose another model."
    await expect(fate).to_contain_text(words)
    await page.reload()
    await expect(fate).to_contain_text(words)
    await expect(page.locator("#state")).to_have_attribute("data-phase", "ready")
    await page.locator(".assistant summary").click()
    row = await in_database(Generation.objects.get)
    await expect(page.locator(".details")).to_contain_text(row.request_id)
    assert row.error_message not in await page.content()  # for programmers, who see it in the admin
    await page.keyboard.press("Escape")
    await fate.get_by_role("button", name="Ask again").click()
    await expect(page.locator(".assistant .said").last).to_have_text(numbered(16).strip())
    await expect(page.locator(".assistant .versions")).to_contain_text("2/2")
    await expect(page.locator(".message")).to_have_count(2)


async def test_what_is_asked_meanwhile_waits_for_the_answer_above_and_a_stop_lets_it_begin(
    visit, worker, alice, engine
):
    engine.settings.answer_tokens = 2000
    page = await visit()
    await sign_in(page)
    await ask(page, "First.")
    said = page.locator(".assistant .said")
    await expect(said).to_contain_text("t3 ")
    await ask(page, "Second.")
    await expect(said.last).to_have_text("Waiting for the answer above")
    await page.reload()
    await expect(said.last).to_have_text("Waiting for the answer above")
    await page.keyboard.press("Escape")
    await expect(page.locator(".assistant").first).to_have_attribute("data-status", "stopped")
    await expect(said.last).to_contain_text("t3 ")
    first = await in_database(Message.objects.filter(role="assistant").earliest, "id")
    assert [message["content"] for message in engine.bodies[-1]["messages"][1:]] == ["First.", first.text, "Second."]
    await page.keyboard.press("Escape")
    await expect(page.locator("#stop")).to_be_hidden()


async def test_the_state_is_that_of_the_chosen_model_and_what_fails_is_staffs_to_know(
    visit, worker, held, alice, carol, size
):
    await in_database(LanguageModel.objects.create, name="other", source="elsewhere")
    page, staff = await visit(size), await visit(size)
    await sign_in(page)
    await sign_in(staff, "carol")
    for one in (page, staff):
        await expect(one.locator("#state-words")).to_have_text("fake is ready")
        await one.locator("#open-settings").click()
        await one.locator("#settings-model").select_option("other")
        await one.get_by_role("button", name="Save").click()
    unavailable = "The model is not available right now. Your question is kept and will be answered."
    await expect(page.locator("#banner-words")).to_have_text(unavailable)
    await expect(page.locator("#state")).to_have_attribute("data-phase", "absent")
    await expect(staff.locator("#banner")).to_contain_text("No worker is running other.")
    await take_screenshot(page, f"unavailable-{size}")
    for one in (page, staff):
        await one.locator("#open-settings").click()
        await one.locator("#settings-model").select_option("fake")
        await one.get_by_role("button", name="Save").click()
        await expect(one.locator("#banner")).to_be_hidden()
    held.state.phase, held.state.detail = "failed", "http://10.0.0.7:1 cannot be reached; correct JARVIS_ENGINE_URL."
    await expect(page.locator("#banner-words")).to_have_text(unavailable)
    await expect(page.locator("#state-words")).to_have_text("fake is not available")
    await expect(staff.locator("#banner")).to_contain_text(held.state.detail)
    held.state.phase, held.state.detail = "ready", ""


async def test_a_text_that_is_too_long_cannot_be_sent_and_says_so(visit, worker, alice, size):
    page = await visit(size)
    await sign_in(page)
    await page.locator("#text").fill("x" * 4900)
    await expect(page.locator("#count")).to_have_text("100 characters left")
    await page.locator("#text").fill("x" * 5003)
    await expect(page.locator("#count")).to_have_text("3 too many: 5,000 characters are allowed")
    await expect(page.locator("#send")).to_be_disabled()
    await page.locator("#text").press("Enter")
    await page.locator("#text").fill("line")
    await page.locator("#text").press("Shift+Enter")
    await page.keyboard.type("next line")
    await expect(page.locator("#text")).to_have_value("line\nnext line")
    await page.reload()
    await expect(page.locator("#text")).to_have_value("line\nnext line")  # the draft is kept
    assert await in_database(Message.objects.count) == 0


async def test_a_draft_and_the_whole_way_to_an_answer_need_no_mouse(visit, worker, alice):
    page = await visit()
    await page.goto("/")
    await expect(page.get_by_label("Username")).to_be_focused()
    await page.keyboard.type("alice")
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator("#text")).to_be_focused()
    await page.keyboard.type("By keyboard")
    await expect(page.locator("#send")).to_be_enabled()  # the page's modules have come
    await page.keyboard.press("Enter")
    await expect(page.locator(".assistant .said")).to_have_text(numbered(16).strip())


async def test_a_suggestion_asks_and_signing_out_ends_it(visit, worker, alice, size):
    page = await visit(size)
    await sign_in(page)
    await page.locator("#text").fill("half a thought")
    await page.locator(".suggestions button").first.click()
    await expect(page.locator(".assistant .said")).to_have_text(numbered(16).strip())
    await expect(page.locator("#text")).to_have_value("half a thought")
    await page.reload()
    await expect(page.locator("#text")).to_have_value("half a thought")
    if size == "phone":
        await page.locator("#open-sidebar").click()
        await expect(page.locator("#sidebar")).to_be_in_viewport()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_who_is_deactivated_is_back_at_the_sign_in_within_moments(visit, worker, alice):
    page = await visit()
    await sign_in(page)
    await in_database(User.objects.filter(pk=alice.pk).update, is_active=False)
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=2500)


async def test_spanish_is_spoken_throughout(visit, worker, alice, engine):
    engine.settings.answer_tokens = 3000
    page = await visit(locale="es-ES")
    await page.goto("/")
    await page.get_by_label("Nombre de usuario").fill("alice")
    await page.get_by_label("Contraseña").fill(PASSWORD)
    await page.get_by_role("button", name="Iniciar sesión").click()
    await expect(page.locator("#state-words")).to_have_text("fake está listo")
    await ask(page, "Cuenta.")
    await expect(page.locator(".assistant .said")).to_contain_text("t5 ")
    await page.keyboard.press("Escape")
    await expect(page.locator(".assistant .fate")).to_contain_text("Detenida. Lo escrito se conserva.")
    engine.settings.fail_next, engine.settings.fail_status, engine.settings.fail_body = 1, 400, "{}"
    await ask(page, "Falla.")
    await expect(page.locator(".assistant .fate").last).to_contain_text("Esta respuesta falló: No se ha podido aceptar")


async def test_reading_works_without_script(visit, worker, alice):
    page = await visit()
    await sign_in(page)
    await ask(page, "Count.")
    await expect(page.locator(".assistant .said")).to_have_text(numbered(16).strip())
    plain = await visit(script=False)
    await plain.goto("/")
    await plain.get_by_label("Username").fill("alice")
    await plain.get_by_label("Password").fill(PASSWORD)
    await plain.get_by_role("button", name="Sign in").click()
    await plain.get_by_role("link", name="Count.").click()
    await expect(plain.locator(".assistant .said")).to_have_text(numbered(16).strip())


async def test_the_admin_works_under_the_policy_and_shows_a_new_key_once(visit, worker, carol):
    page = await visit()
    await sign_in(page, "carol")
    await page.get_by_role("link", name="Admin").click()
    await page.get_by_role("region", name="All lists").get_by_role("link", name="API keys").click()
    await page.get_by_role("link", name="Add API key").click()
    await page.get_by_label("Label").fill("backup script")
    await page.get_by_role("button", name="Save", exact=True).click()
    secret = await page.locator("#secret").input_value()
    assert secret.startswith("jv_")
    await page.get_by_role("link", name="I have copied it").click()
    await expect(page.get_by_role("link", name="backup script")).to_be_visible()
    assert secret not in await page.content()
