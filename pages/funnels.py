"""A funnel as inline SVG: how many come through each step, and how many are lost there."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from fathom.pages.charts import BLUE
from fathom.pages.formats import integer, percent
from fathom.pages.svg import INK, SOFT, figure, text

_LOST: Final = "#d98f8a"


def funnel(steps: Sequence[tuple[str, int]], label: str) -> Markup:
    """Return one bar a step, centred, with its count, its share of the first, and what was lost on the way to it.

    Parameters
    ----------
    steps
        Name and count, in order; no count is larger than the one before.
    label
        What the drawing shows, for those who cannot see it.

    Examples
    --------
    >>> drawing = funnel([("Signals", 40), ("Validated", 30)], "From signals to trades")
    >>> drawing.count("<rect"), "75 %" in drawing, "10 lost" in drawing
    (3, True, True)
    """
    pitch, tall, left, wide = 46.0, 26.0, 150.0, 560.0
    most = max((count for _, count in steps), default=0) or 1
    middle = left + wide / 2.0
    width, height = left + wide + 190.0, pitch * len(steps)
    drawn: list[str] = []
    before = None
    for at, (name, count) in enumerate(steps):
        top = at * pitch + (pitch - tall) / 2.0
        if before is not None and before > count:
            drawn.append(_bar(middle, top, wide * before / most, tall, _LOST, 0.35))
        drawn.append(_bar(middle, top, wide * count / most, tall, BLUE, 0.85))
        base = top + tall - 8.0
        drawn.append(text(left - 14.0, base, name, "end", 14, INK))
        lost = f", {integer(before - count)} lost" if before is not None and before > count else ""
        share = f" ({percent(count / most, 0)})" if at else ""
        drawn.append(text(left + wide + 12.0, base, f"{integer(count)}{share}{lost}", "start", 13, SOFT))
        before = count
    return figure(width, height, drawn, label)


def _bar(middle: float, top: float, wide: float, tall: float, color: str, opacity: float) -> str:
    wide = max(wide, 1.0)
    shape = f'x="{middle - wide / 2.0:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{tall:g}" rx="2"'
    return f'<rect {shape} fill="{color}" fill-opacity="{opacity:g}"/>'
