"""The page of a feature table: distributions, correlations and predictions, in one file that needs no network."""

import html
import math
from pathlib import Path
from typing import Final

import numpy as np

from fathom.ml.tables.figures import card, correlation_map, number, prediction_table, strongest_pairs
from fathom.ml.tables.statistics import SAME, Description
from fathom.settings.times import time_text
from fathom.settings.whole_files import write_whole

_STYLE: Final = """
:root { --ink: #1c2530; --soft: #5b6773; --line: #dfe4e9; --wash: #f5f7f9; --blue: #1f5fa8; --amber: #b9791c; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto,
  "Helvetica Neue", "Noto Sans", "Liberation Sans", Arial, sans-serif; }
header, main, footer { max-width: 1240px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 28px; } footer { color: var(--soft); font-size: 12px; margin-top: 40px; padding-bottom: 32px; }
h1 { font-size: 28px; line-height: 1.2; font-weight: 650; margin: 2px 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 17px; font-weight: 650; margin: 0 0 4px; } section { margin: 34px 0 0; } p { margin: 0 0 8px; }
a { color: inherit; text-decoration: none; } a:hover { text-decoration: underline; }
.kind, .subtitle, .about { color: var(--soft); } .kind { font-size: 13px; margin: 0; }
.about { font-size: 13px; max-width: 96ch; }
.know { background: var(--wash); border: 1px solid var(--line); border-radius: 6px; padding: 14px 20px;
  margin-top: 18px; }
.know ul { margin: 6px 0 0; padding-left: 18px; font-size: 13.5px; }
.know li { padding: 2px 0; overflow-wrap: anywhere; }
.scroll { overflow: auto; max-height: 640px; border-bottom: 1px solid var(--line); }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 10px; text-align: right; white-space: nowrap; border-bottom: 1px solid #edf0f3; }
thead th { position: sticky; top: 0; background: #fff; color: var(--soft); font-weight: 600; cursor: pointer;
  border-bottom: 1px solid #b9c3cc; }
th:first-child, td:first-child, .text { text-align: left; }
th:first-child, td:first-child { padding-left: 0; } td:first-child { font-weight: 550; }
td.text { color: var(--soft); } td span { display: block; font-size: 11px; line-height: 1.2; color: var(--soft); }
td.no { color: var(--soft); }
.beside { display: grid; grid-template-columns: minmax(0, 1.7fr) minmax(0, 1fr); gap: 0 36px; align-items: start; }
.map { position: relative; margin-top: 10px; border: 1px solid var(--line); }
.beside table td { padding: 3px 0; }
.map img { display: block; width: 100%; image-rendering: pixelated; cursor: crosshair; }
.tip { position: absolute; display: none; pointer-events: none; background: #fff; border: 1px solid #b9c3cc;
  border-radius: 4px; padding: 4px 8px; font-size: 12px; white-space: nowrap; z-index: 2;
  box-shadow: 0 2px 8px rgba(28,37,48,.12); }
.key { display: flex; gap: 18px; font-size: 12.5px; color: var(--soft); margin-top: 8px; }
.key i { display: inline-block; width: 12px; height: 12px; margin-right: 6px; vertical-align: -1px; background: #fff;
  border: 1px solid var(--line); }
.group { font-size: 14px; font-weight: 650; margin: 20px 0 8px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(214px, 1fr)); gap: 12px; }
.card { border: 1px solid var(--line); border-radius: 6px; padding: 9px 12px 8px; min-width: 0; }
.card h3 { font-size: 13px; font-weight: 650; margin: 0; overflow-wrap: anywhere; }
.card .unit { font-size: 11.5px; color: var(--soft); margin: 0 0 6px; }
.card .mark { float: right; color: var(--amber); }
.card svg { display: block; width: 100%; height: 56px; border-bottom: 1px solid #b9c3cc; }
.card .bars { fill: #7ea4cf; } .card .median { stroke: var(--ink); stroke-width: 1; fill: none; }
.card .axis { display: flex; justify-content: space-between; font-size: 11px; margin: 1px 0 5px; color: var(--soft);
  font-variant-numeric: tabular-nums; }
.card dl { display: grid; grid-template-columns: 1fr 1fr; gap: 0 14px; margin: 0; font-size: 11.5px; }
.card dl div { display: flex; justify-content: space-between; } .card dt { color: var(--soft); }
.card dd { margin: 0; font-variant-numeric: tabular-nums; }
:target { outline: 2px solid var(--amber); }
@media (max-width: 800px) { header, main, footer { padding: 0 14px; } th, td { padding: 4px 6px; }
  .beside { grid-template-columns: minmax(0, 1fr); } }
"""

_SCRIPT: Final = """
for (const map of document.querySelectorAll('.map')) {
  const names = JSON.parse(map.dataset.names), n = names.length, tip = map.querySelector('.tip');
  const bytes = Uint8Array.from(atob(map.dataset.values), c => c.charCodeAt(0)), values = new Int8Array(bytes.buffer);
  map.addEventListener('mousemove', event => {
    const box = map.querySelector('img').getBoundingClientRect();
    const i = Math.floor((event.clientY - box.top) / box.height * n);
    const j = Math.floor((event.clientX - box.left) / box.width * n);
    if (i < 0 || j < 0 || i >= n || j >= n) return;
    const r = values[i * n + j];
    tip.textContent = names[i] + ' and ' + names[j] + ': ' + (r === 127 ? 'undefined' : (r / 100).toFixed(2));
    tip.style.display = 'block';
    tip.style.left = Math.min(event.clientX - box.left + 14, box.width - tip.offsetWidth) + 'px';
    tip.style.top = (event.clientY - box.top + 16) + 'px';
  });
  map.addEventListener('mouseleave', () => tip.style.display = 'none');
}
for (const table of document.querySelectorAll('table.sortable')) table.querySelectorAll('th').forEach((head, at) => {
  let down = false;
  head.addEventListener('click', () => {
    down = !down;
    const value = cell => 'sort' in cell.dataset ? +cell.dataset.sort : cell.textContent;
    const rows = [...table.tBodies[0].rows].sort((a, b) => {
      const x = value(a.cells[at]), y = value(b.cells[at]);
      return (typeof x === 'number' ? y - x : x.localeCompare(y)) * (down ? 1 : -1);
    });
    table.tBodies[0].append(...rows);
  });
});
"""


def write_page(path: Path, found: Description) -> None:
    """Write the page of a described table.

    Parameters
    ----------
    path : Path
    found : Description
        As `fathom.ml.tables.statistics.describe` returns it.
    """
    write_whole(path, _page(found))


def _page(found: Description) -> str:
    name = html.escape(Path(found.path).name)
    span = f"{time_text(found.first_ns)} to {time_text(found.last_ns)}"
    rows = ", ".join(f"{html.escape(instrument)} ({count:,} rows)" for instrument, count in found.rows.items())
    settings = found.facts.schema.settings
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{name}</title><style>{_STYLE}</style></head><body>",
        f"<header><p class='kind'>Feature table</p><h1>{name}</h1><p class='subtitle'>{rows}<br>{span}, one vector "
        f"every {settings['grid_ms']} ms, {len(found.features)} features</p>{_know(found)}</header><main>",
        _predictions(found),
        _map(found),
        _distributions(found),
        f"</main><footer>Content {html.escape(found.facts.hash)} · schema {found.facts.schema.hash} · fathom features "
        f"describe</footer><script>{_SCRIPT}</script></body></html>\n",
    ]
    return "\n".join(parts)


def _know(found: Description) -> str:
    features = found.features
    constant = [one.name for one in features if one.constant]
    empty = [one.name for one in features if not one.count]
    warm = max((one for one in features if one.count), key=lambda one: one.nan_share, default=None)
    stationary = {one.name for one in features if one.stationary}
    alike = [pair for pair in found.alike if pair[0] in stationary and pair[1] in stationary]
    lines = [_listed("Never changes: ", constant) or "Every feature changes."]
    if empty:
        lines.append(_listed("Never has a value here: ", empty))
    if warm is not None and warm.nan_share > 0:
        lines.append(
            f"The longest warm-up is that of {html.escape(warm.name)}: {warm.nan_share:.1%} of the rows are without it."
        )
    why = found.facts.alike
    said = [f"{a} and {b} ({why.get((a, b)) or why.get((b, a)) or 'not expected'})" for a, b, _ in alike]
    lines.append(
        _listed(f"Alike (|r| above {SAME}) among the stationary features: ", said)
        or f"No two stationary features are alike (|r| above {SAME})."
    )
    if len(found.rows) > 1:
        lines.append("Distributions mix the instruments; correlations are taken within each of them and then averaged.")
    items = "".join(f"<li>{line}</li>" for line in lines)
    return f"<div class='know'><h2>What to know</h2><ul>{items}</ul></div>"


def _predictions(found: Description) -> str:
    if not found.mid:
        return (
            "<section id='predictions'><h2>What they say of the returns to come</h2><p class='about'>The table holds "
            "neither mid_price nor close, so there are no returns to compare with.</p></section>"
        )
    told = [r for one in found.features for r in one.predictions.values() if not math.isnan(r.low)]
    starred = sum(r.excludes_zero for r in told)
    several = (
        " Several instruments move together, and count as the one that counts most." if len(found.rows) > 1 else ""
    )
    note = (
        f"Spearman's rank correlation of a feature at T with the return of {html.escape(found.mid)} from T to T + "
        f"horizon, with its 95 % interval. Returns overlap and features are slow, so the rows count as fewer "
        f"(Bayley and Hammersley 1946; point at a cell to see how many).{several} Bold and coloured: the interval "
        f"leaves out 0. That holds for {starred} of {len(told)} cells; {0.05 * len(told):.0f} would by chance alone, "
        "and many features are relatives of one another. There is no interval for raw levels, which seem to predict "
        "their own past, nor for features that look back on more than a tenth of the rows. Costs are not in it: a "
        "correlation is no profit."
    )
    return (
        "<section id='predictions'><h2>What they say of the returns to come</h2>"
        f"<p class='about'>{note}</p>{prediction_table(found.features)}</section>"
    )


def _map(found: Description) -> str:
    chosen = [i for i, one in enumerate(found.features) if one.stationary] or list(range(len(found.features)))
    names = [found.features[i].name for i in chosen]
    if found.compared_rows < 2:
        body = "<p class='about'>Too few rows without NaN.</p>"
    else:
        part = found.correlations[np.ix_(chosen, chosen)]
        body = f"<div class='beside'><div>{correlation_map(names, part)}</div>{strongest_pairs(names, part)}</div>"
    return (
        "<section id='correlations'><h2>How they go together</h2><p class='about'>Pearson's correlation of the "
        f"{len(names)} stationary features, in the order of the schema, over {found.compared_rows:,} rows without NaN. "
        f"Point at the map to read a pair.</p>{body}</section>"
    )


def _distributions(found: Description) -> str:
    groups: dict[str, list[str]] = {}
    for one in found.features:
        groups.setdefault(one.group, []).append(card(one))
    parts = [
        f"<div class='group'>{html.escape(group)} ({number(len(cards))})</div><div class='cards'>{''.join(cards)}</div>"
        for group, cards in groups.items()
    ]
    return (
        "<section id='distributions'><h2>How they are distributed</h2><p class='about'>From the quantile 0.01 to 0.99, "
        f"the median in between; what lies beyond is in the outermost bars.</p>{''.join(parts)}</section>"
    )


def _listed(head: str, names: list[str]) -> str:
    return f"{head}{html.escape(', '.join(names))}" if names else ""
