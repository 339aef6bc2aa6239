"""The colours of code can be read on their ground, in both themes, whichever of them the reader chose."""

import re

import pytest
from django.conf import settings

from chat.rendering.code import CLASSES
from chat.rendering.mathml import TONES
from chat.rendering.sanitise import CLASSES_OF_TAGS

CHAT = settings.BASE / "chat" / "static" / "chat"
PAIR = re.compile(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)")
COLOURS = {
    name: pair for file in ("base.css", "markdown.css") for name, *pair in PAIR.findall((CHAT / file).read_text())
}


def luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", sorted(CLASSES))
@pytest.mark.parametrize("theme", [0, 1])
def test_every_colour_of_code_has_enough_contrast(name, theme):
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast(COLOURS[f"code-{name}"][theme], COLOURS["raised"][theme]) >= 4.5


def test_no_colour_of_the_chat_asks_the_device_alone():
    """A theme that the reader chose goes before the device's: `light-dark()` follows it, a media query does not."""
    assert not [file.name for file in CHAT.glob("*.css") if "prefers-color-scheme" in file.read_text()]


TONE = re.compile(r"\.rendered \.tone-(\w+) \{ color: (?:light-dark\((#\w{6}), (#\w{6})\)|var\(--(\w+)\))")


@pytest.mark.parametrize("theme", [0, 1])
def test_the_colours_of_formulas_can_be_read(theme):
    tones = {name: COLOURS[named] if named else pair for name, *pair, named in TONE.findall(style("markdown"))}
    assert tones.keys() == TONES
    for pair in tones.values():
        assert contrast(pair[theme], COLOURS["ground"][theme]) >= 4.5


def style(name):
    return re.sub(r"/\*.*?\*/", "", (CHAT / f"{name}.css").read_text(), flags=re.DOTALL)


def first_classes(name):
    """The classes with which selectors of a style begin: those that reach everything on the page."""
    selectors = [one.split() for block in re.findall(r"([^{}]+)\{", style(name)) for one in block.split(",")]
    return {name for words in selectors if words for name in re.findall(r"^\w*\.([\w-]+)", words[0])}


def test_no_rule_for_the_page_reaches_into_what_models_write():
    """A done task once had the ground of a notice, since both were `.done`."""
    ours = set().union(*CLASSES_OF_TAGS.values())
    assert first_classes("markdown") & {"rendered", "said"}
    for name in ("base", "chat", "tools", "collection"):
        assert not first_classes(name) & ours
