"""The page of the detectors' benchmark: curves, recall by what was done, honest look-alikes, calibration."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from fathom.pages import Page, Section, Tile
from fathom.pages.charts import AMBER, BAD, BLUE
from fathom.pages.figures import SIZE, svg
from fathom.pages.formats import UNDEFINED, integer, number, percent, significant
from fathom.pages.tables import Cell, empty, table
from fathom.settings.whole_files import write_whole
from fathom.studies.benchmark.report import KindResult, Point, Result

_COLORS: Final = {"detector": BLUE, "textbook": AMBER, "size_only": BAD}
_FEWEST: Final = 6
"""Seeds a report needs at least."""
_NAMES: Final = {"detector": "the detector", "textbook": "textbook rule", "size_only": "size only"}


def write_page(path: Path, results: Sequence[Result], budget: float) -> None:
    """Write the page of a benchmark."""
    write_whole(path, render(results, budget))


def render(results: Sequence[Result], budget: float) -> str:
    """Return the page as HTML."""
    tiles = []
    for result in results:
        recall = result.pooled_recall[0]
        tone = "good" if recall >= 0.7 else "bad"
        tiles.append(Tile(result.family, percent(recall, 1), "recall of spoofing and layering at the budget", tone))
    facts = (
        ("Episodes counted", "those that carry benefit or recurrence and show in the feed, unless said otherwise"),
        ("Budget", f"{budget:g} false alerts an hour an instrument, counted on the untouched stream, all detectors"),
        ("Tuned and reported", "on other instruments and other seeds; see each table"),
        ("Baselines", "textbook: a level gone within 200 ms, by its size; size only: how rare the size is there"),
    )
    sections: list[Section] = []
    for number_, result in enumerate(results):
        anchor = f"r{number_}"
        sections.append(Section(anchor, result.family, _summary(result, budget), _note(result)))
        sections += [
            Section(
                f"{anchor}-{kind.kind}",
                f"{result.family}: {kind.kind.replace('_', ' ')}",
                _kind(kind, f"{anchor}-{kind.kind}"),
                f"{kind.episodes} episodes that carry benefit or recurrence, {kind.episodes_all} that show",
            )
            for kind in result.kinds
        ]
    least = min((len(result.reported_on) for result in results), default=0)
    quick = () if least >= _FEWEST else (
        f"Reported on {least} seeds: this shows that the benchmark works, and proves nothing.",
    )  # fmt: skip
    warnings = (
        *quick,
        "The recorded streams are a few minutes long: at 60 an hour only a handful of false alerts decide, so that "
        "figures at the budget are coarse.",
        "Injected manipulation changes nothing in the market: nobody reacts to it, other than to a real one.",
    )
    return Page(
        "Benchmark of the manipulation detectors",
        "Spoofing, layering, quote stuffing",
        "known manipulation in recorded and simulated streams",
        tiles=tuple(tiles),
        facts=facts,
        warnings=warnings,
        sections=tuple(sections),
        footer="fathom detect benchmark",
    ).render()


def _note(result: Result) -> str:
    on = result.reported_on
    return (
        f"Tuned on {', '.join(result.tuned_on)}; reported on {on[0]} to {on[-1]}, {result.hours:.2f} h with actors. "
        "At the budget: the lowest threshold that keeps it on the reported instrument itself. As tuned: the threshold "
        "that keeps it on what was tuned on. At its strictest: where even the highest threshold exceeds the budget."
    )


def _summary(result: Result, budget: float) -> Markup:
    rows: list[Any] = []
    for kind in result.kinds:
        rows.append([kind.kind.replace("_", " ")])
        points = [
            ("detector, at the budget", kind.at_budget, "detector"),
            ("detector, as tuned", kind.carried, "detector"),
        ]
        for name, point in kind.baselines.items():
            reaches = point.false_per_hour <= budget
            points.append((f"{_NAMES[name]}, at {'the budget' if reaches else 'its strictest'}", point, name))
        rows += [_point(label, point, kind.areas[name]) for label, point, name in points]
    head = (
        "method",
        "threshold",
        "false / h",
        "precision",
        "recall",
        "of all",
        "PR area",
        "honest flagged",
        "of",
        "delay ms",
        "90 %",
    )
    return table(head, rows, text_columns=(0,), scroll=True)


def _point(label: str, point: Point, area: float) -> list[Cell | str]:
    flagged, every = point.honest_large
    return [
        label,
        significant(point.threshold, 3),
        number(point.false_per_hour, 1),
        percent(point.precision, 1),
        percent(point.recall, 1),
        percent(point.recall_all, 1),
        number(area, 4),
        percent(flagged),
        integer(every),
        number(point.delay_ms[0], 0),
        number(point.delay_ms[1], 0),
    ]


def _kind(kind: KindResult, anchor: str) -> Markup:
    parts = [
        Markup("<h3>Precision over recall</h3>"),
        svg(lambda: _curves(kind), f"{anchor}-pr", percent="", dates=False),
        Markup("<h3>Recall over false alerts an hour on the untouched stream</h3>"),
        svg(lambda: _alerts(kind), f"{anchor}-fa", percent="", dates=False),
    ]
    for name, cells in kind.tables.items():
        parts.append(Markup("<h3>Found by {}, threshold as tuned</h3>").format(name))
        rows = [[cell, percent(hit / every, 0), f"{hit} of {every}"] for cell, (hit, every) in cells.items() if every]
        parts.append(table((name, "recall", "episodes"), rows, text_columns=(0,)) if rows else empty("No episodes."))
    parts.append(Markup("<h3>Honest actors that raised an alert, threshold as tuned</h3>"))
    rows = [
        [name.replace("_", " "), percent(hit / every, 1) if every else UNDEFINED, f"{hit} of {every}"]
        for name, (hit, every) in kind.carried.honest.items()
    ]
    parts.append(table(("actor", "share", "episodes"), rows, text_columns=(0,)) if rows else empty("None."))
    parts.append(Markup("<h3>Confidence, and how often it was manipulation</h3>"))
    rows = [[f"{said:.3f}", f"{true:.3f}", integer(of)] for said, true, of in kind.reliability]
    parts.append(table(("confidence, mean of the bin", "share of manipulation", "candidates"), rows))
    return Markup("\n").join(parts)


def _curves(kind: KindResult) -> Any:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=SIZE)
    for name, found in kind.curves.items():
        points = [(r, p) for r, p in zip(found["recall"], found["precision"], strict=True) if math.isfinite(p)]
        points.sort()
        label = f"{_NAMES[name]} (area {kind.areas[name]:.3f})"
        axes.plot([r for r, _ in points], [p for _, p in points], color=_COLORS[name], label=label)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    return figure


def _alerts(kind: KindResult) -> Any:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=SIZE)
    for name, found in kind.curves.items():
        points = sorted(zip(found["false_per_hour"], found["recall"], strict=True))
        axes.plot([max(1.0, f) for f, _ in points], [r for _, r in points], color=_COLORS[name], label=_NAMES[name])
    axes.set_xscale("log")
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("false alerts an hour (1 = at most one)")
    axes.set_ylabel("recall")
    return figure
