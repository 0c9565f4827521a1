"""Figures of the page of a feature table: histograms, a map of correlations, a table of predictions, as plain HTML."""

import base64
import html
import json
import math
import struct
import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fathom.ml.tables.rank_correlation import RankCorrelation
from fathom.ml.tables.statistics import FeatureStatistics

_BLUE: Final = (31, 95, 168)
_AMBER: Final = (185, 121, 28)
_UNKNOWN: Final = (223, 228, 233)
_STRONG: Final = 0.25
"""A rank correlation that is shown in full colour: returns are hardly ever better predicted."""


def number(value: float) -> str:
    """Return a number for people, four digits of it.

    Examples
    --------
    >>> number(61800.2), number(-0.00012345), number(float("nan")), number(0.5)
    ('61,800', '−0.0001234', '–', '0.5')
    """
    if math.isnan(value):
        return "–"
    text = f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"
    return text.replace("-", "−")


def histogram(one: FeatureStatistics, width: int = 220, height: int = 56) -> str:
    """Return the distribution of a feature as SVG: bars between its quantiles 0.01 and 0.99, a line at the median."""
    peak = max(one.histogram, default=0)
    if not peak:
        return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="no values"></svg>'
    step = width / len(one.histogram)
    bars = "".join(
        f"M{i * step:.1f} {height}v-{count / peak * (height - 4):.1f}h{step - 0.6:.1f}V{height}z"
        for i, count in enumerate(one.histogram)
        if count
    )
    low, high = one.edges
    middle = (one.median - low) / (high - low) * width if high > low else width / 2
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="distribution of {html.escape(one.name)}">'
        f'<path class="bars" d="{bars}"/><path class="median" d="M{middle:.1f} 0V{height}"/></svg>'
    )


def card(one: FeatureStatistics) -> str:
    """Return a feature's distribution with its numbers."""
    marks = []
    if one.constant:
        marks.append("never changes")
    if not one.count:
        marks.append("never has a value")
    if not one.stationary:
        marks.append("raw level")
    mark = f'<span class="mark">{", ".join(marks)}</span>' if marks else ""
    low, high = one.quantiles[1], one.quantiles[-2]
    rows = (("mean", one.mean), ("std", one.std), ("min", one.quantiles[0]), ("max", one.quantiles[-1]))
    numbers = "".join(f"<div><dt>{name}</dt><dd>{number(value)}</dd></div>" for name, value in rows)
    return (
        f'<div class="card" id="f-{html.escape(one.name)}"><h3>{html.escape(one.name)}</h3>'
        f'<p class="unit">{html.escape(one.unit)}{mark}</p>{histogram(one)}'
        f'<p class="axis"><span>{number(low)}</span><span>{number(one.median)}</span><span>{number(high)}</span></p>'
        f"<dl>{numbers}<div><dt>NaN</dt><dd>{one.nan_share:.1%}</dd></div></dl></div>"
    )


def correlation_map(names: Sequence[str], correlations: NDArray[np.float64]) -> str:
    """Return the correlations of features as a picture, each pair under the pointer told in words."""
    shown = np.nan_to_num(np.rint(correlations * 100), nan=127).astype(np.int8)
    data = base64.b64encode(shown.tobytes()).decode()
    picture = base64.b64encode(_png(_colours(correlations))).decode()
    return (
        f'<div class="map" data-names="{html.escape(json.dumps(list(names)))}" data-values="{data}">'
        f'<img alt="correlations of {len(names)} features" src="data:image/png;base64,{picture}">'
        '<div class="tip"></div></div>'
        '<p class="key"><span><i style="background:rgb(31,95,168)"></i>−1</span><span><i></i>0</span>'
        '<span><i style="background:rgb(185,121,28)"></i>+1</span>'
        '<span><i style="background:rgb(223,228,233)"></i>undefined</span></p>'
    )


def strongest_pairs(names: Sequence[str], correlations: NDArray[np.float64], count: int = 15) -> str:
    """Return the pairs of features that are most alike, as a table."""
    upper = np.triu(np.nan_to_num(np.abs(correlations)), 1)
    order = np.argsort(upper, axis=None)[::-1][:count]
    rows = []
    for i, j in zip(*np.unravel_index(order, upper.shape), strict=True):
        pair = f"{html.escape(names[i])}<br>{html.escape(names[j])}"
        rows.append(f"<tr><td>{pair}</td><td>{correlations[i, j]:+.4f}</td></tr>".replace("-", "−"))
    return f"<table><thead><tr><th>most alike</th><th>r</th></tr></thead><tbody>{''.join(rows)}</tbody></table>"


def prediction_table(features: Sequence[FeatureStatistics]) -> str:
    """Return the rank correlations with forward returns by horizon; the best told first."""
    horizons = list(features[0].predictions)
    head = "".join(f"<th>{h} s</th>" for h in horizons)
    rows = []
    for one in sorted(features, key=_evidence, reverse=True):
        cells = "".join(_cell(one.predictions[h]) for h in horizons)
        link = f'<a href="#f-{html.escape(one.name)}">{html.escape(one.name)}</a>'
        rows.append(f"<tr><td>{link}</td><td class='text'>{html.escape(one.group)}</td>{cells}</tr>")
    return (
        f"<div class='scroll'><table class='sortable'><thead><tr><th>feature</th><th class='text'>group</th>{head}</tr>"
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _evidence(one: FeatureStatistics) -> float:
    # How far the best horizon is from 0, in widths of its interval; what has no interval comes last.
    found = [abs(r.value) / (r.high - r.low) for r in one.predictions.values() if not math.isnan(r.low)]
    return max(found, default=-1.0)


def _cell(found: RankCorrelation) -> str:
    if math.isnan(found.value):
        return '<td data-sort="-9">–</td>'
    text = f"{found.value:+.2f}".replace("-", "−")
    if math.isnan(found.low):
        return f'<td data-sort="{abs(found.value) - 2:.4f}" class="no">{text}<span>no interval</span></td>'
    strength = min(abs(found.value) / _STRONG, 1.0) if found.excludes_zero else 0.0
    colour = _AMBER if found.value > 0 else _BLUE
    span = f"{found.low:+.2f} to {found.high:+.2f}".replace("-", "−")
    return (
        f'<td data-sort="{abs(found.value):.4f}" style="background:rgba({colour[0]},{colour[1]},{colour[2]},'
        f'{0.42 * strength:.2f})" title="counts as {found.effective:,.0f} independent pairs">'
        f"{f'<b>{text}</b>' if found.excludes_zero else text}<span>{span}</span></td>"
    )


def _colours(correlations: NDArray[np.float64]) -> NDArray[np.uint8]:
    known = np.nan_to_num(correlations)[..., None]
    end = np.where(known > 0, _AMBER, _BLUE)
    colours = 255 + (end - 255) * np.abs(known)
    colours[np.isnan(correlations)] = _UNKNOWN
    return np.asarray(np.rint(colours), np.uint8)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    height, width, _ = pixels.shape
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body
