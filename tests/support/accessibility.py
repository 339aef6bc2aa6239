"""axe, over any page."""

import os
from pathlib import Path

from axe_playwright_python.base import AXE_FILE_PATH

from tests.support.pages import SIZES

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


AXE = Path(AXE_FILE_PATH).read_text()


SETTLED = """Promise.allSettled(document.getAnimations()
    .filter(one => one.effect.getComputedTiming().endTime < Infinity).map(one => one.finished))"""  # colours may fade


LOOK = Path(os.environ["JARVIS_LOOK"]) if "JARVIS_LOOK" in os.environ else None  # a folder for pictures of all pages


async def faults(page, address, *, left_out=()):
    """What axe finds, in light on a desktop and in dark on a phone."""
    found = []
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size(SIZES["desktop"])
    response = await page.goto(address)
    await page.evaluate(AXE)

    async def run(name):
        await page.evaluate(SETTLED)
        options = {"runOnly": RULES, "resultTypes": ["violations"], "preload": False}
        options["rules"] = {rule: {"enabled": False} for rule in left_out}
        told = await page.evaluate("options => axe.run(document, options)", options)
        for fault in told["violations"]:
            for node in fault["nodes"]:
                found.append(f"{address} {name} {fault['id']}: {node['html'][:160]} {node['failureSummary'][:200]}")
        if LOOK:
            await page.screenshot(path=LOOK / f"{address.strip('/').replace('/', '-') or 'home'}-{name}.png")

    await run("desktop-light")
    await page.emulate_media(color_scheme="dark")
    if address in ("/", "/settings/"):  # what is not there on a phone, or looks otherwise
        await run("desktop-dark")
    await page.set_viewport_size(SIZES["phone"])
    await run("phone-dark")
    wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if wide > 0 and not address.startswith("/admin"):
        found.append(f"{address} on a phone sticks out by {wide} pixels")
    return response.status, found


async def look_over(page, addresses, **options):
    found = []
    for address, status in addresses.items():
        got, faults_there = await faults(page, address, **options)
        found += faults_there
        if got != status:
            found.append(f"{address} answered {got}, not {status}")
    assert not found, "\n".join(found)
