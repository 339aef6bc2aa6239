"""A person keeps their conversations in order: each thing once, on a desktop and on a phone."""

import json
import re

import pytest
import pytest_asyncio
from playwright.async_api import expect

from chat.models import Conversation, Share
from jarvis.lib.database import in_database
from tests.support.pages import ask, create_conversations, find_entry, open_drawer, sign_in, take_screenshot

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.django_db(transaction=True)]


async def choose(page, title, *names):
    """Open the menu of a conversation and choose something in it."""
    await find_entry(page, title).hover()
    await find_entry(page, title).locator(".more").click()
    for name in names:
        await page.get_by_role("menuitem", name=name, exact=True).click()


@pytest_asyncio.fixture(loop_scope="session")
async def there(visit, worker, alice, size):
    await in_database(create_conversations, alice)
    page = await visit(size)
    await sign_in(page)
    await open_drawer(page, size)
    return page


async def test_a_list_by_dates_in_which_a_person_renames_pins_files_and_archives(there, size):
    page = there
    headings = page.locator("#conversations h2")
    assert (await headings.all_inner_texts())[:4] == ["Today", "Yesterday", "Previous 7 days", "Previous 30 days"]
    await choose(page, "Rewrite")
    await expect(page.get_by_role("menuitem", name="Rename")).to_be_focused()
    await page.keyboard.press("ArrowUp")
    await expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
    await take_screenshot(page, f"menu-{size}")
    await page.keyboard.press("Escape")
    await expect(find_entry(page, "Rewrite").locator(".more")).to_be_focused()

    await choose(page, "Rewrite", "Rename")
    await page.get_by_label("New title").fill("Welcome mail")
    await page.keyboard.press("Enter")
    await expect(find_entry(page, "Welcome mail").locator("a")).to_be_focused()
    await choose(page, "Explain", "Pin")
    await expect(page.locator("[data-group=pinned] a")).to_have_text("Explain lease and fencing tokens")
    await choose(page, "SQL", "Move to a folder")
    await page.get_by_label("Folder, one of yours").fill("Work")
    await take_screenshot(page, f"folder-{size}")
    await page.get_by_role("button", name="Save").click()
    folder = page.locator("details[data-folder=Work]")
    await expect(folder.locator(".count")).to_have_text("1")
    await folder.locator("summary").click()
    await expect(folder.locator("li a")).to_have_text("SQL: customers without an order since March")
    await choose(page, "nightly", "Archive")
    await expect(find_entry(page, "nightly")).to_have_count(0)
    await page.get_by_role("button", name="Undo").click()
    await expect(find_entry(page, "nightly")).to_have_count(1)
    await choose(page, "nightly", "Archive")
    await expect(find_entry(page, "nightly")).to_have_count(0)
    await take_screenshot(page, f"organised-{size}")

    await page.reload()
    await open_drawer(page, size)
    await expect(headings.first).to_have_text("Pinned")
    await expect(folder.locator("li a")).to_have_count(1)  # it is still open
    row = await in_database(Conversation.objects.get, title="Welcome mail")
    assert row.title_source == "owner"
    await page.get_by_role("link", name="All conversations").click()
    await page.get_by_role("link", name="Archived").click()
    await expect(page.locator("#collection li a")).to_have_text("Why is the nightly import slow?")
    await page.locator("#collection .more").click()
    await page.get_by_role("menuitem", name="Bring back from the archive").click()
    await expect(page.locator("#collection")).to_contain_text("Nothing is archived")
    await take_screenshot(page, f"library-{size}")


async def test_a_deletion_can_be_undone_and_both_windows_agree(there, visit, size, engine):
    page, other = there, await visit("desktop")
    await sign_in(other)
    await choose(page, "Ideas", "Delete")
    await expect(find_entry(page, "Ideas")).to_have_count(0)
    toast, main = await page.locator(".toast").bounding_box(), await page.locator("main").bounding_box()
    assert abs(toast["x"] + toast["width"] / 2 - main["x"] - main["width"] / 2) < 1  # in the middle of what is read
    await expect(find_entry(other, "Ideas")).to_have_count(0)
    await page.get_by_role("button", name="Undo").click()
    for window in (page, other):
        await expect(find_entry(window, "Ideas")).to_have_count(1)
    await other.locator("#conversations a", has_text="Ideas").click()
    await expect(other.locator("#title")).to_have_text("Ideas for the team day in Bilbao")
    await choose(page, "Ideas", "Rename")
    await page.get_by_label("New title").fill("Bilbao")
    await page.keyboard.press("Enter")
    await expect(other.locator("#title")).to_have_text("Bilbao")
    await expect(find_entry(other, "Bilbao")).to_have_count(1)
    engine.settings.answer_tokens = 5000
    await ask(other, "And now?")
    await expect(other.locator(".assistant .said").last).to_contain_text("t5 ")
    await expect(find_entry(page, "Bilbao")).to_have_class("answering")
    await choose(other, "Bilbao", "Delete")  # the open one: its page is left, and the toast comes along
    await expect(other.locator("#welcome")).to_be_visible()
    await expect(other.get_by_role("button", name="Undo")).to_be_visible()
    await other.get_by_role("button", name="Undo").click()
    await find_entry(other, "Bilbao").locator("a").click()
    await expect(other.locator(".assistant").last).to_have_attribute("data-status", "stopped")


async def test_search_finds_while_typing_marks_the_hits_and_leads_to_the_message(there, size, configure):
    page = there
    await page.locator("#search").fill("fencing lighth")
    hit = page.locator("#search-results a")
    await expect(hit).to_have_count(1)
    await expect(hit.locator(".title mark")).to_have_text("fencing")
    await expect(hit.locator(".snippet mark").last).to_have_text("lighthouse")
    assert "<b>at</b>" in await hit.locator(".snippet").inner_text()
    await expect(page.locator("#search-count")).to_have_text("Conversations found: 1")
    await take_screenshot(page, f"search-{size}")
    await page.keyboard.press("ArrowDown")
    await expect(hit).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator(".user.hit .said")).to_contain_text("lighthouse")
    painted = "[...CSS.highlights.get('found')].map(String)"
    assert set(await page.evaluate(painted)) == {"fencing", "lighthouse"}
    await expect(page.locator(".hit")).to_have_count(0)  # the frame goes, the words stay marked
    assert await page.evaluate(painted)
    await open_drawer(page, size)
    await page.locator("#search").fill("nothing like this")
    await expect(page.locator("#search-results")).to_contain_text("Nothing was found")
    configure(web_rate_limit_searches=1)
    page.expect_complaint("429")
    for text in ("one", "two", "three"):  # the minute of the count may end between two of them
        async with page.expect_response("**/conversations/?part=search**"):
            await page.locator("#search").fill(text)
    await expect(page.locator("#search-results")).to_have_text(re.compile(r"^Too many at once. Try again in \d+ s.$"))
    await page.locator("#search").press("Escape")
    await expect(page.locator("#conversations")).to_be_visible()


async def test_a_link_shows_anybody_what_was_said_until_it_is_withdrawn(there, visit, size):
    page = there
    await choose(page, "Ideas", "Share")
    await page.get_by_role("button", name="Make a link").click()
    field = page.get_by_label("Link", exact=True)
    await expect(field).to_be_visible()
    await take_screenshot(page, f"share-{size}")
    address = await field.input_value()
    stranger = await visit(size, script=False)
    await stranger.goto(address)
    await expect(stranger.get_by_role("heading", name="Ideas for the team day in Bilbao")).to_be_visible()
    assert "alice" not in await stranger.content()
    await stranger.screenshot(path=f"/tmp/organise-shared-{size}.png")
    await page.get_by_role("button", name="Remove link").click()
    await expect(field).to_have_count(0)
    stranger.expect_complaint("404")
    await stranger.reload()
    await expect(stranger.get_by_role("heading", name="There is nothing here")).to_be_visible()
    assert await in_database(Share.objects.open().count) == 0


async def test_what_is_exported_can_be_imported_and_is_not_there_twice(there, size, tmp_path):
    page = there
    await find_entry(page, "Ideas").hover()
    await find_entry(page, "Ideas").locator(".more").click()
    async with page.expect_download() as waiting:
        await page.get_by_role("menuitem", name="Export as data (JSON)").click()
    file = tmp_path / "one.json"
    await (await waiting.value).save_as(file)
    assert json.loads(file.read_text())["conversations"][0]["title"] == "Ideas for the team day in Bilbao"
    await page.get_by_role("link", name="All conversations").click()
    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="Export all conversations").click()
    everything = tmp_path / "all.json"
    await (await waiting.value).save_as(everything)
    assert len(json.loads(everything.read_text())["conversations"]) == 5
    await in_database(Conversation.objects.all().delete)
    told = page.locator("#import-status")
    for words in ("Imported: 5. There already: 0.", "Imported: 0. There already: 5."):
        await page.locator("#file").set_input_files(everything)
        await page.get_by_role("button", name="Import", exact=True).click()
        await expect(told).to_contain_text(words)
    await expect(page.locator("#collection li")).to_have_count(5)
    (tmp_path / "bad.json").write_text('{"format": "other"}')
    await page.locator("#file").set_input_files(tmp_path / "bad.json")
    page.expect_complaint("400")
    await page.get_by_role("button", name="Import", exact=True).click()
    await expect(told).to_contain_text("format or version")


async def test_a_long_list_loads_on_as_it_is_scrolled(visit, worker, alice, size):
    def many():
        rows = [Conversation(owner=alice, title=f"number {n}", folder="Work" if n % 3 == 0 else "") for n in range(450)]
        Conversation.objects.bulk_create(rows)

    await in_database(many)
    page = await visit(size)
    await sign_in(page)
    await open_drawer(page, size)
    entries = page.locator("#conversations section li")
    await expect(page.locator("details .count")).to_have_text("150")
    await page.locator("#conversations").evaluate("box => box.scrollTop = box.scrollHeight")
    await expect(entries).to_have_count(200)
    await page.locator("#conversations").evaluate("box => box.scrollTop = box.scrollHeight")
    await expect(entries).to_have_count(300)
    await expect(page.locator("#conversations h2")).to_have_count(1)
    await expect(page.locator("#conversations > .load-more")).to_have_count(0)
