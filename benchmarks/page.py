"""`make bench-page`: what the chat page costs its reader and its web process; writes a part of docs/benchmarks.md.

One real web process (`jarvis.launch.web`), Postgres and Redis, and Debian's chromium. In the worker's place this script
writes the logs of answers itself, so that it knows when each token was there.

    python benchmarks/page.py [--only open,stream,sockets] [--seconds 15] [--no-write]
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import date, timedelta

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE)]
REPORT = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- page: begin -->", "<!-- page: end -->"

ANSWER = """## Step {n}

The import spends **{n} %** of its time in *one* query, `SELECT … FOR UPDATE`, see [the plan](https://example.com/{n}).

1. **Move the report** to 03:00.
2. Add an index:

```sql
CREATE INDEX CONCURRENTLY orders_{n} ON orders (customer_id, day DESC);
```

| step | rows | seconds |
| :--- | ---: | ---: |
| read | 1,200,000 | 41.{n} |
| match | 88,000 | 12.4 |

The time for $n$ rows is $T(n) = a_{{{n}}} + b\\,n \\log n$, which nobody has to wait for.

"""


# The web process


@contextlib.contextmanager
def web():
    """A web process; gives its address and its pid."""
    from django.core.management import call_command

    call_command("collectstatic", verbosity=0, interactive=False)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        command = [sys.executable, "-m", "jarvis.launch.web", "--fd", str(listener.fileno())]
        log = open(pathlib.Path(tempfile.gettempdir()) / f"jarvis-bench-page-{os.getpid()}.log", "w+")
        child = subprocess.Popen(command, cwd=ROOT, pass_fds=[listener.fileno()], stdout=log, stderr=log)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=60) as reply:
                assert reply.status == 200
            yield address, child.pid
        finally:
            child.terminate()
            child.wait(20)
            log.close()
            os.unlink(log.name)


def cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def person():
    """Somebody who is signed in: the account and the session's cookie."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    user = User.objects.create_user("alice")
    client = Client()
    client.force_login(user)
    return user, f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


# A long conversation


def long_chat(owner, messages):
    from chat.models import Conversation, Message
    from chat.pages.messages import fill_html
    from inference.models import Generation

    made = Conversation.objects.create(owner=owner, title="A long chat")
    row = {"owner": owner, "model": "fake", "door": "chat", "request_id": "r", "status": "done"}
    rows = Generation.objects.bulk_create(Generation(**row) for _ in range(messages // 2))
    said = Message.objects.bulk_create(
        Message(conversation=made, role="assistant", text=2 * ANSWER.format(n=n % 90), generation=rows[n // 2])
        if n % 2
        else Message(conversation=made, role="user", text=f"Question {n}: and what comes after step {n}?")
        for n in range(messages)
    )
    for before, after in itertools.pairwise(said):
        after.parent = before
    Message.objects.bulk_update(said, ["parent"], batch_size=500)
    answers = list(made.messages.filter(role="assistant"))
    while [one for one in answers if not one.html.startswith("<!--")]:
        fill_html(answers)
    return made


@contextlib.asynccontextmanager
async def browser(address, cookie):
    from playwright.async_api import async_playwright

    name, _, value = cookie.partition("=")
    async with async_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        context = await chromium.new_context(viewport={"width": 1280, "height": 800})
        await context.add_cookies([{"name": name, "value": value, "url": address}])
        yield context
        await chromium.close()


END_SEEN = """
const look = () => {
  const last = [...document.querySelectorAll('#messages .message')].at(-1);
  const box = last?.getBoundingClientRect();
  if (box && box.height && box.bottom > 0 && box.bottom < innerHeight + 1 && document.getElementById('scroller').scrollTop > 0) {
    requestAnimationFrame(() => { window.endSeen = performance.now(); });
  } else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


async def opening(address, cookie, conversation, rounds=7):
    """Milliseconds until the end of a conversation is on the screen, from the click on."""
    found = []
    async with browser(address, cookie) as context:
        page = await context.new_page()
        await page.add_init_script(END_SEEN)
        for _ in range(rounds):
            await page.goto(f"{address}/c/{conversation}/", wait_until="commit")
            while not (
                seen := await page.evaluate("window.endSeen")
            ):  # the page's policy allows nothing that evaluates
                await asyncio.sleep(0.05)
            found.append(seen)
            await page.goto("about:blank")
    return statistics.median(found), max(found)


def serving(address, cookie, conversation, rounds=20):
    times = []
    for _ in range(rounds):
        request = urllib.request.Request(f"{address}/c/{conversation}/", headers={"cookie": cookie})
        with urllib.request.urlopen(request, timeout=20) as reply:
            times.append(float(reply.headers["openai-processing-ms"]))
            size = len(reply.read())
    return statistics.median(times), max(times), size


def queries(user, conversation):
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client()
    client.force_login(user)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(f"/c/{conversation}/").status_code == 200
    return len(captured)


# Answers that grow


def tokens_of(text):
    return re.findall(r"\S+\s*|\s+", text)


def story(tokens):
    """Markdown of numbered words, the form of which is that of answers: paragraphs, emphasis, lists and code."""
    words = []
    for k in range(tokens):
        word = f"**t{k}** " if k % 12 == 5 else f"`t{k}` " if k % 17 == 3 else f"t{k} "
        start = "\n\n" if k % 40 == 0 and k else "\n- " if k % 40 in (20, 24, 28) else ""
        words.append(start + word)
    return words


def running(owner, model="fake"):
    from django.utils import timezone

    from inference.models import Generation

    lease = timezone.now() + timedelta(hours=1)
    row = {"owner": owner, "model": model, "door": "chat", "request_id": "r", "status": "running", "attempt": 1}
    return Generation.objects.create(**row, lease_until=lease)


def growing_chat(owner):
    from chat.models import Conversation

    row = running(owner)
    made = Conversation.objects.create(owner=owner, title="growing")
    made.add_message("user", "Tell me much.")
    made.add_message("assistant", generation=row)
    return made, row


def done(rows, text):
    from django.utils import timezone

    from chat.models import Message
    from inference.models import Generation

    ids = [row.id for row in rows]
    Generation.objects.filter(pk__in=ids).update(status="done", text=text, finished_at=timezone.now())
    Message.objects.filter(generation_id__in=ids).update(text=text)


async def write(rows, tokens, rate):
    """Write the answers' logs at so many tokens a second each; when each token was written, by row and number."""
    from inference.log.events import Begin, Cursor, Fence, Text
    from inference.redis.log import publish_events

    first = [(Cursor(1, 1), Fence()), (Cursor(1, 2), Begin())]
    await publish_events({row.id: first for row in rows})
    groups = max(1, min(len(rows), round(100 / rate)))  # a flush every ten milliseconds
    written = {str(row.id): [] for row in rows}
    began = time.monotonic()
    for number, token in enumerate(tokens):
        for group in range(groups):
            await asyncio.sleep(began + (number + group / groups) / rate - time.monotonic())
            some = rows[group::groups]
            now = time.monotonic()
            await publish_events({row.id: [(Cursor(1, number + 3), Text(token, 1))] for row in some})
            for row in some:
                written[str(row.id)].append(now)
    return written


async def end(rows, tokens):
    from inference.log.events import Cursor, End
    from inference.redis.log import publish_events
    from jarvis.lib.database import in_database

    await in_database(done, rows, "".join(tokens))
    await publish_events({row.id: [(Cursor(1, len(tokens) + 3), End("done", "stop"))] for row in rows})


LONG_TASKS = """
window.longest = 0; window.longTasks = [];
new PerformanceObserver(list => list.getEntries().forEach(one => longTasks.push(one.duration)))
  .observe({ type: 'longtask', buffered: true });
"""


async def streaming(address, cookie, owner, chars, rate):
    """A long answer in a browser: milliseconds of the longest tasks of its main thread while it grows."""
    from jarvis.lib.database import in_database

    text = ""
    while len(text) < chars:
        text += ANSWER.format(n=len(text) % 89)
    tokens = tokens_of(text[:chars])
    made, row = await in_database(growing_chat, owner)
    async with browser(address, cookie) as context:
        page = await context.new_page()
        await page.goto(f"{address}/c/{made.id}/")
        await page.wait_for_selector("#state[data-phase=absent]")
        await page.evaluate(f"() => {{ {LONG_TASKS} }}")
        began = time.monotonic()
        await write([row], tokens, rate)
        await end([row], tokens)
        await page.wait_for_selector(".assistant[data-status=done]")
        took = time.monotonic() - began
        tasks = await page.evaluate("longTasks")
        blocks = await page.locator(".assistant .said > *").count()
    return {"longest": max(tasks, default=0), "tasks": tasks, "took": took, "blocks": blocks, "tokens": len(tokens)}


# Many sockets, in a process of their own


async def one_socket(http, target, generation, form, seen):
    """Follow an answer; notes when each token was there, and gives the text or the HTML that it has at the end."""
    best, blocks, text = -1, [], []
    async with http.ws_connect(f"{target['address']}/ws/chat/", headers=target["headers"], max_msg_size=0) as ws:
        await ws.send_json({"type": "follow", "generation": generation, "as": form})
        async for message in ws:
            now = time.monotonic()
            frame = json.loads(message.data)
            kind = frame["type"]
            if kind == "delta":
                text.append(frame["text"])
                new = frame["text"]
            elif kind == "html":
                first, more = frame.get("first", 0), frame.get("blocks", [])
                blocks[first : first + len(more)] = more
                new = "".join([*more, frame.get("open") or "", frame.get("tail", "")])
            elif kind == "end":
                return "".join(blocks or text)
            else:
                continue
            newest = max(map(int, re.findall(r"t(\d+)", new)), default=best)
            seen += [now] * (newest - best)
            best = max(best, newest)
    raise RuntimeError("the socket closed before the end")


async def client(path):
    import aiohttp

    target = json.loads(pathlib.Path(path).read_text())
    seen = {generation: [] for generation in target["generations"]}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        follow = [one_socket(http, target, generation, target["form"], seen[generation]) for generation in seen]
        ends = await asyncio.gather(*follow, return_exceptions=True)
    shown = [one if isinstance(one, str) else f"failed: {one!r}" for one in ends]
    pathlib.Path(path).write_text(json.dumps({"seen": seen, "shown": shown}))


async def sockets(address, cookie, owner, pid, count, rate, seconds, form):
    """So many sockets, each following an answer of its own as text or HTML."""
    from chat.rendering.markdown import render_markdown
    from inference.redis.client import shared_client
    from jarvis.lib.database import in_database

    rows = await in_database(lambda: [running(owner) for _ in range(count)])
    tokens = story(int(rate * seconds))
    headers = {"cookie": cookie, "origin": address}
    target = {"address": address, "headers": headers, "form": form, "generations": [str(row.id) for row in rows]}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(target, file)
        file.flush()
        child = subprocess.Popen([sys.executable, __file__, "--client", file.name])
        while len(await shared_client().client_list()) < 2:
            await asyncio.sleep(0.1)
        await asyncio.sleep(1 + count / 60)  # all of them have opened their socket
        before = cpu(pid)
        written = await write(rows, tokens, rate)
        used = cpu(pid) - before
        await end(rows, tokens)
        while child.poll() is None:
            await asyncio.sleep(0.1)
        result = json.loads(pathlib.Path(file.name).read_text())
    wanted = render_markdown("".join(tokens)) if form == "html" else "".join(tokens)
    delays = sorted(
        max(0.0, seen - sent) * 1000
        for generation, times in written.items()
        for sent, seen in zip(times, result["seen"][generation], strict=False)
    )
    return {
        "whole": sum(shown == wanted for shown in result["shown"]),
        "p50": delays[len(delays) // 2] if delays else float("inf"),
        "p99": delays[int(len(delays) * 0.99)] if delays else float("inf"),
        "cpu": used / (len(tokens) * count) * 1e6,
        "cores": used / seconds,
    }


# The report


def verdict(what, goal, measured, met):
    return f"| {what} | {goal} | {measured} | {'yes' if met else 'NO'} |"


async def measure(options, address, pid, user, cookie):
    from jarvis.lib.database import in_database

    lines = ["| what | goal | measured | met |", "| --- | --- | --- | --- |"]
    if "open" in options.only:
        made = await in_database(long_chat, user, 2000)
        number = await in_database(queries, user, made.id)
        await asyncio.to_thread(serving, address, cookie, made.id, 3)
        middle, most, size = await asyncio.to_thread(serving, address, cookie, made.id)
        painted, slowest = await opening(address, cookie, made.id)
        lines += [
            verdict(
                "2,000 messages: its end is on the screen, ms",
                "under 1,000",
                f"{painted:.0f} (slowest {slowest:.0f})",
                painted < 1000,
            ),
            verdict(
                f"2,000 messages: server time of the page ({size // 1000} kB), ms",
                "under 50",
                f"{middle:.0f} (slowest {most:.0f})",
                middle < 50,
            ),
            verdict("2,000 messages: queries of the page", "at most 8", number, number <= 8),
        ]
    if "stream" in options.only:
        one = await streaming(address, cookie, user, 100_000, options.rate)
        about = f"{one['longest']:.0f} ({len(one['tasks'])} over 50 ms)"
        what = f"100 kB in {one['took']:.0f} s, {one['blocks']} blocks: longest task of the browser's main thread, ms"
        lines.append(verdict(what, "under 50", about if one["tasks"] else "under 50", one["longest"] <= 50))
    if "sockets" in options.only:
        for form in ("html", "text"):
            got = await sockets(address, cookie, user, pid, 300, 20, options.seconds, form)
            what = f"300 sockets as {form}, each an answer of its own at 20 tokens/s"
            lines.append(verdict(f"{what}: whole", "300", got["whole"], got["whole"] == 300))
            lines.append(
                verdict(
                    f"{what}: from log to socket, p99, ms",
                    "under 250",
                    f"{got['p99']:.0f} (p50 {got['p50']:.0f})",
                    got["p99"] < 250,
                )
            )
            lines.append(f"| {what}: the web process, cores | | {got['cores']:.2f} ({got['cpu']:.0f} µs a token) | |")
        for form in ("html", "text"):
            got = await sockets(address, cookie, user, pid, 64, 50, min(8, options.seconds), form)
            lines.append(
                f"| 64 sockets as {form}, 50 tokens/s: CPU of the web process, µs a token | | {got['cpu']:.0f} | |"
            )
    return lines


def write_report(text):
    before, _, rest = REPORT.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    REPORT.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: text.split(","), default=["open", "stream", "sockets"])
    parser.add_argument("--seconds", type=float, default=15, help="for which the 300 sockets are followed")
    parser.add_argument("--rate", type=float, default=800, help="tokens a second of the long answer")
    parser.add_argument("--write", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--client", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        return asyncio.run(client(options.client))

    from tests.support import services

    services.start()
    os.environ["DJANGO_SETTINGS_MODULE"] = "jarvis.settings"
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
    call_command("migrate", verbosity=0)
    user, cookie = person()
    with web() as (address, pid):
        lines = asyncio.run(measure(options, address, pid, user, cookie))
    from bench import processor

    text = "\n".join(
        [f"Measured {date.today()} with `make bench-page` on {os.cpu_count()} cores ({processor()}).", "", *lines]
    )
    print(text)
    if options.write and len(options.only) == 3:
        write_report(text)
    if any(line.endswith("NO |") for line in lines):
        sys.exit("A goal was missed; on a busy machine, run it again.")


if __name__ == "__main__":
    main()
