"""Accounts as people meet them: in a browser, on a desktop and a phone."""

import re
import time

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.auth.models import User
from playwright.async_api import expect

from accounts.models import ApiKey, Invitation, Preferences
from chat.models import Conversation
from jarvis.lib.database import in_database
from tests.support.accessibility import look_over
from tests.support.accounts import PASSWORD
from tests.support.pages import add_session, sign_in, sign_in_by_form, take_screenshot

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.django_db(transaction=True)]


async def reauthenticate(page):
    """Where a page asks for the password once more."""
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Go on").click()


async def test_who_is_invited_makes_an_account_and_is_in(visit, worker, carol, size, configure):
    configure(signup="invitation")
    _, secret = await in_database(Invitation.create_with_secret, carol.pk, "for bob")
    page = await visit(size)
    await page.goto(f"/join/{secret}/")
    await expect(page.get_by_label("Username")).to_be_focused()
    await expect(page.get_by_text("You are invited.")).to_be_visible()
    await take_screenshot(page, f"join-{size}")
    await page.get_by_label("Username").fill("bob")
    await page.get_by_label("Password", exact=True).fill("short")
    await page.get_by_label("Password (again)").fill("short")
    await page.get_by_role("button", name="Make the account").click()
    await expect(page.locator(".fault")).to_contain_text("too short")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("Password (again)").fill(PASSWORD)
    await page.get_by_role("button", name="Make the account").click()
    await expect(page.get_by_role("heading", name="What can I do for you, bob?")).to_be_visible()
    another = await visit(size)
    another.expect_complaint("status of 410")
    await another.goto(f"/join/{secret}/")
    await expect(another.get_by_role("heading", name="This link is closed")).to_be_visible()
    bob = await in_database(User.objects.get, username="bob")
    assert not bob.is_staff


async def test_two_factor_is_switched_on_and_asks_from_then_on(visit, worker, alice, size):
    page = await visit(size)
    await add_session(page, alice)
    await page.goto("/settings/")
    await page.get_by_role("link", name="Security").click()
    await page.get_by_role("link", name="Switch it on").click()
    await reauthenticate(page)
    await page.get_by_text("It cannot be scanned").click()
    secret = await page.locator("details code").inner_text()
    await expect(page.locator("img.qr")).to_be_visible()
    await take_screenshot(page, f"two-factor-{size}")
    now = int(time.time()) // 30
    await page.get_by_label("Authenticator code").fill(format_hotp_value(hotp_value(secret, now)))
    await page.get_by_role("button", name="Switch it on").click()
    await expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    codes = await page.locator(".codes code").all_inner_texts()
    assert len(codes) == 10
    fresh = await visit(size)
    await fresh.goto("/sign-in/?next=/settings/keys/")
    await fresh.get_by_label("Username").fill("alice")
    await fresh.get_by_label("Password").fill(PASSWORD)
    await fresh.get_by_role("button", name="Sign in", exact=True).click()
    await expect(fresh.get_by_role("heading", name="One more step")).to_be_visible()
    await fresh.get_by_label("Code").fill("not a code")
    await fresh.get_by_role("button", name="Sign in").click()
    await expect(fresh.locator(".fault:visible")).to_contain_text("Incorrect code")
    if size == "desktop":
        await look_over(fresh, {"/sign-in/two-factor/": 200})
    await fresh.get_by_label("Code").fill(format_hotp_value(hotp_value(secret, now + 1)))
    await fresh.get_by_role("button", name="Sign in").click()
    await expect(fresh.get_by_role("heading", name="API keys")).to_be_visible()


async def test_a_passkey_is_added_signs_in_alone_and_is_removed(visit, worker, alice, size):
    page = await visit(size, base="localhost")
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    device = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    device |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    device = (await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": device}))["authenticatorId"]
    await add_session(page, alice)
    await page.goto("/settings/")
    await page.goto("/settings/security/")
    await page.get_by_role("link", name="Add a passkey").click()
    await reauthenticate(page)
    await page.get_by_label("Name").fill("My phone")
    await page.get_by_role("button", name="Add it").click()
    await expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    await page.goto("/settings/security/")
    await expect(page.get_by_role("listitem").filter(has_text="My phone")).to_be_visible()
    await take_screenshot(page, f"security-{size}")
    for first in ("passkey alone", "password first"):
        await page.context.clear_cookies()
        await page.goto("/sign-in/")
        if first == "password first":
            await page.get_by_label("Username").fill("alice")
            await page.get_by_label("Password").fill(PASSWORD)
            await page.get_by_role("button", name="Sign in").click()
            await expect(page.get_by_role("heading", name="One more step")).to_be_visible()
        await page.get_by_role("button", name="Use a passkey").click()
        await page.wait_for_selector("#state[data-phase=ready]")
        await page.goto("/settings/")
    if size == "desktop":
        await look_over(page, {"/sign-in/again/passkey/": 200})
    await page.goto("/settings/security/")
    await page.get_by_role("link", name="Remove My phone").click()
    await page.get_by_role("link", name="With a passkey").click()
    await page.get_by_role("button", name="Use the passkey").click()
    await page.get_by_role("button", name="Remove it").click()
    await expect(page.get_by_text("My phone")).to_have_count(0)
    await devtools.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": device})


async def test_a_passkey_that_is_not_there_is_said_so(visit, site, alice):
    page = await visit(base="localhost")
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    device = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    device |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": device})
    await page.goto("/sign-in/")
    await page.get_by_role("button", name="Use a passkey").click()
    await expect(page.get_by_role("alert")).to_have_text(re.compile("No passkey came from this device"))


async def test_a_session_is_ended_from_the_list_and_its_page_is_at_the_sign_in_within_a_second(
    visit, worker, alice, size
):
    lost, page = await visit("desktop"), await visit(size)
    await sign_in_by_form(lost)
    await add_session(page, alice)
    await page.goto("/settings/")
    await page.get_by_role("link", name="Sessions").click()
    await expect(page.get_by_role("listitem").filter(has_text="Chrome, Linux")).to_be_visible()
    await take_screenshot(page, f"sessions-{size}")
    await page.get_by_role("button", name="End the session Chrome, Linux").click()
    await expect(lost.get_by_role("heading", name="Sign in")).to_be_visible(timeout=2500)
    await expect(page.get_by_role("status")).to_have_text("The session is ended.")
    await expect(page.locator(".rows li")).to_have_count(1)


async def test_a_key_is_made_shown_once_copied_and_revoked(visit, site, alice, size):
    page = await visit(size)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await add_session(page, alice)
    await page.goto("/settings/")
    await page.get_by_role("link", name="API keys").click()
    await page.get_by_label("Name").fill("backup script")
    await page.get_by_label("Valid for").select_option("a year")
    await page.get_by_role("button", name="Make the key").click()
    secret = await page.get_by_label("Key", exact=True).input_value()
    assert secret.startswith("jv_")
    await take_screenshot(page, f"key-{size}")
    await page.get_by_role("button", name="Copy").click()
    await expect(page.get_by_role("status")).to_have_text("Copied.")
    assert await page.evaluate("navigator.clipboard.readText()") == secret
    if size == "phone":
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    await page.get_by_role("link", name="I have copied it").click()
    assert secret not in await page.content()
    await page.get_by_role("link", name="Revoke backup script").click()
    await page.get_by_role("button", name="Revoke the key").click()
    await expect(page.locator(".rows")).to_contain_text("revoked")
    assert not await in_database(ApiKey.objects.usable().exists)


async def test_theme_and_language_are_chosen_and_shown_at_once_everywhere(visit, worker, alice, size):
    page = await visit(size, scheme="light")
    await add_session(page, alice)
    await page.goto("/settings/")
    await page.get_by_role("link", name="Appearance").click()
    ground = "getComputedStyle(document.body).backgroundColor"
    assert await page.evaluate(ground) == "rgb(255, 255, 255)"
    await page.get_by_label("Dark").check()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert await page.evaluate(ground) == "rgb(20, 22, 28)"
    await page.get_by_label("Language").select_option("Español")
    await expect(page.get_by_role("heading", name="Apariencia")).to_be_visible()
    await take_screenshot(page, f"appearance-{size}")
    await page.goto("/")
    assert await page.evaluate(ground) == "rgb(20, 22, 28)"
    await expect(page.get_by_placeholder("Pregunta a Jarvis")).to_be_visible()
    assert (await in_database(Preferences.objects.get)).language == "es"


async def test_times_are_in_the_browsers_zone_and_the_page_can_be_installed(visit, site, alice):
    await in_database(ApiKey.create_with_secret, alice.pk, "laptop")
    await in_database(lambda: ApiKey.objects.update(last_used_at="2026-01-31T23:30:00Z"))
    page = await visit(zone="Asia/Tokyo")
    await add_session(page, alice)
    await page.goto("/settings/")
    await page.goto("/settings/keys/")
    await expect(page.locator("time").last).to_have_text("Feb. 1, 2026, 8:30 a.m.")
    devtools = await page.context.new_cdp_session(page)
    told = await devtools.send("Page.getAppManifest")
    assert told["url"].endswith("/manifest.webmanifest")
    assert told["errors"] == []
    faults = (await devtools.send("Page.getInstallabilityErrors"))["installabilityErrors"]
    assert [fault["errorId"] for fault in faults if fault["errorId"] != "in-incognito"] == []


async def test_settings_work_by_keyboard_and_without_script(visit, site, alice):
    page = await visit()
    await add_session(page, alice)
    await page.goto("/settings/")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="To the settings")).to_be_focused()
    plain = await visit(script=False)
    await add_session(plain, alice)
    await plain.goto("/settings/")
    await plain.get_by_role("link", name="Appearance").click()
    await plain.get_by_label("Dark").check()
    await plain.get_by_role("button", name="Save").click()
    await expect(plain.locator("html")).to_have_attribute("data-theme", "dark")


def create_some(owner):
    for title, folder in (("Bilbao", "Work"), ("Lighthouses", "")):
        made = Conversation.objects.create(owner=owner, title=title, folder=folder)
        made.add_message("user", title)
    made.create_share()
    ApiKey.create_with_secret(owner.pk, "backup script")


async def test_an_account_is_deleted_by_its_owner_and_the_open_chat_is_at_the_sign_in(visit, worker, alice, size):
    await in_database(create_some, alice)
    page, chat = await visit(size), await visit(size)
    await sign_in(chat)
    await add_session(page, alice)
    await page.goto("/settings/")
    await page.get_by_role("link", name="My data").click()
    await expect(page.get_by_text("You have 2 conversations.")).to_be_visible()
    await take_screenshot(page, f"data-{size}", whole=True)
    await page.get_by_role("link", name="Delete my account…").click()
    await reauthenticate(page)
    await expect(page.locator("#content li", has_text="1 shared link")).to_be_visible()
    page.expect_complaint("status of 422")
    await page.get_by_label("Your username").fill("Alice")
    await page.get_by_role("button", name="Delete my account").click()
    await expect(page.locator(".fault")).to_have_text("This is not your username. It is written “alice”.")
    await expect(page.get_by_label("Your username")).to_be_focused()
    await take_screenshot(page, f"delete-account-{size}", whole=True)
    await page.get_by_label("Your username").fill("alice")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Your account is deleted")).to_be_visible()
    await expect(chat.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.get_by_role("link", name="To the sign-in").click()
    await expect(page.get_by_label("Username")).to_be_visible()
    assert not await in_database(User.objects.filter(username="alice").exists)
