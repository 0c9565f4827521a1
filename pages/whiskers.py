"""Values with their intervals on one axis, as inline SVG: which are clear of zero, and which are not."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from fathom.pages.charts import BAD, GOOD
from fathom.pages.formats import number
from fathom.pages.svg import INK, SOFT, figure, text


def whiskers(
    rows: Sequence[tuple[str, float, float, float]], unit: str, label: str, *, sure: Sequence[bool] = ()
) -> Markup:
    """Return one line a row with its interval and value, coloured where the interval does not hold zero.

    Parameters
    ----------
    rows
        Name, value, and the bounds of the interval; NaN where undefined.
    unit
        Of the values.
    label
        What the drawing shows, for those who cannot see it.
    sure
        Which rows may be coloured, where not all: intervals of a few trades hold zero by luck, or not.

    Examples
    --------
    >>> whiskers([("the validator", 3.0, 1.0, 5.0)], "USDT", "What each part adds").count("<circle")
    1
    """
    pitch, left, wide = 30.0, 290.0, 500.0
    width, height = left + wide + 150.0, pitch * len(rows) + 26.0
    reach = max((abs(value) for row in rows for value in row[1:] if np.isfinite(value)), default=0.0) or 1.0

    def x(value: float) -> float:
        return left + wide / 2.0 + value / reach * wide / 2.0

    drawn = [_line(x(0.0), x(0.0), 0.0, height - 22.0, "#b9c3cc", 1)]
    for at, (name, value, low, high) in enumerate(rows):
        y = at * pitch + pitch / 2.0
        told = sure[at] if sure else True
        color = GOOD if told and low > 0.0 else BAD if told and high < 0.0 else SOFT
        drawn.append(text(left - 14.0, y + 5.0, name, "end", 14, INK))
        if np.isfinite(low):
            drawn.append(_line(x(low), x(high), y, y, color, 2))
        if np.isfinite(value):
            drawn.append(f'<circle cx="{x(value):.1f}" cy="{y:.1f}" r="5" fill="{color}"/>')
            drawn.append(text(left + wide + 12.0, y + 5.0, number(value, signed=True), "start", 13, color))
    drawn.append(text(x(0.0), height - 4.0, f"0 {unit}", "middle", 12, SOFT))
    return figure(width, height, drawn, label)


def _line(x1: float, x2: float, y1: float, y2: float, color: str, wide: int) -> str:
    place = f'x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"'
    return f'<line {place} stroke="{color}" stroke-width="{wide}"/>'
