"""Charts: well-formed, in proportion, safe, and readable without eyes."""

from decimal import Decimal
from xml.etree import ElementTree

import pytest

from inference.usage.charts import (
    HEIGHT,
    Series,
    draw_bars,
    draw_share,
    format_figure,
    format_short,
    largest_series,
    nice_step,
)

SVG = "{http://www.w3.org/2000/svg}"


def drawn(**fields):
    given = {"labels": ["1 Mar", "2 Mar"], "series": [Series("guide", [10, 20]), Series("qwen", [30, 0])]}
    markup = draw_bars("tokens", "Tokens", "Two days.", **given | fields)
    return ElementTree.fromstring(markup)


def stacks(chart):
    return [node for node in chart if node.get("class") == "stack"]


def heights(stack):
    return [float(rect.get("height")) for rect in stack.iter("rect")]


def test_a_chart_has_a_title_and_a_description_that_it_is_labelled_by():
    chart = drawn()
    ids = {node.get("id"): node.text for node in chart.iter() if node.get("id")}
    assert [ids[id] for id in chart.get("aria-labelledby").split()] == ["Tokens", "Two days."]
    assert chart.get("role") == "img"


def test_bars_are_as_high_as_their_values_and_stand_on_each_other():
    first, second = stacks(drawn())
    assert heights(first)[1] == pytest.approx(3 * heights(first)[0], abs=0.2)
    assert heights(second)[0] == pytest.approx(2 * heights(first)[0], abs=0.2)
    low, high = list(first.iter("rect"))
    assert float(high.get("y")) + float(high.get("height")) == pytest.approx(float(low.get("y")), abs=0.2)
    assert all(0 <= float(rect.get("y")) < HEIGHT for rect in drawn().iter("rect"))


def test_the_figures_are_written_in_a_tooltip():
    assert [stack.find("title").text for stack in stacks(drawn(unit=" USD"))] == [
        "1 Mar — guide: 10 USD, qwen: 30 USD",
        "2 Mar — guide: 20 USD",
    ]


def test_names_cannot_become_markup():
    nasty = "<script>alert(1)</script>\"'&"
    markup = draw_bars('a"b', nasty, nasty, [nasty], [Series(nasty, [1])], unit=nasty)
    assert "<script" not in markup
    assert nasty in [node.text for node in ElementTree.fromstring(markup).iter("title")]


def test_nothing_in_a_chart_needs_a_looser_policy():
    assert not any(
        word in draw_bars("a", "b", "c", ["x"], [Series("y", [1])]) for word in ("style=", "<style", "onclick")
    )


@pytest.mark.parametrize("values", [[], [0], [0, 0, 0], [1e-9], [10**15, 1]])
def test_nothing_and_extremes_are_drawn(values):
    chart = drawn(labels=[str(n) for n in range(len(values))], series=[Series("x", values)])
    assert all(float(rect.get("height")) > 0 for rect in chart.iter("rect"))
    assert len(stacks(chart)) == sum(value > 0 for value in values)


def test_a_year_of_days_is_labelled_sparsely_up_to_today():
    chart = drawn(labels=[str(day) for day in range(365)], series=[Series("x", [1] * 365)])
    labels = [node.text for node in chart.iter("text") if "label" in node.get("class")]
    assert len(labels) <= 7
    assert labels[-1] == "364"


@pytest.mark.parametrize(
    ("highest", "step"), [(0, 1), (1, 0.5), (4, 1), (7, 2), (100, 50), (950, 500), (3_000_000, 1e6)]
)
def test_scales_have_round_steps(highest, step):
    assert nice_step(highest) == pytest.approx(step)


@pytest.mark.parametrize(
    ("value", "words"), [(0, "0"), (950, "950"), (1200, "1.2k"), (999_950, "1M"), (3.4e6, "3.4M"), (0.25, "0.25")]
)
def test_scales_are_written_short(value, words):
    assert format_short(value) == words


def test_figures_are_written_whole():
    assert [format_figure(v) for v in (1234567, Decimal("12.3456"), Decimal("0.00004750"))] == [
        "1,234,567",
        "12.35",
        "0.00004750",
    ]


def test_what_has_no_colour_of_its_own_is_told_together():
    kept = largest_series([Series(str(n), [n, n]) for n in range(10)], "others")
    assert [one.name for one in kept] == ["9", "8", "7", "6", "5", "others"]
    assert kept[-1].values == [10, 10]


def test_a_share_stays_inside_its_bar():
    assert 'width="50.0"' in draw_share(5, 10)
    assert 'width="100.0"' in draw_share(20, 10)
    assert 'width="0.0"' in draw_share(0, 0)
