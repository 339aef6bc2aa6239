"""How the page looks with words in it, light and dark, on a desktop and a phone. `make screenshots` keeps pictures."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.async_api import expect

from chat.models import Conversation
from inference.models import LanguageModel
from jarvis.lib.database import in_database
from tests.support.pages import ask, sign_in, take_screenshot

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.django_db(transaction=True)]

TITLES = [
    "Rewrite the onboarding e-mail",
    "Why is the nightly import slow?",
    "Ideas for the team day in Bilbao",
    "SQL: customers without an order since March",
    "Explain lease and fencing tokens",
]
STORY = """An **API key** lets a script talk to Jarvis. There are two ways to make one:

1. In the admin, under *API keys*, press **Add API key**. The secret is shown once.
2. In a terminal:

```bash
python manage.py createuser alice
python manage.py apikey create --user alice --name "backup script"
```

Then send it with each call, as `Authorization: Bearer …`:

```python
from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8090/v1", api_key="jv_…")
answer = client.chat.completions.create(
    model="guide", messages=[{"role": "user", "content": "Hello!"}]
)
print(answer.choices[0].message.content)
```

- A key belongs to an account and can have a day on which it ends.
- A key that you revoke is refused within a second, on every door.

More about it is in https://example.com/docs/keys."""


def create_conversations(owner):
    for hours, title in enumerate(TITLES, 1):
        made = Conversation.objects.create(owner=owner, title=title)
        made.add_message("user", title)
        Conversation.objects.filter(pk=made.pk).update(updated_at=timezone.now() - timedelta(hours=hours))


async def serve_model(held, model):
    held.state.model = model
    await in_database(LanguageModel.objects.register_served, model)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_chat_with_a_long_answer(visit, held, engine, worker, alice, size, scheme):
    await in_database(create_conversations, alice)
    page = await visit(size, scheme)
    await sign_in(page)
    await serve_model(held, "guide")
    await page.reload()
    await expect(page.locator("#state")).to_have_text("guide is ready")
    await expect(page.locator("#welcome .note")).to_contain_text("You are talking to guide")
    await take_screenshot(page, f"guide-{size}-{scheme}")
    engine.settings.model = "Qwen/Qwen3-8B"
    await serve_model(held, "Qwen/Qwen3-8B")
    await page.reload()
    await expect(page.locator("#state")).to_have_text("Qwen/Qwen3-8B is ready")
    await expect(page.locator("#welcome .note")).to_have_count(0)
    engine.story, engine.settings.rate = STORY, 30
    await ask(page, "How do I create an API key, and how do I use it from Python?")
    await expect(page.locator(".assistant pre").first).to_contain_text("createuser")
    await take_screenshot(page, f"growing-{size}-{scheme}")
    await expect(page.locator("#stop")).to_be_visible()
    await expect(page.locator(".assistant[data-status=done]")).to_be_visible(timeout=15_000)
    said = page.locator(".assistant .said")
    await expect(said.locator("pre")).to_have_count(2)
    await expect(said.locator("strong")).to_have_count(2)
    await expect(said.locator("em")).to_have_text("API keys")
    assert await said.locator("a").get_attribute("rel") == "noopener noreferrer nofollow"
    await page.locator("#scroller").evaluate("box => box.scrollTop = 0")
    await expect(page.locator("#down")).to_be_visible()
    await take_screenshot(page, f"chat-{size}-{scheme}")
    wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0  # nothing sticks out sideways
    await page.locator("#down").click()
    await expect(page.locator("#down")).to_be_hidden()
    if size == "phone":
        await page.locator("#open-sidebar").click()
        await expect(page.locator("#sidebar")).to_be_in_viewport(ratio=1)
        await take_screenshot(page, f"drawer-phone-{scheme}")
        await page.keyboard.press("Escape")
        await expect(page.locator("#sidebar")).not_to_be_in_viewport()


async def test_who_scrolls_up_stays_there_while_the_answer_grows(visit, engine, worker, alice):
    page = await visit("phone")
    await sign_in(page)
    engine.story = "\n\n".join(f"Paragraph {number}." for number in range(200))
    await ask(page, "Tell me much.")
    await expect(page.locator(".assistant .said")).to_contain_text("Paragraph 40.")
    box = page.locator("#scroller")
    await box.evaluate("box => box.scrollTop = 100")
    await expect(page.locator(".assistant .said")).to_contain_text("Paragraph 60.")
    assert await box.evaluate("box => box.scrollTop") == 100
    await page.locator("#down").click()
    await expect(page.locator(".assistant .said")).to_contain_text("Paragraph 199.")
    await page.wait_for_function(
        "box => box.scrollHeight - box.clientHeight - box.scrollTop < 80", arg=await box.element_handle()
    )


NASTY = """<script>document.title = 'broken'</script> <img src=x onerror="document.title='broken'">

[a](javascript:alert(1)) [b](https://example.com/"onmouseover="x) <https://example.com> **<b onclick=x>bold</b>**

```<script>
<script>document.title = 'broken'</script>
</pre><script>document.title = 'broken'</script>
```

# <iframe srcdoc="<script>parent.document.title='broken'</script>">

- <svg onload=alert(1)>
"""


async def test_nothing_that_a_model_writes_becomes_markup(visit, engine, worker, alice):
    engine.story = NASTY
    page = await visit()
    await sign_in(page)
    await ask(page, "<script>document.title = 'broken'</script>")
    await expect(page.locator(".assistant[data-status=done]")).to_be_visible()
    for _ in range(2):
        assert "broken'" in await page.locator(".assistant .said").inner_text()
        strange = "script, img, iframe, svg, b, [onerror], [onclick], [onload], [onmouseover], a[href^=javascript]"
        assert await page.locator("#messages .said").locator(strange).count() == 0
        assert await page.title() != "broken"
        await page.reload()
