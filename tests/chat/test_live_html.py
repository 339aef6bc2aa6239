"""Answers that are told as HTML, block by block."""

import asyncio
import time
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from chat.models import Message
from chat.rendering.markdown import render_markdown
from chat.rendering.stored import RENDERER_MARK
from chat.ws import live_html
from inference.log.events import Begin, Cursor, End, Fence, Text
from inference.models import Generation
from inference.redis.client import shared_client
from inference.redis.keys import log_key
from inference.redis.log import publish_events
from jarvis.lib.database import in_database
from tests.support.fake_engine import numbered
from tests.support.live import list_tasks
from tests.support.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


class Page:
    """What the page makes of the frames; it does as `blocks.js`."""

    def __init__(self):
        self.blocks, self.open, self.tail = [], "", ""
        self.clears = self.frames = 0
        self.end = None

    def apply(self, frame):
        self.frames += 1
        if frame["type"] == "begin" and frame["clear"]:
            self.clears += 1
            self.blocks, self.open, self.tail = [], "", ""
        elif frame["type"] == "html":
            first, blocks = frame.get("first", 0), frame.get("blocks", [])
            assert first <= len(self.blocks)
            for index, html in enumerate(blocks, first):
                if self.blocks[index : index + 1] != [html]:
                    self.blocks[index:] = [html]
            if "open" in frame:
                self.blocks[first + len(blocks) :] = []
            if "open" in frame or blocks:
                self.open, self.tail = frame.get("open", ""), ""
            self.tail += frame.get("tail", "")
        elif frame["type"] == "end":
            self.end = frame

    @property
    def html(self):
        return "".join(self.blocks)


async def follow(socket, generation, page=None, **fields):
    """Follow to the end as HTML."""
    page = page or Page()
    await socket.send_frame(type="follow", generation=str(generation), **{"as": "html"}, **fields)
    while page.end is None:
        frame = await socket.receive_frame("begin", "html", "end", "error")
        assert frame["type"] != "error", frame
        page.apply(frame)
    return page


async def running(owner):
    """A generation that some worker is at, whose log the test writes."""
    return await in_database(
        Generation.objects.create,
        owner=owner,
        model="fake",
        door="chat",
        request_id="r",
        status="running",
        attempt=1,
        lease_until=timezone.now() + timedelta(hours=1),
    )


class Writer:
    """Writes a log, as a worker would."""

    def __init__(self, row):
        self.row, self.attempt, self.index = row, 0, 0

    async def begin(self, clear=False):
        self.attempt, self.index = self.attempt + 1, 0
        await self.write(Fence(), Begin(clear=clear))

    async def write(self, *entries):
        places = [Cursor(self.attempt, self.index + number) for number in range(1, len(entries) + 1)]
        self.index += len(entries)
        await publish_events({self.row.id: list(zip(places, entries, strict=True))})

    async def say(self, text):
        await self.write(Text(text, 1))

    async def end(self, text, status="done"):
        ended = {"status": status, "text": text, "finished_at": timezone.now(), "finish_reason": "stop"}
        await in_database(Generation.objects.filter(pk=self.row.pk).update, **ended)
        await self.write(End(status, "stop"))


@pytest.fixture
async def writer(alice, fake):
    writer = Writer(await running(alice))
    await writer.begin()
    return writer


async def apply_frames(socket, page, done):
    async with asyncio.timeout(10):
        while not done(page):
            page.apply(await socket.receive_frame("begin", "html", "end", "error"))


async def test_an_answer_is_told_as_html_and_kept_with_its_message(open_as, alice, worker, fake):
    fake.settings.rate, fake.settings.answer_tokens = 50, 40
    socket = await open_as(alice)
    accepted = await socket.ask()
    page = await follow(socket, accepted["generation"])
    assert page.html == render_markdown(numbered(40)) == f"<p>{numbered(40).strip()}</p>\n"
    assert (page.end["status"], page.open, page.tail) == ("done", "", "")
    assert page.frames > 10  # it was seen growing

    async def kept():
        return (await in_database(Message.objects.get, id=accepted["answer"])).html == RENDERER_MARK + page.html

    await until(kept)
    await until(lambda: not list_tasks(live_html.LiveHtml))


async def test_finished_blocks_are_told_once_and_the_open_one_as_it_grows(open_as, alice, writer):
    socket, page = await open_as(alice), Page()
    await socket.send_frame(type="follow", generation=str(writer.row.id), **{"as": "html"})
    text = "# One\n\nTwo is\nmore **three"
    await writer.say(text)
    await apply_frames(socket, page, lambda page: "three" in page.open)
    assert page.blocks == ["<h3>One</h3>\n"]
    assert page.open == "<p>Two is<br>\nmore <strong>three</strong></p>\n"  # what is half there is mended
    await writer.say(more := " four** five\n\nSix\n")
    await apply_frames(socket, page, lambda page: "Six" in page.open)
    assert page.blocks[1:] == ["<p>Two is<br>\nmore <strong>three four</strong> five</p>\n"]
    told = [block for frame in socket.seen for block in frame.get("blocks", [])]
    assert told == page.blocks
    await writer.end(text + more)
    await apply_frames(socket, page, lambda page: page.end)
    assert page.html == render_markdown(text + more)


async def test_plain_words_do_not_wait_for_a_rendering(open_as, alice, writer):
    socket, page = await open_as(alice), Page()
    await socket.send_frame(type="follow", generation=str(writer.row.id), **{"as": "html"})
    await writer.say("It is")
    await apply_frames(socket, page, lambda page: page.open == "<p>It is</p>\n")
    await writer.say(" so, and")
    await apply_frames(socket, page, lambda page: page.tail or "so" in page.open)
    assert page.tail == " so, and"
    await apply_frames(socket, page, lambda page: page.open == "<p>It is so, and</p>\n")  # without any further word


async def test_a_second_viewer_and_one_who_comes_back_get_all_of_it_from_the_first_character(open_as, alice, writer):
    one, other = await open_as(alice), await open_as(alice)
    pages = Page(), Page()
    text = "".join(f"Paragraph *{number}*.\n\n" for number in range(600))
    await one.send_frame(type="follow", generation=str(writer.row.id), **{"as": "html"})
    await writer.say(text)
    await apply_frames(one, pages[0], lambda page: len(page.blocks) >= 599)
    await other.send_frame(type="follow", generation=str(writer.row.id), **{"as": "html"})
    await apply_frames(other, pages[1], lambda page: len(page.blocks) >= 599)
    assert len(list_tasks(live_html.LiveHtml.run)) == 1  # rendered once, for both
    longest = max(sum(map(len, frame.get("blocks", []))) for frame in other.seen)
    assert longest <= live_html.MAX_FRAME_HTML_CHARS
    before, frames = list(pages[0].blocks), pages[0].frames
    await one.send_frame(type="follow", generation=str(writer.row.id), **{"as": "html"})
    await apply_frames(one, pages[0], lambda page: page.frames > frames)  # it has come back before the end
    await writer.say("The end.")
    await writer.end(text + "The end.")
    for socket, page in zip((one, other), pages, strict=True):
        await apply_frames(socket, page, lambda page: page.end)
        assert page.html == render_markdown(text + "The end.")
    assert pages[0].blocks[: len(before)] == before


async def test_an_answer_that_begins_again_is_cleared_once(open_as, alice, writer):
    socket, page = await open_as(alice), Page()
    await socket.send_frame(type="follow", generation=str(writer.row.id), **{"as": "html"})
    await writer.say("First.\n\nSecond.\n\nThird.\n")
    await apply_frames(socket, page, lambda page: len(page.blocks) == 2)
    await in_database(Generation.objects.filter(pk=writer.row.pk).update, attempt=2)
    await writer.begin(clear=True)
    await writer.say("Other.")
    await writer.end("Other.")
    await apply_frames(socket, page, lambda page: page.end)
    assert (page.clears, page.html) == (1, "<p>Other.</p>\n")


async def test_definitions_at_the_end_replace_what_was_told(open_as, alice, writer):
    socket, page = await open_as(alice), Page()
    await socket.send_frame(type="follow", generation=str(writer.row.id), **{"as": "html"})
    text = "See [docs] and a note[^1].\n\nMore.\n\nAnd more.\n"
    await writer.say(text)
    await apply_frames(socket, page, lambda page: len(page.blocks) == 2)
    assert "[docs]" in page.html
    await writer.say(last := "\n[docs]: https://example.com\n[^1]: Note.")
    await writer.end(text + last)
    await apply_frames(socket, page, lambda page: page.end)
    scope = writer.row.id.hex[:12]
    assert page.html == render_markdown(text + last, scope)
    assert f'href="#fn-{scope}-1"' in page.html


async def test_an_answer_whose_log_is_gone_is_told_from_the_row(open_as, alice, writer):
    await writer.say("*x*")
    await writer.end("*x*")
    past = timezone.now() - timedelta(seconds=10)
    await in_database(Generation.objects.filter(pk=writer.row.pk).update, finished_at=past)
    await shared_client().delete(log_key(writer.row.id))
    page = await follow(await open_as(alice), writer.row.id)
    assert (page.html, page.end["status"]) == ("<p><em>x</em></p>\n", "done")


async def test_html_is_kept_only_with_the_text_that_it_was_made_of(alice, writer):
    row = writer.row

    def make():
        conversation = alice.conversations.create(title="t")
        return conversation.messages.create(role="assistant", text="new", generation=row)

    message = await in_database(make)
    await in_database(Message.objects.store_html, row.id, "old", "<p>old</p>")
    await in_database(message.refresh_from_db)
    assert message.html == ""
    await in_database(Message.objects.store_html, row.id, "new", "<p>new</p>")
    await in_database(message.refresh_from_db)
    assert message.html == f"{RENDERER_MARK}<p>new</p>"


async def test_when_all_have_left_nothing_goes_on_rendering(open_as, alice, writer):
    socket = await open_as(alice)
    await socket.send_frame(type="follow", generation=str(writer.row.id), **{"as": "html"})
    await writer.say("x")
    await socket.receive_frame("html")
    assert list_tasks(live_html.LiveHtml.run)
    await socket.send_frame(type="unfollow", generation=str(writer.row.id))
    await until(lambda: not list_tasks(live_html.LiveHtml.run))
    assert not any(live_html._answers.values())


async def test_a_form_that_does_not_exist_is_refused(open_as, alice):
    socket = await open_as(alice)
    await socket.send_frame(type="follow", generation=str(uuid.uuid4()), **{"as": "pdf"})
    assert (await socket.receive_frame("error"))["code"] == "invalid_frame"


async def test_nobody_follows_another_persons_answer_as_html(open_as, bob, writer):
    socket = await open_as(bob)
    await socket.send_frame(type="follow", generation=str(writer.row.id), **{"as": "html"})
    assert (await socket.receive_frame("error"))["code"] == "not_found"


async def test_a_long_answer_at_once_holds_nobody_up(open_as, alice, writer):
    text = "".join(
        f"Paragraph **{number}** with `code` and [a link](https://example.com).\n\n" for number in range(1500)
    )
    socket, page = await open_as(alice), Page()
    await writer.say(text)
    longest = 0.0

    async def feel():
        nonlocal longest
        while page.end is None:
            began = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - began)

    feeling = asyncio.create_task(feel())
    await socket.send_frame(type="follow", generation=str(writer.row.id), **{"as": "html"})
    await writer.end(text)
    await apply_frames(socket, page, lambda page: page.end)
    await feeling
    assert page.html == render_markdown(text)
    assert longest < 0.1  # of this thread's time, in one turn of its loop; all of it takes several times that


async def test_blocks_are_told_though_their_rendering_has_not_said_yet_that_it_is_done(writer):
    """A thread puts them there; another viewer's coming may wake this one before the loop hears of it."""
    live = live_html.LiveHtml(writer.row.id)
    viewer = live_html.Viewer(live)
    list(viewer.news_frames())
    live.draft.blocks = ["<p>x</p>"]
    told = [block for frame in viewer.news_frames() for block in getattr(frame, "blocks", [])]
    live.task.cancel()
    assert told == ["<p>x</p>"]


async def test_a_text_that_takes_too_long_is_told_as_it_was_written(open_as, alice, writer):
    begin, slow = "# One\n\nTwo\n", "![" * 14_000
    text = begin + slow
    socket, page = await open_as(alice), Page()
    await socket.send_frame(type="follow", generation=str(writer.row.id), **{"as": "html"})
    await writer.say(begin)
    await apply_frames(socket, page, lambda page: "Two" in page.open)
    await writer.say(slow)
    await writer.end(text)
    await apply_frames(socket, page, lambda page: page.end)
    assert page.blocks[0] == "<h3>One</h3>\n"
    assert page.html.endswith(f'<pre class="plain">Two\n{slow}</pre>')
