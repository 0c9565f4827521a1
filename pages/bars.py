"""Small bar drawings as inline SVG: a waterfall of amounts, a histogram, shares of a whole."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from fathom.pages.charts import AMBER, BAD, BLUE, GOOD
from fathom.pages.formats import number
from fathom.pages.svg import INK, SOFT, figure, text

_LINE: Final = "#dfe4e9"


def waterfall(parts: Sequence[tuple[str, float]], total: str, digits: int = 2) -> Markup:
    """Return bars that lead from zero over each amount to their sum, which is drawn last under the name `total`.

    >>> waterfall([("Price", 5.0), ("Fees", -2.0)], "Net").count("<rect")
    3
    """
    width, height, top, bottom = 620.0, 250.0, 26.0, 30.0
    ends = np.cumsum([0.0, *(amount for _, amount in parts)])
    low, high = float(min(ends.min(), 0.0)), float(max(ends.max(), 0.0))
    reach = (high - low) or 1.0

    def y(value: float) -> float:
        return top + (high - value) / reach * (height - top - bottom)

    bars = [(name, float(ends[at]), float(ends[at + 1]), amount) for at, (name, amount) in enumerate(parts)]
    bars.append((total, 0.0, float(ends[-1]), float(ends[-1])))
    pitch = width / len(bars)
    drawn = [f'<line x1="0" x2="{width:g}" y1="{y(0.0):.1f}" y2="{y(0.0):.1f}" stroke="#b9c3cc"/>']
    for at, (name, before, after, amount) in enumerate(bars):
        left, wide = at * pitch + pitch * 0.18, pitch * 0.64
        upper, lower = y(max(before, after)), y(min(before, after))
        last = at == len(bars) - 1
        color = (BLUE if last else GOOD) if amount >= 0.0 else BAD
        shape = f'x="{left:.1f}" y="{upper:.1f}" width="{wide:.1f}" height="{max(lower - upper, 1.0):.1f}"'
        drawn.append(f'<rect {shape} rx="2" fill="{color}" fill-opacity="{1 if last else 0.8}"/>')
        if not last:
            drawn.append(
                f'<line x1="{left:.1f}" x2="{left + pitch + wide * (at < len(bars) - 2):.1f}" '
                f'y1="{y(after):.1f}" y2="{y(after):.1f}" stroke="{SOFT}" stroke-dasharray="2 3"/>'
            )
        middle = left + wide / 2.0
        drawn.append(text(middle, upper - 7.0, number(amount, digits, signed=True), "middle", 13, INK, halo=True))
        drawn.append(text(middle, height - 8.0, name, "middle", 13, SOFT, halo=True))
    return figure(width, height, drawn, "Waterfall of " + ", ".join(name for name, _ in parts), kind="figure small")


def histogram(labels: Sequence[str], counts: NDArray[np.int64], label: str) -> Markup:
    """Return one bar a count, with the edges below: `labels` has one more entry than `counts`.

    >>> histogram(["0", "1", "2"], np.array([3, 4]), "Holding times").count("<rect")
    2
    """
    width, height, top, bottom = 620.0, 230.0, 22.0, 30.0
    most = max(int(counts.max()), 1)
    pitch = (width - 40.0) / len(counts)
    drawn = [f'<line x1="0" x2="{width:g}" y1="{height - bottom:g}" y2="{height - bottom:g}" stroke="#b9c3cc"/>']
    for at, count in enumerate(counts.tolist()):
        tall = count / most * (height - top - bottom)
        left = 20.0 + at * pitch
        shape = f'x="{left + 1:.1f}" y="{height - bottom - tall:.1f}" width="{pitch - 2:.1f}" height="{tall:.1f}"'
        drawn.append(f'<rect {shape} rx="1" fill="{BLUE}" fill-opacity="0.8"/>')
        if count:
            drawn.append(
                text(left + pitch / 2, height - bottom - tall - 6, number(count, 0), "middle", 12, INK, halo=True)
            )
    drawn += [
        # Half of a text is some 3.6 a letter: the outermost stay inside the figure.
        text(
            min(max(20.0 + at * pitch, 3.6 * len(edge)), width - 3.6 * len(edge)),
            height - 10.0,
            edge,
            "middle",
            12,
            SOFT,
            halo=True,
        )
        for at, edge in enumerate(labels)
        if pitch >= 56.0 or at % 2 == 0
    ]
    return figure(width, height, drawn, label, kind="figure small")


def shares(parts: Sequence[tuple[str, float]], label: str) -> Markup:
    """Return one bar cut into shares of the sum of the parts (none negative), each named with its percentage.

    >>> "maker 75 %" in shares([("maker", 3.0), ("taker", 1.0)], "Liquidity")
    True
    """
    total = sum(value for _, value in parts)
    width, height = 620.0, 54.0
    drawn, left, colors = [], 0.0, (BLUE, AMBER, GOOD, "#7d4aa3", BAD, SOFT)
    named = [(name, value, colors[at % len(colors)]) for at, (name, value) in enumerate(parts) if value > 0.0]
    for _, value, color in named:
        wide = value / total * width
        drawn.append(
            f'<rect x="{left:.1f}" y="0" width="{max(wide - 1.5, 1.0):.1f}" height="22" rx="2" fill="{color}"/>'
        )
        left += wide
    left = 0.0
    for name, value, color in named:
        share = (
            f"{name} {number(value / total * 100.0, 0 if value == total else 1 if 0 < value / total < 0.1 else 0)} %"
        )
        drawn.append(f'<rect x="{left:.1f}" y="34" width="10" height="10" rx="2" fill="{color}"/>')
        drawn.append(text(left + 16.0, 43.5, share, "start", 13, INK, halo=True))
        left += 34.0 + 7.4 * len(share)
    return figure(width, height, drawn, label, kind="figure small")
