"""An operator's day in the admin, and a person's look at what they have used; pictures of both."""

import asyncio
import datetime
import random
from decimal import Decimal

import pytest
import pytest_asyncio
from django.contrib.auth.models import Group, User
from django.utils import timezone
from playwright.async_api import expect

from accounts.audit import record_event
from accounts.models import ApiKey, GroupLimits, UserLimits
from inference.models import Generation, LanguageModel, PausedPlace, UsageDay
from inference.redis.workers import publish_state
from inference.worker_state import EngineState, Gpu, WorkerState
from jarvis.lib.database import in_database
from tests.support.accounts import PASSWORD
from tests.support.pages import add_session, take_screenshot

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(180),
]
MODELS = {"Qwen/Qwen3-8B": ("0.20", "0.60"), "google/gemma-3-12b-it": ("0.30", "0.90"), "guide": (None, None)}


def create_month(people):
    """Usage as a small team has it: more on working days, growing."""
    dice, today = random.Random(4), timezone.now().date()
    keys = [
        ApiKey.create_with_secret(people[0].pk, "nightly report")[0],
        ApiKey.create_with_secret(people[1].pk, "ticket summaries")[0],
    ]
    days = []
    for number in range(30):
        day = today - datetime.timedelta(days=29 - number)
        weight = (0.25 if day.weekday() > 4 else 1.0) * (0.6 + number / 40)
        for who, person in enumerate(people):
            for which, (name, (price_in, price_out)) in enumerate(MODELS.items()):
                key = keys[who] if who < 2 and which == 0 else None
                calls = round(dice.uniform(4, 40) * weight / (1 + which) / (1 + who / 2))
                if not calls:
                    continue
                asked, said = calls * dice.randint(300, 1400), calls * dice.randint(150, 500)
                cost = Decimal(asked * float(price_in or 0) + said * float(price_out or 0)) / 1_000_000
                made = {"failed": calls // 12, "stopped": calls // 15, "cached_tokens": asked // 3, "cost": cost}
                made |= {"prompt_tokens": asked, "completion_tokens": said, "made_at": timezone.now()}
                days.append(UsageDay(day=day, user=person, key=key, model=name, calls=calls, **made))
    UsageDay.objects.bulk_create(days)


def create_team():
    for name, (price_in, price_out) in MODELS.items():
        LanguageModel.objects.update_or_create(
            name=name,
            defaults={"source": name, "price_input": price_in, "price_output": price_out, "max_model_len": 32_768},
        )
    people = [User.objects.create_user(name, password=PASSWORD) for name in ("alice", "bob", "dora", "emil")]
    people[0].groups.add(Group.objects.create(name="Support"))
    for name, models in {"Research": list(MODELS), "Sales": ["guide"], "Night shift": ["Qwen/Qwen3-8B"]}.items():
        GroupLimits.objects.create(group=Group.objects.create(name=name), allowed_models=models)
    UserLimits.objects.create(user=people[1], allowed_models=["guide"])
    create_month(people)
    now = timezone.now()
    for number, (status, tokens) in enumerate([("done", 512), ("stopped", 40), ("failed", 0), ("done", 1200)] * 5):
        began = now - datetime.timedelta(minutes=7 * number + 1)
        Generation.objects.create(
            owner=people[number % 4],
            model=list(MODELS)[number % 3],
            door=("chat", "v1", "api")[number % 3],
            request_id=f"r{number}",
            status=status,
            error_message="The engine broke off twice while it made this answer." if status == "failed" else "",
            prompt_tokens=900 + 31 * number,
            completion_tokens=tokens,
            cost=None if number % 3 == 2 else Decimal(tokens) / 1_000_000,
            created_at=began,
            started_at=began + datetime.timedelta(seconds=0.2 * number),
            finished_at=began + datetime.timedelta(seconds=9 + number),
        )
    for number in range(5):
        fields = {"model": "Qwen/Qwen3-8B", "door": "chat", "request_id": f"q{number}"}
        waiting = now - datetime.timedelta(seconds=50 * number)
        Generation.objects.create(owner=people[number % 2], created_at=waiting, **fields)
    record_event("key.rotated", actor=people[1], obj=ApiKey.objects.first(), address="192.0.2.17")
    record_event("sign_in.failed", obj=people[2], address="198.51.100.4", known=True)


def publish_workers():
    gpu = Gpu(name="NVIDIA H100 80GB HBM3", memory_total=81_559, memory_used=74_210, use=87)
    ready = EngineState(phase="ready", model="Qwen/Qwen3-8B", slots=256, max_model_len=32_768)
    loading = EngineState(phase="loading", detail="Reading the weights, 3 of 5 files.", model="google/gemma-3-12b-it")
    now = timezone.now().timestamp()
    one = WorkerState(
        "a/1-a", "gpu-1", 4117, now - 90_000, ready, running=31, slots=256, gpus=[gpu], tokens_per_second=1843.2
    )
    two = WorkerState("b/1-b", "gpu-2", 912, now - 40, loading, gpus=[gpu], place="gpu-2:/srv/jarvis/var/run")
    one.place = "gpu-1:/srv/jarvis/var/run"
    one.memory_total, one.memory_available = 257_000, 201_344
    return one, two


@pytest_asyncio.fixture(loop_scope="session")
async def workers(site):
    """Two that tell their states, as live ones do."""

    async def keep_telling():
        while True:
            for worker in publish_workers():
                await publish_state(worker)
            await asyncio.sleep(1)

    task = asyncio.create_task(keep_telling())
    yield
    task.cancel()
    await asyncio.wait([task])


async def open_for(page, address, name):
    await add_session(page, await in_database(User.objects.get, username=name))
    await page.goto(address)


WIDE = """[...document.querySelectorAll("body *")]
    .filter(node => !node.closest(".scroll, .results") && getComputedStyle(node).position != "absolute")
    .filter(node => node.getBoundingClientRect().right > innerWidth + 1).map(node => `${node.tagName} ${node.id}`)"""


async def check_fits(page):
    """Nothing sticks out sideways; where something does, it is named."""
    assert await page.evaluate(WIDE) == []
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_an_operators_day(visit, carol, workers, size, scheme):
    await in_database(create_team)
    page = await visit(size, scheme)
    await open_for(page, "/admin/", "carol")
    await expect(page.get_by_role("img", name="Tokens per day, by model")).to_be_visible()
    await expect(page.get_by_text("gpu-1")).to_be_visible()
    await check_fits(page)
    await take_screenshot(page, f"admin-overview-{size}-{scheme}", whole=True)
    model = await in_database(LanguageModel.objects.get, name="Qwen/Qwen3-8B")
    for name, address in {
        "workers": "workers/",
        "queue": "queue/",
        "calls": "inference/generation/",
        "models": "inference/languagemodel/",
        "model": f"inference/languagemodel/{model.pk}/change/",
        "audit": "accounts/auditevent/",
        "usage": "inference/usageday/",
        "keys": "accounts/apikey/",
        "user": f"auth/user/{(await in_database(User.objects.get, username='alice')).pk}/change/",
    }.items():
        answer = await page.goto(f"/admin/{address}")
        assert answer.status == 200
        if name in ("workers", "queue", "calls", "audit", "model"):
            await take_screenshot(page, f"admin-{name}-{size}-{scheme}", whole=name == "model")
        if name not in ("user", "usage", "keys", "model"):  # Django's forms and wide lists
            await check_fits(page)


async def test_a_worker_is_paused_and_the_queue_emptied_by_two_clicks(visit, carol, workers):
    await in_database(create_team)
    page = await visit()
    await open_for(page, "/admin/workers/", "carol")
    await page.get_by_role("button", name="Pause").first.click()
    await expect(page.locator(".messagelist")).to_contain_text("takes nothing new")
    assert await in_database(lambda: list(PausedPlace.objects.values_list("by", flat=True))) == ["carol"]
    await page.goto("/admin/queue/")
    await page.get_by_role("button", name="Cancel 3").click()
    await expect(page.locator(".messagelist")).to_contain_text("3 calls are cancelled")
    assert await in_database(Generation.objects.queued().count) == 2


async def test_a_person_sees_what_they_have_used(visit, size):
    await in_database(create_team)
    for scheme in ("light", "dark"):
        page = await visit(size, scheme)
        await open_for(page, "/usage/", "alice")
        await expect(page.get_by_role("img", name="Cost per day, by model")).to_be_visible()
        await check_fits(page)
        await take_screenshot(page, f"usage-{size}-{scheme}", whole=True)
    await page.get_by_text("Show as a table").first.click()
    await expect(page.locator("#tokens table")).to_be_visible()
    await page.get_by_role("link", name="7 days").click()
    await expect(page.get_by_role("link", name="7 days")).to_have_attribute("aria-current", "true")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download as CSV").click()
    text = (await (await download.value).path()).read_text()
    assert text.startswith("day,user,model,key,")
    assert "bob" not in text


async def test_the_description_of_the_api_works_under_the_strict_policy(visit, carol):
    page = await visit()
    await open_for(page, "/api/docs/", "carol")
    await expect(page.get_by_text("/api/v1/usage/", exact=True)).to_be_visible()
    await page.get_by_text("/api/v1/usage/", exact=True).click()
    await expect(page.get_by_role("button", name="Try it out")).to_be_visible()
    await take_screenshot(page, "api-docs-desktop-light")
