"""The parts that pages are made of: thinning, charts, bars, numbers."""

import json
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from fathom.pages import Page, Section, bars, charts, formats
from fathom.pages.figures import svg
from fathom.pages.thinning import keep
from tests.makers.reading_pages import loads


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(math.nan)), min_size=1, max_size=400), st.integers(4, 100))
def test_thinning_keeps_ends_and_extremes(values: list[float], most: int) -> None:
    curve = np.array(values)
    shown = keep(curve, most)
    assert shown.size <= max(most, 4)
    assert shown[0] == 0
    assert shown[-1] == curve.size - 1
    assert np.all(np.diff(shown) > 0)
    if not np.isnan(curve).all():
        assert np.nanmin(curve[shown]) == np.nanmin(curve)
        assert np.nanmax(curve[shown]) == np.nanmax(curve)


def test_chart_times_are_exact_to_the_microsecond() -> None:
    times = np.array([1_723_161_256_123_456_789, 1_723_161_256_124_000_000], np.int64)
    html = str(charts.Chart("a", "A", (charts.Curve("c", times, np.array([1.0, np.nan])),)).html())
    data = json.loads(re.findall(r"<script.*?>(.*?)</script>", html)[0])
    assert data["start"] == 1_723_161_256_123
    assert data["series"][0]["t"] == [0.456, 1]
    assert data["series"][0]["v"] == [1.0, None]


def test_a_waterfall_ends_where_its_parts_lead() -> None:
    drawing = str(bars.waterfall([("up", 10.0), ("down", -4.0)], "net"))
    boxes = re.findall(r'<rect x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"', drawing)
    heights = [float(height) for _, height in boxes]
    assert heights[1] / heights[0] == pytest.approx(0.4, abs=0.01)
    assert heights[2] / heights[0] == pytest.approx(0.6, abs=0.01)
    assert float(boxes[2][0]) == pytest.approx(float(boxes[1][0]) + heights[1], abs=0.2)


def test_shares_fill_the_bar() -> None:
    drawing = str(bars.shares([("a", 1.0), ("nothing", 0.0), ("b", 3.0)], "shares"))
    widths = [float(width) for width in re.findall(r'y="0" width="([\d.]+)"', drawing)]
    assert len(widths) == 2
    assert widths[1] / widths[0] == pytest.approx(3.0, rel=0.03)
    assert "nothing" not in drawing


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_what_is_undefined_is_a_dash(value: float | None) -> None:
    shown = [formats.number(value), formats.percent(value), formats.significant(value), formats.duration(value)]
    assert [*shown, formats.money(value, "USDT"), formats.integer(value)] == [formats.UNDEFINED] * 6


def test_rounding_to_zero_has_no_sign() -> None:
    assert formats.number(-0.001) == "0.00"
    assert formats.number(-0.0, signed=True) == "0.00"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (59.6, "1 min"),
        (3_600.0, "1 h"),
        (86_399.0, "23 h 59 min"),
        (90_000.0, "1 d 1 h"),
        (86_430.0, "1 d"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert formats.duration(seconds) == text


def test_sections_need_their_own_anchors() -> None:
    twice = (Section("a", "A", Markup("")), Section("a", "B", Markup("")))
    with pytest.raises(ValueError, match="unique in the page, was a"):
        Page("Kind", "title", "", sections=twice).render()


def test_a_figure_is_the_same_each_time_and_names_nothing_outside() -> None:
    def draw() -> object:
        from matplotlib import pyplot

        figure, axes = pyplot.subplots()
        axes.plot([0.0, 1.0], [0.0, 0.02])
        return figure

    first = str(svg(draw, "one", dates=False))
    assert first == str(svg(draw, "one", dates=False))
    assert loads(first) == []
    assert "2.00 %" in first or "2.0 %" in first
