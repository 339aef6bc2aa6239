"""A real browser before a live Jarvis. Any console error or violation of the Content-Security-Policy fails the test.

One Chromium serves the whole session; each test opens windows of its own, with cookies and storage of their own. It
is spoken to on one event loop, so all of these tests and their fixtures run on that one.
"""

import contextlib
import os
import shutil
from pathlib import Path

import pytest
import pytest_asyncio
from channels.layers import get_channel_layer
from django.contrib.auth.models import User
from playwright.async_api import async_playwright

from inference.redis.client import close_client, shared_client
from tests.support.accounts import PASSWORD
from tests.support.fake_engine import FakeEngine, Plan
from tests.support.live import serve, static_files
from tests.support.pages import SIZES
from tests.support.workers import FakeKeptEngine, working

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Storyteller(FakeEngine):
    """A fake engine that says a given text, word by word, or in given bits."""

    story = ""
    bits: list[str] = []

    def plan(self, body, chat):
        plan = super().plan(body, chat)
        if not (self.story or self.bits):
            return plan
        words = self.bits or self.story.replace(" ", " \0").split("\0")
        told = ToldPlan(**vars(plan))
        told.words, told.tokens, told.cut = words, max(0, len(words) - plan.start), False
        return told


class ToldPlan(Plan):
    words: list[str]

    def text(self, k):
        return self.words[k]


def chromium():
    """Debian's browser, else the one that Playwright installs (None); skips where there is neither.

    The one that has no window takes a fifth less of the processor.
    """
    for name in ("chromium-headless-shell", "chromium", "chromium-browser"):
        if found := shutil.which(name):
            return found
    if any(Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", Path.home() / ".cache/ms-playwright")).glob("chromium*")):
        return None
    pytest.skip("no browser is installed: apt-get install chromium-headless-shell")


@pytest_asyncio.fixture(loop_scope="session")
async def empty_redis():
    """What a web process keeps as long as it lives (its connections, its readers) goes on from test to test."""
    yield
    await shared_client().flushdb()
    await close_client()


@pytest_asyncio.fixture(loop_scope="session")
async def engine(tmp_path):
    async with Storyteller(tmp_path / "engine.sock", rate=60, answer_tokens=16) as fake:
        yield fake


@pytest_asyncio.fixture(loop_scope="session")
async def held(engine, tmp_path):
    held = FakeKeptEngine(tmp_path / "engine.sock")
    yield held
    await held.close()


@pytest_asyncio.fixture(loop_scope="session")
async def site(transactional_db, empty_redis):
    static_files()
    async with serve() as address:
        yield address


@pytest_asyncio.fixture(loop_scope="session")
async def worker(held, site):
    async with working(held) as worker:
        yield worker


@pytest.fixture
def alice(transactional_db):
    return User.objects.create_user("alice", password=PASSWORD)


@pytest.fixture
def carol(transactional_db):
    return User.objects.create_superuser("carol", password=PASSWORD)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser():
    executable = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=QUIET)
        yield browser
        await browser.close()
    await get_channel_layer().flush()


@pytest.fixture(params=["desktop", "phone"])
def size(request):
    return request.param


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser, site):
    """Open a window: `await visit(size="phone", scheme="dark")`. At the end none of them may have complained."""
    faults: list[str] = []
    expected: list[str] = []
    async with contextlib.AsyncExitStack() as stack:

        async def visit(size="desktop", scheme="light", locale="en-GB", script=True, zone=None, base="127.0.0.1"):
            context = await browser.new_context(
                base_url=site.replace("127.0.0.1", base),
                viewport=SIZES[size],
                color_scheme=scheme,
                locale=locale,
                java_script_enabled=script,
                timezone_id=zone,
            )
            stack.push_async_callback(context.close)
            context.set_default_timeout(15_000)
            page = await context.new_page()
            page.on(
                "console",
                lambda m: faults.append(f"{m.text} {m.location['url']}") if m.type in ("error", "warning") else None,
            )
            page.on("pageerror", lambda error: faults.append(str(error)))
            if script:
                await page.add_init_script(
                    "addEventListener('securitypolicyviolation',"
                    " e => console.error(`CSP: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}`))"
                )
            page.site, page.expect_complaint = site.replace("127.0.0.1", base), expected.append
            return page

        yield visit
    left = [fault for fault in faults if not any(words in fault for words in expected)]
    assert not left
