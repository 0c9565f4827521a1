"""The comparison of two markets as one self-contained HTML page with plots."""

import base64
import html
import io
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np

from fathom.data_catalog.simulation.measured.comparison import Measured, comparison_rows, number_text
from fathom.data_catalog.simulation.measured.statistics import GRID_SECS, HORIZONS_SECS, QUANTILES, MarketStatistics
from fathom.settings.whole_files import write_whole

_COLOURS: Final = ("#2563a8", "#d9730d")
_STYLE: Final = """
:root { color-scheme: light; }
body { font: 14px/1.45 system-ui, sans-serif; color: #1c2530; background: #fff; max-width: 1120px; margin: 24px auto;
  padding: 0 16px; }
h1 { font-size: 22px; margin: 0 0 4px; } p { margin: 4px 0 16px; color: #56616e; }
.a { color: #2563a8; font-weight: 600; } .b { color: #d9730d; font-weight: 600; }
img { width: 100%; height: auto; } table { border-collapse: collapse; margin: 12px 0 40px; width: 100%; }
td, th { padding: 3px 10px; text-align: right; font-variant-numeric: tabular-nums; border-bottom: 1px solid #edf0f3; }
td:first-child, th:first-child { text-align: left; } tr.group td { font-weight: 600; padding-top: 14px; }
"""


def write_page(path: Path, a: Measured, b: Measured) -> None:
    """Write the page; it needs no network.

    Parameters
    ----------
    path : Path
    a, b : tuple of MarketStatistics and mids
        As `measure_catalog` returns them.
    """
    left, right = a[0], b[0]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        f"<title>{_text(left.instrument)} beside {_text(right.instrument)}</title><style>{_STYLE}</style></head><body>",
        f"<h1><span class='a'>{_text(left.instrument)}</span> beside "
        f"<span class='b'>{_text(right.instrument)}</span></h1>",
        f"<p>{_span(left)} and {_span(right)}; the same measures over the same event rows.</p>",
        f"<img alt='plots' src='data:image/png;base64,{_plots(a, b)}'>",
        _table(left, right),
        "</body></html>\n",
    ]
    write_whole(path, "\n".join(parts))


def _text(value: str) -> str:
    return html.escape(value, quote=True)


def _span(statistics: MarketStatistics) -> str:
    return f"{statistics.secs / 60:,.1f} min of {_text(statistics.instrument)}"


def _table(a: MarketStatistics, b: MarketStatistics) -> str:
    names = f"<th class='a'>{_text(a.instrument)}</th><th class='b'>{_text(b.instrument)}</th>"
    rows = [f"<tr><th>measure</th>{names}</tr>"]
    section = ""
    for group, measure, left, right in comparison_rows(a, b):
        if group != section:
            rows.append(f"<tr class='group'><td colspan='3'>{_text(group)}</td></tr>")
            section = group
        rows.append(f"<tr><td>{_text(measure)}</td><td>{number_text(left)}</td><td>{number_text(right)}</td></tr>")
    return f"<table>{''.join(rows)}</table>"


def _plots(a: Measured, b: Measured) -> str:
    # The object interface: no window system, and no state shared with other figures.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True}):
        figure = Figure(figsize=(12, 12.5), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(4, 2)
        for (statistics, mids), colour in zip((a, b), _COLOURS, strict=True):
            _draw(axes, statistics, mids, colour)
        for axis in axes.flat:
            axis.grid(alpha=0.25)
        axes[0, 0].legend(frameon=False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110)
    return base64.b64encode(buffer.getvalue()).decode()


def _draw(axes: Any, s: MarketStatistics, mids: Any, colour: str) -> None:
    style: dict[str, Any] = {"color": colour, "marker": "o", "markersize": 3, "linewidth": 1.4}
    quantiles = np.array(QUANTILES) * 100
    every = max(1, len(mids) // 4000)
    minutes = np.arange(len(mids))[::every] * GRID_SECS / 60
    path = axes[0, 0]
    path.plot(minutes, (mids[::every] / mids[0] - 1) * 1e4, color=colour, linewidth=0.9, label=s.instrument)
    path.set(title="mid, change from the start", xlabel="minutes", ylabel="bps")
    levels = np.arange(1, len(s.depth_size) + 1)
    axes[0, 1].plot(levels, np.maximum(s.depth_size, 1e-9), **style)
    axes[0, 1].set(title="mean size by level", xlabel="level", ylabel="quote currency", yscale="log")
    axes[1, 0].plot(s.depth_distance_bps, np.cumsum(s.depth_size), **style)
    axes[1, 0].set(title="size up to a distance from the mid", xlabel="bps", ylabel="quote currency")
    axes[1, 1].plot(HORIZONS_SECS, s.volatility_bps, **style)
    axes[1, 1].set(title="volatility by horizon", xlabel="seconds", ylabel="bps per √s", xscale="log", ylim=(0, None))
    panels = (
        (axes[2, 0], s.changes_per_message, "level changes per message", "changes"),
        (axes[2, 1], s.level_life_secs, "lifetime of a level", "seconds"),
        (axes[3, 0], s.taker_gap_ms, "time between taker orders", "ms"),
        (axes[3, 1], s.trade_size, "trade size", "quote currency"),
    )
    for axis, values, title, unit in panels:
        axis.plot(quantiles, np.maximum(values, 1e-9), **style)
        axis.set(title=f"{title}, quantiles", xlabel="% of them are smaller", ylabel=unit, yscale="log")
