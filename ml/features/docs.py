"""Write what the features say of themselves as Markdown: ``python -m fathom.ml.features.docs docs/features.md``."""

import sys
from itertools import groupby
from pathlib import Path

from fathom.market.bar_rows import WINDOW
from fathom.ml.features import filling
from fathom.ml.features.registry import ALIKE, NEUTRAL, SPECS
from fathom.ml.features.spec import FeatureSpec

_GROUPS = {
    "orderbook": "Order book",
    "candles": "Candles",
    "indicators": "Indicators",
}

_BARS_NOTE = """\
Warm-up in closed bars. O, H, L, C and V are open, high, low, close and volume of the last closed bar; X[k] is X of k
bars before; Hn and Ln are the highest high and the lowest low of the last n bars; TR is the true range, the largest of
H - L, |H - C[1]| and |L - C[1]|.\
"""
_NOTES = {
    "orderbook": "Warm-up in grid samples.",
    "candles": _BARS_NOTE,
    "indicators": _BARS_NOTE,
}

_HEAD = """\
# Features

Written by `python -m fathom.ml.features.docs docs/features.md` from the code; do not edit.

{count} features: {counts}. Of these, {stationary} are stationary: a model may take them as they
are (`features = "stationary"`). Prices and sums of volume stay available beside them; the column *Form* names the
stationary form of each.

## When a vector is taken, and of what

- The vector for grid time T uses exactly the events with `ts_init < T`. Grid times are the multiples of `grid_ms`
  (1000 by default) since the epoch. It makes no difference whether the next event or a timer asks for it.
- After `max_silence_ms` (300,000) without an event there are no vectors until the next one: the feed is dead then, not
  quiet.
- One recurrence, two drivers: `update` (online) and `update_many` (batch) give the same bits for any way of cutting
  the stream, and after any restart from a snapshot.

## Bars

- A bar of `bar_ms` (1000 by default; a slow market needs up to 60,000) holds the trades with `ts_init` in [start, end)
  of its interval; intervals are multiples of its length since the epoch. It is closed for every grid time T >= end.
- An interval without trades gives a bar at the last close with no volume; before the first trade there is no bar. Block
  trades, negotiated off the book, are left out; trades against RPI orders count.
- Values change once per closed bar, never per tick. They are functions of the last {window} closed bars and of nothing
  else: a stream that is joined late gives, {window} bars later, the same bits as one that ran for a year. Recursive
  indicators (exponential and Wilder averages, SAR, SuperTrend) begin at the oldest of these bars, as TA-Lib does at the
  start of its input; TA-Lib over the same bars is their oracle in the tests. What is cut off of an average weighs at
  most 2.7e-4 (EMA 50).
- OBV and A/D accumulate over 200 bars, VWAP over 60: a sum since the start would depend on when the start was.
- Closed bars may come from outside instead (`bars = "outside"`). Like every event, such a bar is used from the first
  grid time after its `ts_init` on.

## What is undefined

{filling}

Where TA-Lib answers 0 in a market that does not move (RSI, stochastic, Williams %R, MFI), which reads as the strongest
of falls, the value is undefined here and filled with its neutral value.

## Features that are alike

On recorded markets no two features have a correlation beyond 0.999 (tests/checks), with these exceptions:

{alike}
- Raw prices are all alike, as they follow the price; so are a feature and its stationary form.
"""


def render() -> str:
    """Return the document.

    Examples
    --------
    >>> render().splitlines()[0]
    '# Features'
    """
    specs = list(SPECS.values())
    counts = ", ".join(
        f"{sum(spec.top_group == group for spec in specs)} {title.lower()}" for group, title in _GROUPS.items()
    )
    rule = (filling.__doc__ or "").partition("\n\n")[2].strip()
    parts = [
        _HEAD.format(
            count=len(specs),
            counts=counts,
            stationary=sum(spec.stationary for spec in specs),
            window=WINDOW,
            filling=rule,
            alike="\n".join(f"- `{one}` and `{two}`: {_sentence(reason)}" for (one, two), reason in ALIKE.items()),
        )
    ]
    for group, title in _GROUPS.items():
        parts.append(f"## {title}\n\n{_NOTES[group]}\n")
        own = sorted((spec for spec in specs if spec.top_group == group), key=lambda spec: spec.group)
        for subgroup, members in groupby(own, key=lambda spec: spec.group.partition(".")[2]):
            parts.append(f"### {title}: {subgroup}\n\n{_table(list(members))}")
    return "\n".join(parts)


def _sentence(text: str) -> str:
    return text[0].lower() + text[1:]


def _table(specs: list[FeatureSpec]) -> str:
    head = "| Feature | Unit | Definition | Warm-up | Undefined where | Filled by | Form | Source |"
    lines = [head, "|" + " --- |" * 8, *(_row(spec) for spec in specs)]
    return "\n".join(lines) + "\n"


def _row(spec: FeatureSpec) -> str:
    forms = [other.name for other in SPECS.values() if other.stationary_of == spec.name]
    if spec.stationary:
        form = f"stationary form of `{spec.stationary_of}`" if spec.stationary_of else "stationary"
    else:
        form = f"raw; stationary: `{forms[0]}`" if forms else "raw"
    filled = f"{NEUTRAL[spec.name]:g}" if spec.name in NEUTRAL else "last value"
    cells = (
        f"`{spec.name}`",
        spec.unit,
        f"{spec.formula}. {spec.text}",
        str(spec.warm_up),
        spec.nan_rule,
        "-" if spec.nan_rule == "never" else filled,
        form,
        spec.source,
    )
    return "| " + " | ".join(cell.replace("|", "\\|").replace("*", "\\*") for cell in cells) + " |"


def main() -> None:
    """Write the document to the path that is given."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m fathom.ml.features.docs docs/features.md")
    Path(sys.argv[1]).write_text(render())


if __name__ == "__main__":
    main()
