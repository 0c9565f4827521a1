"""Drawings of the detection page: the book around an alert as a heat map, and alerts in the course of time."""

from typing import Any, Final

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from fathom.data_catalog.instruments import Grid
from fathom.market.events import Action, Kind, Side
from fathom.pages.charts import AMBER, BAD, BLUE
from fathom.pages.figures import svg
from fathom.studies.detection.run import Episode, Market

COLORS: Final = {"SPOOFING": BAD, "LAYERING": "#7d4aa3", "QUOTE_STUFFING": "#0f7f8c"}
"""Colour of each kind of alert."""

_COLUMNS: Final = 320
_MOST_BINS: Final = 150
_BID: Final = np.array([31, 95, 168]) / 255.0
_ASK: Final = np.array([185, 121, 28]) / 255.0


def sizes_over_time(episode: Episode, columns: int = _COLUMNS) -> NDArray[np.int64]:
    """Return the lots at each price and time of an episode: shape (2, prices, columns), bids first.

    A column shows the book at its right edge; the columns are of equal length in venue time.
    """
    assert episode.ladder is not None
    book = episode.ladder.copy()
    out = np.zeros((*book.shape, columns), np.int64)
    rows = episode.rows[episode.rows["kind"] == Kind.BOOK]
    span = episode.end_ns - episode.start_ns
    at = np.clip((rows["ts_event"] - episode.start_ns) * columns // span, 0, columns - 1)
    done = 0
    for column in range(columns):
        last = int(np.searchsorted(at, column, "right"))
        for row in rows[done:last]:
            if row["action"] == Action.CLEAR:
                book[:] = 0
                continue
            place = int(row["price"]) - episode.low
            if 0 <= place < book.shape[1]:
                side = 0 if row["side"] == Side.BUY else 1
                book[side, place] = 0 if row["action"] == Action.DELETE else row["size"]
        done = max(done, last)
        out[:, :, column] = book
    return out


def heat_map(episode: Episode, grid: Grid, name: str) -> Markup:
    """Return the book around an alert: resting size by price and time, trades, and the orders from first to last.

    Bids are blue, asks amber, the darker the larger (logarithmic, up to the largest shown). Circles are trades, their
    area the size. The frame is the alert's orders, from the message that first showed them to the one without them.
    """
    return svg(lambda: _draw(episode, grid), name, percent="", dates=False)


def alerts_over_time(market: Market, name: str) -> Markup:
    """Return the alerts of each kind in equal spans of time."""
    return svg(lambda: _draw_counts(market), name, percent="", dates=False)


def _draw(episode: Episode, grid: Grid) -> Any:
    from matplotlib import pyplot
    from matplotlib.patches import Rectangle

    alert = episode.alert
    lots = sizes_over_time(episode)
    step = -(-lots.shape[1] // _MOST_BINS)
    rest = -lots.shape[1] % step
    binned = np.pad(lots, ((0, 0), (0, rest), (0, 0))).reshape(2, -1, step, lots.shape[2]).sum(axis=2)
    scaled = np.log1p(binned) / max(float(np.log1p(binned.max())), 1e-9)
    scaled = np.clip((scaled - 0.25) / 0.75, 0.0, 1.0) * (binned > 0) + 0.06 * (binned > 0)
    weight = np.clip(scaled, 0.0, 1.0)[..., None]
    image = 1.0 - weight[0] * (1.0 - _BID) - weight[1] * (1.0 - _ASK)
    origin = alert.placed or alert.ts_event
    left, right = ((time - origin) / 1e6 for time in (episode.start_ns, episode.end_ns))
    bottom = (episode.low - 0.5) * grid.tick
    top = bottom + binned.shape[1] * step * grid.tick
    figure, axes = pyplot.subplots(figsize=(7.6, 3.4))
    axes.imshow(
        np.clip(image, 0.0, 1.0),
        extent=(left, right, bottom, top),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )
    _draw_trades(axes, episode, grid, origin)
    if alert.price_low:
        low, high = alert.price_low - 0.5 * grid.tick, alert.price_high + 0.5 * grid.tick
        room = max((top - bottom) * 0.008 - (high - low) / 2, 0.0)
        frame = Rectangle(
            (0.0, low - room),
            max((alert.removed - origin) / 1e6, (right - left) / 300),
            high - low + 2 * room,
            fill=False,
            edgecolor=COLORS[alert.kind],
            linewidth=1.6,
            zorder=5,
        )
        axes.add_patch(frame)
    lines = [(0.0, "placed ", "right"), ((alert.removed - origin) / 1e6, " removed", "left")]
    if alert.kind == "QUOTE_STUFFING":
        lines = [(0.0, "burst", "center")]
    for time, label, side in lines:
        axes.axvline(time, color=COLORS[alert.kind], linewidth=0.8, linestyle=(0, (3, 3)), zorder=4)
        axes.text(time, 1.01, label, transform=axes.get_xaxis_transform(), ha=side, va="bottom", fontsize=8)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_xlabel("ms after it was placed" if alert.kind != "QUOTE_STUFFING" else "ms after the burst")
    axes.grid(False)
    axes.ticklabel_format(useOffset=False, style="plain", axis="y")
    figure.tight_layout()
    return figure


def _draw_trades(axes: Any, episode: Episode, grid: Grid, origin: int) -> None:
    trades = episode.rows[episode.rows["kind"] == Kind.TRADE]
    if not len(trades):
        return
    most = float(trades["size"].max())
    for side, color in ((Side.BUY, BLUE), (Side.SELL, AMBER)):
        some = trades[trades["side"] == side]
        axes.scatter(
            (some["ts_event"] - origin) / 1e6,
            some["price"] * grid.tick,
            s=8.0 + 60.0 * some["size"] / most,
            facecolors="white",
            edgecolors=color,
            linewidths=1.1,
            zorder=6,
        )


def _draw_counts(market: Market) -> Any:
    from matplotlib import pyplot
    from matplotlib.ticker import MaxNLocator

    alerts = market.alerts
    seconds = max((market.last_ns - market.first_ns) / 1e9, 1.0)
    width = next((one for one in (10, 60, 300, 900, 3_600, 14_400, 86_400) if seconds / one <= 80), 86_400)
    bins = np.arange(0.0, seconds + width, width)
    unit, per = (60.0, "min") if seconds < 7_200 else (3_600.0, "h")
    figure, axes = pyplot.subplots(figsize=(11.5, 2.4))
    base = np.zeros(len(bins) - 1)
    for kind, color in COLORS.items():
        times = np.array([(alert.ts_event - market.first_ns) / 1e9 for alert in alerts if alert.kind == kind])
        counts = np.histogram(times, bins)[0].astype(np.float64)
        if counts.any():
            label = kind.replace("_", " ").lower()
            axes.bar(bins[:-1] / unit, counts, width / unit * 0.9, base, align="edge", color=color, label=label)
            base += counts
    axes.set_xlabel(f"{per} since the start")
    axes.set_ylabel(f"alerts in {width} s" if width < 60 else f"alerts in {width // 60} min")
    axes.set_xlim(0.0, bins[-1] / unit)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    if base.any():
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, fontsize=8, borderaxespad=0.2)
    figure.tight_layout()
    return figure
