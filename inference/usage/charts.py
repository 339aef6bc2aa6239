"""Charts as SVG, made on the server: no script, no style, only shapes with classes that a style sheet colours.

Every chart has a title and a description for those who do not see it; pages give the figures in a table as well.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.formats import number_format
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

WIDTH, HEIGHT = 600, 210
LEFT, RIGHT, TOP, BOTTOM = 52, 6, 12, 26
MAX_TICKS = 4  # lines of the scale, about
MAX_LABELS = 6  # words below, about
MAX_COLOURS = 6  # classes series-0 … series-5; what is beyond is told as one, see `most`

Number = int | float | Decimal


@dataclass(frozen=True)
class Series:
    """One value for each label; none is negative."""

    name: str
    values: Sequence[Number]


def format_short(value: Number) -> str:
    """A number for a scale: 950, 1.2k, 3.4M; in the reader's form, as all figures."""
    size = float(value)
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= limit * 0.9995:
            return f"{number_format(f'{size / limit:.3g}')}{letter}"
    return number_format(f"{size:.3g}") if size != int(size) else str(int(size))


def nice_step(highest: Number) -> float:
    """The step of a scale from 0 to `highest`: 1, 2 or 5 times a power of ten."""
    if highest <= 0:
        return 1.0
    rough = float(highest) / MAX_TICKS
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999999)


def largest_series(series: Sequence[Series], others: str, count: int = MAX_COLOURS) -> list[Series]:
    """The largest series first; from the last colour on, they are added up as one."""
    ordered = sorted(series, key=lambda one: (-sum(one.values), one.name))
    if len(ordered) <= count:
        return ordered
    kept, rest = ordered[: count - 1], ordered[count - 1 :]
    return [*kept, Series(others, [sum(column) for column in zip(*(one.values for one in rest), strict=True)])]


def draw_bars(
    id: str, title: str, description: str, labels: Sequence[str], series: Sequence[Series], *, unit: str = ""
) -> SafeString:
    """Stacked bars, one for each label. `id` must be unique on the page."""
    totals = [sum(float(one.values[index]) for one in series) for index in range(len(labels))]
    highest = max(totals, default=0.0)
    step = nice_step(highest)
    top = max(step, math.ceil(highest / step - 1e-9) * step)
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{escape(id)}-title '
        f'{escape(id)}-desc"><title id="{escape(id)}-title">{escape(title)}</title>'
        f'<desc id="{escape(id)}-desc">{escape(description)}</desc>'
    ]
    floor, room = HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP
    for number in range(round(top / step) + 1):
        y = floor - room * number * step / top
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="scale" x="{LEFT - 8}" y="{y + 4:.1f}">{escape(format_short(number * step))}</text>')
    slot = (WIDTH - LEFT - RIGHT) / max(1, len(labels))
    width = max(1.0, min(34.0, slot * 0.72))
    every = max(1, math.ceil(len(labels) / MAX_LABELS))
    for index, label in enumerate(labels):
        middle = LEFT + slot * (index + 0.5)
        if (len(labels) - 1 - index) % every == 0:
            anchor = "end" if index == len(labels) - 1 and slot < 40 else "middle"
            x = min(middle + width / 2, WIDTH - RIGHT) if anchor == "end" else middle
            parts.append(f'<text class="label {anchor}" x="{x:.1f}" y="{HEIGHT - 8}">{escape(label)}</text>')
        parts.append(draw_column(label, index, series, middle - width / 2, width, floor, room / top, unit))
    parts.append("</svg>")
    return mark_safe("".join(parts))  # whatever is not a number was escaped above


def draw_column(
    label: str, index: int, series: Sequence[Series], x: float, width: float, floor: float, scale: float, unit: str
) -> str:
    """One stack, with its figures as a tooltip."""
    shapes, y = [], floor
    told = [f"{one.name}: {format_figure(one.values[index])}{unit}" for one in series if one.values[index]]
    for number, one in enumerate(series):
        height = float(one.values[index]) * scale
        if height <= 0:
            continue
        height = max(height, 0.6)  # what there is, is seen
        y -= height
        shapes.append(
            f'<rect class="series-{number}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
        )
    if not shapes:
        return ""
    return f'<g class="stack"><title>{escape(label)} — {escape(", ".join(told))}</title>{"".join(shapes)}</g>'


def format_figure(value: Number) -> str:
    """A number in full, in the reader's form: 1,234,567 in English."""
    if isinstance(value, int):
        return number_format(value, force_grouping=True)
    return number_format(f"{value:.2f}", force_grouping=True) if value >= 1 else number_format(f"{value:.4g}")


def draw_share(value: Number, highest: Number, colour: int = 0) -> SafeString:
    """A thin bar beside a figure that is written out; nothing for who does not see it."""
    width = 0.0 if not highest else max(0.0, min(100.0, 100 * float(value) / float(highest)))
    return mark_safe(  # numbers only
        '<svg class="share" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="share-all" width="100" height="6"/>'
        f'<rect class="series-{colour}" width="{width:.1f}" height="6"/></svg>'
    )
