"""The page of a walk-forward: every model beside every baseline, as it was out of sample."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from markupsafe import Markup

from fathom.ml.samples.labels import CLASSES
from fathom.ml.scores.bootstrap import LEAST_BLOCKS, Interval
from fathom.ml.scores.metrics import LOWER_IS_BETTER, NAMES
from fathom.ml.training.summary import Summary
from fathom.pages import Page, Section, Tile
from fathom.pages.charts import PALETTE, Chart, Curve
from fathom.pages.figures import svg
from fathom.pages.formats import UNDEFINED, duration, integer, number, tone, utc
from fathom.pages.tables import Cell, Row, table
from fathom.settings.whole_files import write_whole

_LABELS: Final = {
    "accuracy": ("Accuracy", 3),
    "balanced_accuracy": ("Balanced accuracy", 3),
    "direction_accuracy": ("Direction of moves", 3),
    "f1_macro": ("F1, macro", 3),
    "mcc": ("MCC", 3),
    "auc": ("AUC", 3),
    "log_loss": ("Log loss", 3),
    "brier": ("Brier", 3),
    "ece": ("ECE", 3),
    "confidence_ece": ("ECE of confidence", 3),
    "trades": ("Trades", 0),
    "hit_rate": ("Hit rate", 3),
    "net_bps_per_trade": ("Net bps a trade", 2),
    "net_bps_total": ("Net bps, all", 0),
    "sharpe": ("Sharpe, annualised", 1),
}
_WIDE: Final = (11.0, 3.8)
"""Inches of a figure that is as wide as the page."""

_COMPARED: Final = (
    "accuracy",
    "balanced_accuracy",
    "direction_accuracy",
    "mcc",
    "auc",
    "log_loss",
    "brier",
    "net_bps_per_trade",
    "net_bps_total",
    "sharpe",
)


def interval_text(interval: Interval, digits: int) -> str:
    """Return a value with its bounds.

    >>> interval_text(Interval(0.5, 0.4, 0.6), 2)
    '0.50 [0.40, 0.60]'
    """
    if not np.isfinite(interval.low):
        return number(interval.value, digits)
    return f"{number(interval.value, digits)} [{number(interval.low, digits)}, {number(interval.high, digits)}]"


def write_page(summary: Summary, path: Path) -> None:
    """Write the page; the file appears when it is whole."""
    write_whole(path, render(summary))


def render(summary: Summary) -> str:
    """Return the page as HTML."""
    run = summary.run
    samples = summary.models[0].samples
    sections = [
        Section(
            "scores",
            "Scores out of sample",
            _scores(summary),
            f"All test samples, stitched; {summary.level:.0%} intervals. Nets first, then baselines"
            + (", then an observer of the hidden state." if summary.of_kind("oracle") else "."),
        ),
        Section(
            "equity",
            "Net result of the implied policy",
            _equity(summary),
            "Cumulated bps after costs, one position at a time, no impact. " + _policy_text(summary),
        ),
    ]
    if summary.of_kind("net") and summary.of_kind("baseline"):
        sections.insert(
            1,
            Section(
                "differences",
                "Nets less baselines",
                _differences(summary),
                "Paired: both were resampled alike. Coloured where the interval excludes zero: green is better.",
            ),
        )
    sections += [
        Section("folds", "Fold by fold", _folds(summary), "Accuracy and net bps a trade on each test span."),
        Section("confusion", "Confusion", _confusions(summary), "Test samples: true class down, predicted across."),
        Section(
            "reliability",
            "Reliability",
            svg(lambda: _reliability(summary), "reliability", percent="", dates=False),
            "How often a class was right, by the probability that was said; on the diagonal is honest.",
        ),
        Section("classes", "By class", _by_class(summary), "Precision, recall and F1 of each class."),
    ]
    if any(history for model in summary.of_kind("net") for history in model.histories):
        sections.append(
            Section(
                "training",
                "Training",
                svg(lambda: _losses(summary), "losses", percent="", dates=False),
                "Loss of the validation span (cut from the training span) by epoch, a line a fold.",
            )
        )
    return Page(
        "Walk-forward",
        run.config.name,
        f"{', '.join(run.arrays.facts.instruments)}, tested {utc(int(samples.ts.min()), seconds=False)} to "
        f"{utc(int(samples.ts.max()), seconds=False)} UTC",
        tiles=_tiles(summary),
        facts=_facts(summary),
        warnings=_warnings(summary),
        sections=tuple(sections),
    ).render()


def _tiles(summary: Summary) -> tuple[Tile, ...]:
    lead = summary.models[0]
    level = summary.level
    rivals = [model for model in summary.of_kind("baseline") if model is not lead]
    accuracy, net = lead.stitched.interval("accuracy", level), lead.stitched.interval("net_bps_per_trade", level)
    tiles = [Tile(f"Accuracy, {lead.name}", number(accuracy.value, 3), _bounds(accuracy, 3))]
    if rivals:
        best = max(rivals, key=lambda model: model.stitched.values["accuracy"])
        gain = lead.stitched.difference(best.stitched, "accuracy", level)
        over = f"Accuracy over {best.name}"
        tiles.append(Tile(over, number(gain.value, 3, signed=True), _bounds(gain, 3), tone(gain.low, gain.high)))
    tiles.append(Tile("Net bps a trade", number(net.value, 2, signed=True), _bounds(net, 2), tone(net.low, net.high)))
    sharpe = lead.stitched.interval("sharpe", level)
    if np.isfinite(sharpe.value):
        tiles.append(Tile("Sharpe, annualised", number(sharpe.value, 1), _bounds(sharpe, 1)))
    share = summary.gain_share(lead)
    if share is not None:
        tiles.append(Tile("Share of the possible gain", number(share.value, 2), _bounds(share, 2)))
    tiles.append(
        Tile(
            "Leak check",
            summary.leak.verdict,
            f"{summary.leak.columns} inputs",
            {"passed": "good", "failed": "bad"}.get(summary.leak.verdict, ""),
        )
    )
    return tuple(tiles)


def _bounds(interval: Interval, digits: int) -> str:
    if not np.isfinite(interval.low):
        return "undefined: no trades" if not np.isfinite(interval.value) else "no interval"
    return f"{number(interval.low, digits)} to {number(interval.high, digits)}"


def _policy_text(summary: Summary) -> str:
    if summary.run.config.evaluation.policy == "class":
        return "A trade is what the likeliest class says."
    return "A trade is entered where the expected return exceeds the cost known at the time."


def _facts(summary: Summary) -> tuple[tuple[str, str], ...]:
    run = summary.run
    label, split = run.config.label, run.config.split
    threshold = "the cost of the trade" if label.threshold_bps is None else f"{label.threshold_bps:g} bps"
    shares = ", ".join(f"{name} {share:.1%}" for name, share in zip(CLASSES, run.samples.class_shares(), strict=True))
    block = summary.resampler.block * summary.resampler.bucket_ns / 1e9
    embargo = run.samples.reach_ns / 1e9 if split.embargo_secs is None else split.embargo_secs
    facts = [
        (
            "Label",
            f"{label.kind}, {label.horizon_secs:g} s ahead, against {threshold}; fee {label.fee_bps:g} bps a side",
        ),
        ("Samples", f"{integer(len(run.samples))} windows of {run.config.data.window} rows; {shares}"),
        ("Rows left out", _left_out(summary)),
        ("Inputs", f"{len(run.arrays.facts.schema)} features, dataset {run.arrays.facts.hash[:12]}"),
        ("Split", f"{split.kind}, {len(run.folds)} folds, embargo {embargo:g} s, validation {split.validation:.0%}"),
        (
            "Intervals",
            f"{summary.resampler.sentence(summary.level)} A block: {duration(block)}. Seed {run.config.seed}",
        ),
        ("Leak check", summary.leak.sentence()),
        ("Trials", f"{run.trials:,} different things were ever tried on these data"),
    ]
    if summary.optimum is not None:
        best = summary.optimum
        net = "no trade pays" if not best.net_bps else f"{best.net_bps:.2f} bps a trade"
        facts.append(
            (
                "Best possible",
                f"an observer of the hidden state: accuracy {best.accuracy:.3f} (commonest class {best.majority:.3f}), "
                f"direction {best.direction_accuracy:.3f}, {net}; expectations over all time",
            )
        )
    return tuple(facts)


def _left_out(summary: Summary) -> str:
    missing = summary.run.arrays.rows_without_value()
    if not missing:
        return "none: every row has every feature"
    named = ", ".join(f"{name} {integer(rows)}" for name, rows in list(missing.items())[:5])
    more = f", and {len(missing) - 5} more features" if len(missing) > 5 else ""
    return f"rows of {integer(len(summary.run.arrays.ts))} without a value, by feature: {named}{more}"


def _warnings(summary: Summary) -> tuple[str, ...]:
    found = []
    if not summary.leak.passed:
        found.append(f"{summary.leak.sentence()} Nothing below is worth anything.")
    elif summary.leak.warning:
        found.append(f"Leak check: {summary.leak.warning}")
    if summary.resampler.independent < LEAST_BLOCKS:
        found.append(summary.resampler.sentence(summary.level))
    return tuple(found)


def _scores(summary: Summary) -> Markup:
    rows: list[Row] = []
    own = {name: (name, 4) for name in summary.models[0].stitched.values if name not in NAMES}
    for name, (label, digits) in (_LABELS | own).items():
        cells: list[Cell | str] = [label]
        for model in summary.models:
            interval = model.stitched.interval(name, summary.level)
            text = number(interval.value, digits)
            cells.append(Cell(text, None, "", "" if text == UNDEFINED else _bounds(interval, digits)))
        rows.append(cells)
    shares = [summary.gain_share(model) for model in summary.models]
    if any(share is not None for share in shares):
        row: list[Cell | str] = ["Share of the oracle's gain"]
        row += [Cell(number(share.value, 2), None, "", _bounds(share, 2)) if share else "" for share in shares]
        rows.append(row)
    rows.append(["Fitting and predicting", *(duration(model.secs) for model in summary.models)])
    return table(["", *(model.name for model in summary.models)], rows, text_columns=(0,))


def _differences(summary: Summary) -> Markup:
    baselines = summary.of_kind("baseline")
    rows: list[Row] = []
    for model in summary.of_kind("net"):
        rows.append([f"{model.name} less"])
        for name in _COMPARED:
            label, digits = _LABELS[name]
            cells: list[Cell | str] = [label]
            for baseline in baselines:
                interval = model.stitched.difference(baseline.stitched, name, summary.level)
                style = ""
                if np.isfinite(interval.low) and interval.excludes(0.0):
                    better = (interval.value > 0.0) != (name in LOWER_IS_BETTER)
                    style = "pos" if better else "neg"
                text = number(interval.value, digits, signed=True)
                cells.append(Cell(text, None, style, "" if text == UNDEFINED else _bounds(interval, digits)))
            rows.append(cells)
    return table(["", *(baseline.name for baseline in baselines)], rows, text_columns=(0,))


def _equity(summary: Summary) -> Markup:
    curves = []
    for number_, model in enumerate(summary.models):
        taken = model.trades.taken
        if taken.any():
            times = model.samples.ts[taken]
            total = np.cumsum(model.trades.net_bps[taken])
            color = PALETTE[number_ % len(PALETTE)]
            curves.append(Curve(model.name, times, total, color, step=True))
    if not curves:
        return Markup('<p class="empty">No model entered a trade.</p>')
    return Chart("equity-chart", "Cumulated net result, bps", tuple(curves), height=320, unit=" bps", digits=1).html()


def _folds(summary: Summary) -> Markup:
    run = summary.run
    head = ["fold", "tested from", "train", "validation", "test"]
    head += [model.name for model in summary.models]
    rows: list[Row] = []
    for fold in run.folds:
        ts = run.samples.ts[fold.test]
        row: list[Cell | str] = [str(fold.number + 1), utc(int(ts.min()), seconds=False)]
        row += [integer(len(part)) for part in (fold.train, fold.validation, fold.test)]
        for model in summary.models:
            values = model.folds[fold.number].values
            net = number(values["net_bps_per_trade"], 2, signed=True)
            row.append(Cell(number(values["accuracy"], 3), None, "", "no trades" if net == UNDEFINED else f"{net} bps"))
        rows.append(row)
    return table(head, rows, text_columns=(1,), scroll=True)


def _confusions(summary: Summary) -> Markup:
    rows: list[Row] = []
    for model in summary.models:
        rows.append([model.name])
        matrix = model.stitched.confusion
        for number_, name in enumerate(CLASSES):
            total = max(int(matrix[number_].sum()), 1)
            cells = [Cell(integer(count), None, "", f"{count / total:.1%}") for count in matrix[number_].tolist()]
            rows.append([f"true {name}", *cells, integer(int(matrix[number_].sum()))])
    return table(["", *(f"said {name}" for name in CLASSES), "all"], rows, text_columns=(0,))


def _by_class(summary: Summary) -> Markup:
    rows: list[Row] = []
    for model in summary.models:
        values = model.stitched.values
        row: list[Cell | str] = [model.name]
        for name in CLASSES:
            row += [number(values[f"{kind}_{name.lower()}"], 3) for kind in ("precision", "recall", "f1")]
        rows.append(row)
    head = [f"{name} {kind}" for name in CLASSES for kind in ("precision", "recall", "F1")]
    return table(["", *head], rows, text_columns=(0,), scroll=True)


def _reliability(summary: Summary) -> Any:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=_WIDE)
    axes.plot([0.3, 1.0], [0.3, 1.0], color="#8b96a1", linewidth=1.0)
    for number_, model in enumerate(summary.models):
        if model.name == "persistence":
            continue  # it is always sure
        bins = model.stitched.reliability
        shown = bins[:, 0] > 0.002 * bins[:, 0].sum()
        axes.plot(
            bins[shown, 1], bins[shown, 2], marker="o", markersize=3.5, label=model.name,
            color=PALETTE[number_ % len(PALETTE)],
        )  # fmt: skip
    axes.set_xlabel("probability that was said")
    axes.set_ylabel("share that was right")
    return figure


def _losses(summary: Summary) -> Any:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=_WIDE)
    for number_, model in enumerate(summary.of_kind("net")):
        for fold, history in enumerate(model.histories):
            values = [row.get("validation_direction_loss", row.get("validation_loss", np.nan)) for row in history]
            label = model.name if fold == 0 else None
            axes.plot(range(1, len(values) + 1), values, color=PALETTE[number_ % len(PALETTE)], label=label, alpha=0.7)
    axes.set_xlabel("epoch")
    axes.set_ylabel("validation loss")
    return figure
