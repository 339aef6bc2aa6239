"""How answers look while they grow and afterwards, and that the page stays where its reader is."""

import itertools
from pathlib import Path

import pytest
from playwright.async_api import expect

from chat.models import Conversation, Message
from chat.rendering.stored import RENDERER_MARK
from inference.models import Generation
from jarvis.lib.database import in_database
from tests.support.pages import ask, sign_in, take_screenshot
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.django_db(transaction=True)]

STORY = """# Why the import is slow

It spends **92 %** of its time in *one* query, `SELECT … FOR UPDATE`, see [the plan](https://example.com/plan)[^1].

1. **Move the report** to 03:00.
2. Add an index:

   ```sql
   CREATE INDEX CONCURRENTLY orders_by_day ON orders (customer_id, day DESC) WHERE day > '2026-03-01'; -- wide
   ```

- [x] index made
- [ ] report moved

The time for $n$ rows is

$$
T(n) = \\sum_{i=1}^{n} \\left( \\frac{c_i}{\\sqrt{k}} + \\int_0^1 e^{-x^2}\\,dx \\right), \\quad
\\lim_{n \\to \\infty} T(n) = 0
$$

| step | rows | before, s | after, s | remark |
| :--- | ---: | ---: | ---: | --- |
| read | 1,200,000 | 41.2 | 40.9 | bound by the network between the two machines |
| match | 1,200,000 | 930.0 | 12.4 | the index |

> **Note.** The report needs a snapshot, not a lock.

```python
@dataclass(frozen=True)
class Batch:
    size: int = 500  # rows that are read together

    def pages(self, total: int) -> int:
        return -(-total // self.size)
```

![the plan](https://example.com/plan.png)

[^1]: As of March."""

FOUND = {
    "strong": 3,
    "ol > li": 3,
    ".task": 2,
    ".code .head .copy": 2,
    ".wide table": 1,
    "math": 2,
    "munderover": 1,
    "blockquote": 1,
    "a.picture": 1,
    ".footnotes li": 1,
    ".code .d": 1,
    "img, .open": 0,
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_an_answer_with_everything_in_it(visit, engine, worker, alice, size, scheme):
    engine.story, engine.settings.rate = STORY, 150
    page = await visit(size, scheme)
    await sign_in(page)
    await ask(page, "Why is it *slow*?\nTell me.")
    said = page.locator(".assistant .said")
    await expect(said.locator("h3")).to_have_text("Why the import is slow")
    await expect(said.locator(".code").first).to_be_visible()
    await take_screenshot(page, f"rendering-growing-{size}-{scheme}")
    await expect(page.locator(".assistant .fate, .assistant .tools")).to_have_count(1)
    grown = await said.inner_html()
    for selector, count in FOUND.items():
        await expect(said.locator(selector), selector).to_have_count(count)
    await expect(page.locator(".user .said")).to_have_text("Why is it *slow*?\nTell me.")
    await expect(page.locator("#announcer")).to_contain_text("Why the import is slow")
    assert "Copy" not in await page.locator("#announcer").inner_text()
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    for wide in await said.locator(".code pre, .wide, .formula").all():
        assert (await wide.bounding_box())["width"] <= (await said.bounding_box())["width"]
    await page.locator("#scroller").evaluate("box => box.scrollTop = 0")
    await take_screenshot(page, f"rendering-{size}-{scheme}")
    await page.reload()
    await expect(said.locator(".copy")).to_have_count(3)
    assert (await said.inner_html()).removeprefix(RENDERER_MARK) == grown


async def test_finished_blocks_stay_and_the_open_one_is_seen_growing(visit, engine, worker, alice):
    engine.story = "# Head\n\n" + "some plain words that go on " * 3 + "\n\n**bold words at the end of it** and more"
    page = await visit()
    await sign_in(page)
    await page.evaluate(
        """() => {
          window.stages = new Set();
          window.made = 0;
          const list = document.getElementById('messages');
          new MutationObserver(changes => {
            stages.add(list.querySelector('.assistant .said')?.textContent.length);
            const heads = changes.flatMap(({ addedNodes }) => [...addedNodes]).filter(node => node.nodeName === 'H3');
            made += heads.filter(node => !node.parentElement?.matches('.open')).length;
            if (/\\*\\*|# /.test(list.querySelector('.assistant .said')?.textContent)) window.raw = true;
          }).observe(list, { childList: true, subtree: true, characterData: true });
        }"""
    )
    await ask(page, "Go on.")
    await expect(page.locator(".assistant[data-status=done]")).to_be_visible()
    assert await page.evaluate("made") == 1
    assert await page.evaluate("stages.size") > 8
    assert await page.evaluate("window.raw") is None  # no asterisks, not even for a moment
    await expect(page.locator(".assistant strong")).to_have_text("bold words at the end of it")


async def test_what_is_written_can_be_copied_and_code_alone_too(visit, engine, worker, alice, site):
    engine.story = "**Source** of $x^2$:\n\n```sh\nls -l\n```\n\n| a | b |\n|---|---|\n| 1,5 | x<br>y |\n"
    page = await visit()
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site)
    await sign_in(page)
    await ask(page, "Write.")
    await page.locator(".assistant .tools").get_by_role("button", name="Copy").click()
    await expect(page.locator(".assistant .tools .copy")).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == engine.story
    html = await page.evaluate(READ_HTML)
    assert "<strong>Source</strong>" in html
    assert "<td>x<br>y</td>" in html
    assert "Copy" not in html
    assert "button" not in html
    await page.locator(".assistant .code .copy").click()
    await expect(page.locator(".assistant .code .copy")).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == "ls -l\n"
    await page.get_by_role("button", name="Copy as CSV").click()
    await expect(page.locator(".table-tools .copy")).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == 'a,b\r\n"1,5","x\ny"\r\n'
    assert "<td>1,5</td>" in await page.evaluate(READ_HTML)
    # A selection has formulas as they were written, and the answer once, though it is also said aloud.
    await page.locator(".assistant .said p").first.click()
    await page.keyboard.press("Control+A")
    await page.keyboard.press("Control+C")
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied.count("Source of $x^2$:") == 1
    assert copied.count("ls -l") == 1
    assert "<math" in await page.evaluate(READ_HTML)
    # Over plain HTTP there is no clipboard for pages; a selection is copied all the same.
    await page.evaluate("window.board = navigator.clipboard")
    await page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    await expect(page.locator(".assistant .tools .copy")).to_have_text("Copy")
    await page.locator("#text").focus()
    await page.locator(".assistant .tools .copy").click()
    await expect(page.locator(".assistant .tools .copy")).to_have_text("Copied")
    assert await page.evaluate("board.readText()") == engine.story
    assert "<strong>Source</strong>" in await page.evaluate(READ_HTML.replace("navigator.clipboard", "board"))


async def test_a_selection_without_formulas_has_an_answer_once(visit, engine, worker, alice, site):
    engine.story = "Nothing but words.\n"
    page = await visit()
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site)
    await sign_in(page)
    await ask(page, "Write.")
    await expect(page.locator("#announcer")).to_have_text("Nothing but words.")
    await page.locator(".assistant .said p").click()
    await page.keyboard.press("Control+A")
    await page.keyboard.press("Control+C")
    assert (await page.evaluate("navigator.clipboard.readText()")).count("Nothing but words.") == 1


async def test_code_stays_under_its_head_can_be_wrapped_and_saved(visit, engine, worker, alice, size):
    engine.settings.rate = 0
    engine.story = "```python\n" + "value = compute('something') + " * 8 + "0\n" + "x = 1\n" * 80 + "```\n"
    page = await visit(size)
    await sign_in(page)
    await ask(page, "Write.")
    code, head = page.locator(".assistant .code"), page.locator(".assistant .code .head")
    await expect(page.locator(".assistant .tools")).to_be_attached()
    overflow = "pre => pre.scrollWidth - pre.clientWidth"
    assert await code.locator("pre").evaluate(overflow) > 100
    wrap = head.get_by_role("button", name="Wrap lines")
    await wrap.click()
    await expect(wrap).to_have_attribute("aria-pressed", "true")
    assert await code.locator("pre").evaluate(overflow) <= 0
    await page.locator("#scroller").evaluate("box => (box.scrollTop = box.scrollHeight / 2)")
    edge = (await page.locator("#scroller").bounding_box())["y"]
    assert abs((await head.bounding_box())["y"] - edge) <= 1
    await take_screenshot(page, f"code-{size}")
    async with page.expect_download() as started:
        await head.get_by_role("button", name="Download").click()
    saved = await started.value
    assert saved.suggested_filename == "code.py"
    written = Path(await saved.path()).read_text()  # noqa: ASYNC240
    assert written == engine.story.removeprefix("```python\n").removesuffix("```\n")
    await page.reload()
    await expect(head.get_by_role("button", name="Wrap lines")).to_have_attribute("aria-pressed", "true")


async def test_what_is_printed_is_the_whole_conversation(visit, worker, alice):
    made = await in_database(long_chat, alice, 120)
    page = await visit()
    await sign_in(page)
    await page.goto(f"/c/{made.id}/")
    await expect(page.locator(".message").last).to_contain_text("Answer 119")
    page.expect_complaint("Synchronous XMLHttpRequest")
    await page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert await page.locator(".message").count() == 120
    await page.emulate_media(media="print", color_scheme="dark")
    for hidden in ("#composer", "#sidebar", ".top #state", ".assistant .tools"):
        await expect(page.locator(hidden).first).to_be_hidden()
    height = await page.locator("#messages").evaluate("list => list.getBoundingClientRect().height")
    assert await page.evaluate("document.documentElement.scrollHeight") >= height
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert len(await page.pdf()) > 20_000


READ_HTML = """async () => {
  const [item] = await navigator.clipboard.read();
  return (await item.getType("text/html")).text();
}"""


def long_chat(owner, count):
    made = Conversation.objects.create(owner=owner, title="A long chat")
    row = {"owner": owner, "model": "fake", "door": "chat", "request_id": "r", "status": "done"}
    rows = Generation.objects.bulk_create(Generation(**row) for _ in range(count // 2))
    messages = Message.objects.bulk_create(
        Message(
            conversation=made,
            role="assistant",
            text=f"Answer **{number}** to it.\n\n- a\n- b",
            generation=rows[number // 2],
        )
        if number % 2
        else Message(conversation=made, role="user", text=f"Question {number}.")
        for number in range(count)
    )
    for before, after in itertools.pairwise(messages):
        after.parent = before
    Message.objects.bulk_update(messages, ["parent"])
    return made


async def test_a_long_chat_opens_at_its_end_and_scrolls_back_without_a_jump(visit, worker, alice, size):
    made = await in_database(long_chat, alice, 240)
    page = await visit(size)
    await sign_in(page)
    await page.goto(f"/c/{made.id}/")
    await expect(page.locator(".message").last).to_be_in_viewport()
    await expect(page.locator(".message").last).to_contain_text("Answer 239")
    await expect(page.locator(".message")).to_have_count(50)
    box = page.locator("#scroller")
    seen = 50
    while seen < 240:
        # What the reader looks at stays where it is while more is put in above it.
        first = page.locator(".message").first
        words = await first.inner_text()
        anchor = page.locator(".message", has_text=words.split("\n")[-1]).first
        await box.evaluate("box => box.scrollTop = 300")
        await expect(page.locator(".message").nth(min(seen + 49, 239))).to_be_attached()
        seen = await page.locator(".message").count()
        assert await anchor.count() == 1
        await page.wait_for_function("box => box.scrollTop > 300", arg=await box.element_handle())
    await expect(page.locator(".earlier")).to_have_count(0)
    numbers = await page.locator(".message").evaluate_all(
        "all => all.map(one => Number(/(\\d+)/.exec(one.querySelector('.said').textContent)[1]))"
    )
    assert numbers == list(range(240))
    await expect(page.locator(".message.assistant .tools")).to_have_count(120)
    await page.locator("#down").click()
    await expect(page.locator(".message").last).to_be_in_viewport()


async def test_what_is_looked_at_does_not_move_by_a_pixel(visit, worker, alice):
    made = await in_database(long_chat, alice, 120)
    page = await visit()
    await sign_in(page)
    await page.goto(f"/c/{made.id}/")
    await expect(page.locator(".message").last).to_be_in_viewport()
    moved = await page.evaluate(
        """async () => {
          const box = document.getElementById('scroller');
          const looked = document.querySelectorAll('.message')[4];
          box.scrollTop = looked.offsetTop - 20;
          const before = looked.getBoundingClientRect().top;
          const places = [];
          for (let turn = 0; turn < 200 && document.querySelectorAll('.message').length === 50; turn++)
            await new Promise(requestAnimationFrame);
          for (let turn = 0; turn < 5; turn++) {
            await new Promise(requestAnimationFrame);
            places.push(looked.getBoundingClientRect().top - before);
          }
          return [document.querySelectorAll('.message').length, Math.max(...places.map(Math.abs))];
        }"""
    )
    assert moved[0] >= 100
    assert moved[1] <= 1


async def test_a_long_chat_can_be_read_without_script(visit, worker, alice):
    made = await in_database(long_chat, alice, 120)
    plain = await visit(script=False)
    await plain.goto(f"/c/{made.id}/")
    await plain.get_by_label("Username").fill("alice")
    await plain.get_by_label("Password").fill("a long enough word")
    await plain.get_by_role("button", name="Sign in").click()
    await expect(plain.locator(".message strong").last).to_have_text("119")
    await plain.get_by_role("link", name="Show the earlier messages").click()
    await plain.get_by_role("link", name="Show the earlier messages").click()
    await expect(plain.locator(".message").first).to_contain_text("Question 0.")
    await plain.get_by_role("link", name="To the newest messages").click()
    await expect(plain.locator(".message").last).to_contain_text("Answer 119")


BELOW = "box => box.scrollHeight - box.clientHeight - box.scrollTop"
# Moves a finger over the messages, from one height to the other.
SWIPE = """(box, [from, to]) => {
  const touch = (y) => new Touch({ identifier: 1, target: box, clientX: 200, clientY: y });
  const event = (type, y) => new TouchEvent(type, { touches: [touch(y)], changedTouches: [touch(y)], bubbles: true });
  box.dispatchEvent(event("touchstart", from));
  box.dispatchEvent(event("touchmove", to));
}"""


async def test_who_scrolls_up_while_blocks_come_is_left_there(visit, engine, worker, alice):
    engine.settings.rate = 200
    engine.story = "\n\n".join(f"Paragraph **{number}** with some words in it." for number in range(160))
    page = await visit()
    await sign_in(page)
    await ask(page, "Tell me much.")
    said = page.locator(".assistant .said")
    await expect(said).to_contain_text("Paragraph 30 ")
    box = page.locator("#scroller")

    async def is_below(test):
        return test(await box.evaluate(BELOW))

    await until(lambda: is_below(lambda pixels: pixels < 80))  # it follows
    await box.hover()
    await page.mouse.wheel(0, -700)
    await until(lambda: is_below(lambda pixels: pixels >= 690))
    top = await box.evaluate("box => box.scrollTop")
    await expect(said).to_contain_text("Paragraph 60 ")
    assert abs(await box.evaluate("box => box.scrollTop") - top) <= 1
    # The least move lets go, whatever makes it: a trackpad, a finger, a key.
    moves = [
        (lambda: page.mouse.wheel(0, -3), 75),
        (lambda: box.evaluate(SWIPE, [300, 310]), 90),
        (lambda: page.keyboard.press("PageUp"), 105),
    ]
    for move, number in moves:
        await page.locator("#down").click()
        await until(lambda: is_below(lambda pixels: pixels < 80))
        await move()
        await expect(said).to_contain_text(f"Paragraph {number} ")
        await expect(page.locator("#down")).to_be_visible()
    await page.locator("#down").click()
    await expect(page.locator(".assistant[data-status=done]")).to_be_visible(timeout=15_000)
    await expect(page.locator("#down")).to_be_hidden()
    await until(lambda: is_below(lambda pixels: pixels < 80))
