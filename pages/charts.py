"""Interactive line charts: the data that `charts.js` draws, thinned to what a screen can show."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from fathom.pages.thinning import keep

BLUE: Final = "#1f5fa8"
AMBER: Final = "#b9791c"
GOOD: Final = "#1a7a55"
BAD: Final = "#b23a34"
PALETTE: Final = (BLUE, AMBER, GOOD, "#7d4aa3", "#b23a34", "#0f7f8c", "#6b6f1d", "#a8476f", "#444f5a", "#5b7fd1")

MOST_POINTS: Final = 3_000
"""Points of one curve: twice the pixels of a wide screen."""

_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True)
class Curve:
    """One line of a chart.

    Attributes
    ----------
    name : str
        Its legend.
    times_ns, values : numpy.ndarray
        Ascending times (int64) and values (float64, NaN = gap), equally long.
    color : str
        CSS colour.
    kind : str
        `line` or `area` (filled to zero).
    step : bool
        Whether a value holds until the next time.

    Examples
    --------
    >>> Curve("Equity", np.array([0, 1]), np.array([1.0, 2.0])).kind
    'line'
    """

    name: str
    times_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    color: str = BLUE
    kind: str = "line"
    step: bool = False


@dataclass(frozen=True)
class Marks:
    """Triangles on a chart, each with the lines of text that appear when it is pointed at.

    Attributes
    ----------
    up, hollow : bool
        Whether they point upwards, and whether they are drawn as outlines.

    Examples
    --------
    >>> Marks("Buy", np.array([0]), np.array([1.0]), (("BUY 1",),), GOOD, up=True).hollow
    False
    """

    name: str
    times_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    text: Sequence[Sequence[str]]
    color: str
    up: bool
    hollow: bool = False


@dataclass(frozen=True)
class Links:
    """Dashed lines from (`from_ns`, `from_values`) to (`to_ns`, `to_values`).

    Examples
    --------
    >>> Links(np.array([0]), np.array([1.0]), np.array([5]), np.array([2.0]), GOOD).color
    '#1a7a55'
    """

    from_ns: NDArray[np.int64]
    from_values: NDArray[np.float64]
    to_ns: NDArray[np.int64]
    to_values: NDArray[np.float64]
    color: str


@dataclass(frozen=True)
class Band:
    """Spans of time that are shaded, such as those in which a market was volatile.

    Examples
    --------
    >>> Band("volatile", np.array([0]), np.array([5]), AMBER).name
    'volatile'
    """

    name: str
    from_ns: NDArray[np.int64]
    to_ns: NDArray[np.int64]
    color: str


@dataclass(frozen=True)
class Chart:
    """A chart with time from left to right; charts of one `group` zoom and point together.

    Attributes
    ----------
    anchor, label : str
        Its id, unique in the page, and what a screen reader says.
    curves, marks, links, bands
        What is drawn.
    height : int
        In pixels.
    unit, digits
        Unit of the values (`%` also on the axis) and decimals when pointed at.
    elapsed : bool
        Whether times are counted from zero instead of being UTC.
    ceiling : float or None
        A bound above which no room is left, such as 0 for drawdowns.

    Examples
    --------
    >>> curve = Curve("Equity", np.array([0, 10**9]), np.array([1.0, 2.0]))
    >>> "Equity" in Chart("equity", "Equity over time", (curve,)).html()
    True
    """

    anchor: str
    label: str
    curves: Sequence[Curve]
    marks: Sequence[Marks] = ()
    links: Sequence[Links] = ()
    bands: Sequence[Band] = field(default=(), kw_only=True)
    height: int = 200
    unit: str = ""
    digits: int = 2
    group: str = "run"
    elapsed: bool = False
    ceiling: float | None = None
    most_points: int = field(default=MOST_POINTS, kw_only=True)

    def html(self) -> Markup:
        """Return the element and its data."""
        starts = [int(curve.times_ns[0]) for curve in self.curves if curve.times_ns.size]
        start_ns = 0 if self.elapsed or not starts else min(starts) // _NS_PER_MS * _NS_PER_MS
        data: dict[str, Any] = {
            "group": self.group,
            "label": self.label,
            "height": self.height,
            "unit": self.unit,
            "digits": self.digits,
            "elapsed": self.elapsed,
            "start": start_ns // _NS_PER_MS,
            "series": [self._series(curve, start_ns) for curve in self.curves],
            "marks": [_marks(marks, start_ns) for marks in self.marks if marks.times_ns.size],
            "links": [_links(links, start_ns) for links in self.links if links.from_ns.size],
        }
        if self.bands:
            data["bands"] = [_band(band, start_ns) for band in self.bands]
        if self.ceiling is not None:
            data["ceiling"] = self.ceiling
        text = json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=False).replace("<", "\\u003c")
        return Markup(
            '<div class="chart" data-chart="{id}-data"></div>\n'
            '<script type="application/json" id="{id}-data">{text}</script>'
        ).format(id=self.anchor, text=Markup(text))

    def _series(self, curve: Curve, start_ns: int) -> dict[str, Any]:
        shown = keep(curve.values, self.most_points)
        return {
            "name": curve.name,
            "color": curve.color,
            "kind": curve.kind,
            "step": curve.step,
            "t": _millis(curve.times_ns[shown], start_ns),
            "v": numbers(curve.values[shown]),
        }


def numbers(values: NDArray[np.float64]) -> list[float | None]:
    """Return the values with nine significant digits, null where undefined.

    >>> numbers(np.array([1.0, 1 / 3, np.nan]))
    [1.0, 0.333333333, None]
    """
    return [float(f"{value:.9g}") if np.isfinite(value) else None for value in values.tolist()]


def _millis(times_ns: NDArray[np.int64], start_ns: int) -> list[float | int]:
    micros = (times_ns - start_ns) // 1_000
    return [value // 1_000 if value % 1_000 == 0 else value / 1_000 for value in micros.tolist()]


def _marks(marks: Marks, start_ns: int) -> dict[str, Any]:
    return {
        "name": marks.name,
        "color": marks.color,
        "up": marks.up,
        "hollow": marks.hollow,
        "t": _millis(marks.times_ns, start_ns),
        "v": numbers(marks.values),
        "text": marks.text,
    }


def _links(links: Links, start_ns: int) -> dict[str, Any]:
    return {
        "color": links.color,
        "t0": _millis(links.from_ns, start_ns),
        "v0": numbers(links.from_values),
        "t1": _millis(links.to_ns, start_ns),
        "v1": numbers(links.to_values),
    }


def _band(band: Band, start_ns: int) -> dict[str, Any]:
    times = {"t0": _millis(band.from_ns, start_ns), "t1": _millis(band.to_ns, start_ns)}
    return {"name": band.name, "color": band.color, **times}
