"""Matplotlib figures as inline SVG: one look, text that stays text, the same bytes for the same data."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

from markupsafe import Markup

from fathom.pages.charts import AMBER, BAD, BLUE

SIZE: Final = (7.6, 3.1)

_LOOK: Final[dict[str, Any]] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#b9c3cc",
    "axes.facecolor": "white",
    "axes.grid": True,
    "axes.labelcolor": "#5b6773",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "white",
    "figure.max_open_warning": 0,
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "grid.color": "#e8ecf0",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "path.simplify": True,
    "svg.fonttype": "none",
    "text.color": "#1c2530",
    "timezone": "UTC",
    "xtick.color": "#5b6773",
    "ytick.color": "#5b6773",
}

_REPLACED: Final = {"#348dc1": BLUE, "#fedd78": AMBER, "#000000": "#8b96a1", "#ff0000": BAD, "#808080": "#8b96a1"}
"""Colours of quantstats that are too light to read, and their likes in our pages."""

_RULES: Final = ("#000000", "#ff0000", "#808080")
"""Colours in which quantstats draws zero and averages."""


@contextmanager
def look() -> Iterator[None]:
    """Apply the look of our figures, and leave the settings of matplotlib as they were."""
    import sys

    import matplotlib

    if "matplotlib.pyplot" not in sys.modules:
        matplotlib.use("agg")
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(cast("Any", _LOOK))
        yield


def svg(draw: Callable[[], Any], name: str, *, percent: str = "y", dates: bool = True) -> Markup:
    """Return what `draw` drew (a matplotlib figure) as an SVG element.

    `name` makes its ids differ from those of other figures of the page; `percent` names the axis (`x`, `y` or "")
    that shows fractions; `dates` says whether the x axis is time.
    """
    with look():
        import matplotlib
        from matplotlib import pyplot

        matplotlib.rcParams["svg.hashsalt"] = name
        figure = draw()
        _tidy(figure, percent, dates)
        content = io.StringIO()
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        pyplot.close(figure)
    text = content.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg [^>]*?) (?:width|height)="[^"]*pt"', r"\1", text)
    text = re.sub(r'(<svg [^>]*?) (?:width|height)="[^"]*pt"', r"\1", text)
    return Markup(f'<div class="figure">{text}</div>')


def _tidy(figure: Any, percent: str, dates: bool) -> None:
    from matplotlib import dates as clock
    from matplotlib.colors import to_hex
    from matplotlib.ticker import PercentFormatter

    figure.suptitle("")
    for axes in figure.axes:
        axes.set_title("")
        axes.spines["bottom"].set_visible(True)
        axes.spines["bottom"].set_color("#b9c3cc")
        for line in axes.get_lines():
            color = to_hex(line.get_color())
            line.set_color(_REPLACED.get(color, color))
            line.set_zorder(1.5 if color in _RULES else 3.0)
            if color in _RULES:
                line.set_linewidth(1.0)
            if color == "#000000":
                line.set_linestyle("-")
        for patch in axes.patches:
            patch.set_facecolor(_recolored(patch.get_facecolor()))
        for collection in axes.collections:
            collection.set_facecolor([_recolored(color) for color in collection.get_facecolor()])
        if percent:
            axis = axes.xaxis if percent == "x" else axes.yaxis
            axis.set_major_formatter(PercentFormatter(xmax=1.0, symbol=" %"))
        if dates:
            locator = cast("Any", clock).AutoDateLocator(minticks=4, maxticks=8)
            axes.xaxis.set_major_locator(locator)
            axes.xaxis.set_major_formatter(cast("Any", clock).ConciseDateFormatter(locator))
        for label in axes.get_xticklabels():
            label.set_rotation(0.0)
            label.set_horizontalalignment("center")
        handles, names = axes.get_legend_handles_labels()
        if len(handles) > 1:
            axes.legend(
                handles, names, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, borderaxespad=0.2, fontsize=9.0
            )
    figure.set_layout_engine("tight", pad=0.4)


def _recolored(color: Any) -> tuple[float, float, float, float]:
    from matplotlib.colors import to_hex, to_rgba

    replacement = _REPLACED.get(to_hex(color[:3]))
    red, green, blue, _ = to_rgba(replacement or color)
    return red, green, blue, float(color[3])
