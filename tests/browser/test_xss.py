"""The whole corpus before a real browser: nothing runs, and the policy has nothing to report."""

import itertools

import pytest
from playwright.async_api import expect

from chat.models import Conversation, Share
from inference.models import Generation
from jarvis.lib.database import in_database
from tests.support.accounts import PASSWORD
from tests.support.pages import ask, sign_in
from tests.support.xss import ALL, VECTORS

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.django_db(transaction=True)]

COUNT = "window.hits = 0; window.hit = () => { window.hits += 1; }; window.alert = window.hit;"
STRANGE = (
    "script, style, iframe, object, embed, form, input, svg, link, meta, base, template, video, audio,"
    " [style], [onclick], [ontoggle], [onload], [onerror], [onfocus], [onmouseover], [srcdoc], [formaction],"
    " a:not([rel='noopener noreferrer nofollow']), a[href^='javascript'], a[href^='data'], math [href]"
)
HEAD = ["p", "img", "h1", "p"]  # all that the head of a shared page is made of


def pieces(text):
    """The text cut where it hurts: into pieces of one to five characters."""
    cuts = itertools.accumulate(itertools.islice(itertools.cycle([1, 3, 2, 5]), len(text)))
    bounds = [0, *itertools.takewhile(lambda cut: cut < len(text), cuts), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(bounds)]


def store_vectors(owner):
    """Everything that a conversation shows, and its neighbours in the list, made of vectors."""
    for vector in VECTORS[::9]:
        Conversation.objects.create(owner=owner, title=vector[:200].replace("\x00", ""))
    made = Conversation.objects.create(
        owner=owner, title="</title></h1><script>hit()</script><img src=x onerror=hit()>"
    )
    row = {"owner": owner, "model": "<img src=x onerror=hit()>", "door": "chat", "request_id": "r"}
    for number, vector in enumerate(VECTORS):
        text = vector.replace("\x00", "")
        made.add_message("user", text)
        how = {"status": "failed", "error_code": "x", "error_message": text} if number % 12 == 0 else {"status": "done"}
        made.add_message("assistant", text, generation=Generation.objects.create(**row, **how))
    return made


def pack_lines(texts, room):
    """The texts, as many to a line as have room in it."""
    lines = [""]
    for text in texts:
        line = f"{lines[-1]} {text}".strip()
        if len(line) <= room:
            lines[-1] = line
        else:
            lines.append(text)
    return lines


def share_vectors(owner, conversation):
    """Links to a conversation, and to others whose titles and owners' names are the whole corpus between them."""
    plain = [" ".join(vector.replace("\x00", "").split()) for vector in VECTORS]
    made = [(owner, conversation)]
    for number, (title, name) in enumerate(
        itertools.zip_longest(pack_lines(plain, 200), pack_lines(plain, 150), fillvalue="")
    ):
        person = type(owner).objects.create_user(f"mallory {number}", first_name=name, last_name=name)
        made.append((person, Conversation.objects.create(owner=person, title=title or "no title")))
        made[-1][1].add_message("user", title)
    return [(one.create_share(with_name=True).get_absolute_url(), one.title, who.get_full_name()) for who, one in made]


async def check(page):
    """Touch everything, look at what has been made, and count the hits."""
    await page.evaluate(
        """() => {
          for (const node of document.querySelectorAll('#messages .said *, h1, h1 *, .hint, .hint *'))
            for (const kind of ['focus', 'mouseover', 'load', 'error', 'toggle']) node.dispatchEvent(new Event(kind));
        }"""
    )
    assert await page.locator("#messages .said").locator(STRANGE).count() == 0
    assert await page.evaluate("hits") == 0
    # Read again by the browser from what it has written itself, all of it is still as harmless.
    again = await page.evaluate(
        """() => {
          const html = document.getElementById('messages').innerHTML;
          const parsed = new DOMParser().parseFromString(html, 'text/html');
          return parsed.querySelectorAll('.said script, .said svg, .said style, .said iframe, .said [onerror]').length;
        }"""
    )
    assert again == 0


@pytest.fixture
def mallory(transactional_db, django_user_model):
    return django_user_model.objects.create_user(
        "mallory", password=PASSWORD, first_name="<script>hit()</script><img src=x onerror=hit()>{{7*7}}"
    )


async def test_nothing_runs_that_came_in_any_way(visit, engine, worker, mallory):
    made = await in_database(store_vectors, mallory)
    page = await visit()
    await page.add_init_script(COUNT)
    await sign_in(page, "mallory")
    assert "<script>hit()" in await page.locator("#welcome h2").inner_text()
    assert "49" not in await page.locator("#welcome h2").inner_text()
    engine.bits, engine.settings.rate = pieces(ALL), 0
    page.expect_complaint("none.png")  # a picture of this site's own, which does not exist
    await ask(page, ALL.replace("\x00", "")[:4000])
    await expect(page.locator(".assistant[data-status=done]")).to_be_visible(timeout=30_000)
    assert await page.locator(".assistant .said math").count() > 5
    await check(page)
    await page.reload()
    await expect(page.locator(".assistant .tools")).to_be_attached()
    await check(page)
    await page.goto(f"/c/{made.id}/")
    await expect(page.locator(".assistant .tools").last).to_be_attached()
    total = 2 * len(VECTORS)
    while await page.locator(".message").count() < total:
        before = await page.locator(".message").count()
        await page.locator("#scroller").evaluate("box => box.scrollTop = 0")
        await expect(page.locator(".message").nth(min(before + 49, total - 1))).to_be_attached()
    await check(page)
    assert await page.locator(".fate.fault").count() > 5


async def test_nothing_runs_on_a_shared_page(visit, engine, worker, mallory):
    """What the model said, titles and the owners' names, before a stranger whose browser runs scripts."""
    owner = await visit()
    await sign_in(owner, "mallory")
    engine.bits, engine.settings.rate = pieces(ALL), 0
    owner.expect_complaint("none.png")
    await ask(owner, "All of it")
    await expect(owner.locator(".assistant[data-status=done]")).to_be_visible(timeout=30_000)
    said = await in_database(Conversation.objects.get, owner=mallory)
    links = await in_database(share_vectors, mallory, said)
    assert 20 < len(links) == await in_database(Share.objects.open().count)
    page = await visit()
    await page.add_init_script(COUNT)
    for number, (link, title, name) in enumerate(links):
        await page.goto(link)
        if number == 0:
            assert await page.locator(".assistant .said math").count() > 5
            assert await page.locator(".assistant .said pre").count() > 3
        await check(page)
        assert await page.locator("main > header *").evaluate_all("all => all.map(one => one.localName)") == HEAD
        shown = [" ".join((await page.locator(one).text_content()).split()) for one in ("title", "h1", "header .hint")]
        assert shown[:2] == [f"{title} · Jarvis", title]
        assert f"Shared by {name} on" in shown[2]
