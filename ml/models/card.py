"""The card of a model: what it was made of, how it did beside its baselines, and what it must not be used for.

After M. Mitchell et al., "Model cards for model reporting", FAT* 2019, doi:10.1145/3287560.3287596. The card is made of
what is in the artifact, and can be made again from it.
"""

from collections.abc import Sequence
from typing import Any, Final

from markupsafe import Markup, escape

from fathom.ml.models.artifacts import CLASSES, Artifact
from fathom.pages import Page, Section, Tile
from fathom.pages.figures import svg
from fathom.pages.formats import duration, integer, number, utc
from fathom.pages.tables import Cell, Row, empty, table
from fathom.settings.times import DAY, SHORTEST_ANNUALISED
from fathom.settings.whole_files import write_whole

HTML: Final = "card.html"
MARKDOWN: Final = "card.md"

SHOWN: Final[tuple[tuple[str, str, int], ...]] = (
    ("accuracy", "accuracy", 3),
    ("balanced_accuracy", "balanced accuracy", 3),
    ("f1_macro", "macro F1", 3),
    ("mcc", "MCC", 3),
    ("auc", "AUC", 3),
    ("log_loss", "log loss", 3),
    ("brier", "Brier", 3),
    ("ece", "ECE", 3),
    ("trades", "trades", 0),
    ("net_bps_per_trade", "net bps a trade", 2),
    ("net_bps_total", "net bps in all", 1),
    ("sharpe", "Sharpe, annualised", 2),
)
"""Scores of the card: name, heading, digits."""

_MOST_INPUTS: Final = 15
_LIBRARIES: Final = ("torch", "onnxruntime")

type Scores = dict[str, list[float | None]]


def write_card(artifact: Artifact) -> None:
    """Write ``card.html`` and ``card.md`` into the directory of an artifact."""
    for name, text in ((HTML, html(artifact)), (MARKDOWN, markdown(artifact))):
        write_whole(artifact.path / name, text)


def limits(artifact: Artifact) -> list[str]:
    """Return in sentences what is known to limit a model: by its kind, and by its own numbers."""
    found, metrics, schema = [], artifact.metrics, artifact.schema
    spans = artifact.provenance.spans
    if "train" in spans:
        learned_ns = spans["train"][1] - spans["train"][0]
        if learned_ns < 30 * DAY:
            found.append(f"It has learned from {duration(learned_ns / 1e9)} of data: other regimes are unknown to it.")
    for name, scores in metrics.get("against", {}).items():
        _, low, high = scores["accuracy"]
        if low is not None and low <= 0.0:
            verdict = "is worse than" if high is not None and high < 0.0 else "does not beat"
            found.append(
                f"Out of sample its accuracy {verdict} the baseline {name} ({_interval(scores, 'accuracy', 3)})."
            )
    own = _own(artifact)
    if own:
        _, low, _ = own["net_bps_total"]
        if low is None or low <= 0.0:
            found.append(
                "The policy that it implies does not earn more than its costs beyond chance "
                f"({_interval(own, 'net_bps_total', 1)} bps in all)."
            )
    trials = metrics.get("trials_on_dataset", 0)
    if trials > 1:
        found.append(f"{trials:,} things were tried on these data: the best of many looks better than it is.")
    if not metrics.get("leak_check", {}).get("passed", True):
        found.append("The leak check found inputs that seem to know the future: do not use this model.")
    if "leak_check" not in metrics:
        found.append("No leak check was made of its inputs.")
    if warning := metrics.get("leak_check", {}).get("warning"):
        found.append(f"Leak check: {warning}")
    grid = f"{schema.window} vectors {schema.grid_ms} ms apart"
    found.append(f"It answers only for {grid} of exactly these inputs; other features are refused when it is loaded.")
    instruments = ", ".join(metrics.get("instruments", [])) or "the instruments of its data"
    found.append(f"It was tested on {instruments} and says nothing about others.")
    return found


def html(artifact: Artifact) -> str:
    """Return the card as a page."""
    made, metrics = artifact.provenance, artifact.metrics
    own = _own(artifact)
    served = metrics.get("latency", {}).get(made.served, {})
    tiles = (
        Tile("Accuracy, out of sample", _value(own, "accuracy", 3), _bounds(own, "accuracy", 3)),
        Tile("Net bps a trade", _value(own, "net_bps_per_trade", 2), _bounds(own, "net_bps_per_trade", 2)),
        Tile("ECE", _value(own, "ece", 3), "of the probability of the direction"),
        Tile("Latency, p50", f"{number(served.get('cpu_p50_ms'), 3)} ms", f"CPU time of one window, {made.served}"),
        Tile("Weights", integer(metrics.get("weights")), made.net),
    )
    sections = (
        Section("results", "Results on the held-out tail", _results(artifact), _results_note(artifact)),
        Section("calibration", "Calibration", _calibration(metrics), "Share of right answers by what was said."),
        Section("confusion", "Directions", _confusion(metrics), "True directions down, said ones across.", narrow=True),
        Section("training", "Training", _training(metrics), "Mean loss of the directions by epoch."),
        Section("importance", "Inputs", _importance(metrics), _importance_note(metrics), narrow=True),
        Section("latency", "Latency and export", _latency(artifact), _latency_note(metrics)),
        Section("limits", "Limits", _list(limits(artifact)), narrow=True),
    )
    subtitle = f"{', '.join(metrics.get('instruments', []))}; {artifact.schema.horizon_secs:g} s ahead"
    title = f"{artifact.name}, version {artifact.version}"
    return Page("Model card", title, subtitle, tiles, tuple(_facts(artifact)), sections=sections).render()


def markdown(artifact: Artifact) -> str:
    """Return the card as Markdown."""
    metrics = artifact.metrics
    lines = [f"# {artifact.name}, version {artifact.version}", ""]
    lines += [f"- **{name}**: {text}" for name, text in _facts(artifact)]
    lines += ["", "## Results on the held-out tail", "", _results_note(artifact), ""]
    shown = _shown(artifact)
    names = [heading for _, heading, _ in shown]
    lines += ["| model | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for name, entry in metrics.get("test", {}).items():
        values = [_value(entry["scores"], score, digits) for score, _, digits in shown]
        lines.append(f"| {name} | " + " | ".join(values) + " |")
    lines += ["", "## Calibration", ""]
    for name, key in (("direction", "reliability"), ("confidence", "confidence_reliability")):
        if key in metrics:
            lines.append(f"- expected calibration error of the {name}: {metrics[key]['error']:.4f}")
    if metrics.get("importance"):
        lines += ["", "## Inputs", "", _importance_note(metrics), "", "| input | loss | error |", "|---|---:|---:|"]
        lines += [f"| {e['name']} | {e['loss']:.4f} | {e['error']:.4f} |" for e in metrics["importance"][:_MOST_INPUTS]]
    lines += ["", "## Latency", "", _latency_note(metrics), ""]
    lines += ["| model | CPU p50 ms | p50 ms | p99 ms | rows/s |", "|---|---:|---:|---:|---:|"]
    for name, found in _timed(metrics):
        lines.append(
            f"| {name} | {found['cpu_p50_ms']:.3f} | {found['p50_ms']:.3f} | {found['p99_ms']:.3f} "
            f"| {found['rows_per_sec']:,.0f} |"
        )
    lines += ["", "## Limits", "", *(f"- {text}" for text in limits(artifact))]
    return "\n".join(lines) + "\n"


def _facts(artifact: Artifact) -> list[tuple[str, str]]:
    made, metrics, schema = artifact.provenance, artifact.metrics, artifact.schema
    label = ", ".join(f"{name} {value}" for name, value in schema.label.items())
    facts = [
        ("Net", f"{made.net} ({', '.join(f'{k} {v}' for k, v in made.parameters.items()) or 'its defaults'})"),
        ("Reads", f"{schema.window} vectors of {len(schema.features)} inputs, {schema.grid_ms} ms apart"),
        ("Says", f"{', '.join(CLASSES)} over {schema.horizon_secs:g} s; label: {label}"),
        ("Scaler", f"{artifact.scaler.kind}, of {artifact.scaler.vectors:,} vectors of the training span"),
    ]
    for name, (first, last) in made.spans.items():
        count = metrics.get("samples", {}).get(name)
        facts.append((name.capitalize(), f"{utc(first)} to {utc(last)} UTC, {integer(count)} samples"))
    facts += [
        ("Dataset", made.dataset_hash[:16] or "unknown"),
        ("Revision", made.git_revision[:16] or "unknown"),
        ("Seed", str(made.seed)),
        ("Temperature", f"{made.temperature:.3f}"),
        ("Trials", f"{metrics.get('trials_on_dataset', 0):,} different things tried on these data so far"),
        ("Leak check", metrics.get("leak_check", {}).get("verdict", "not checked")),
        (
            "Made",
            ", ".join(
                [made.created, *(f"{name} {made.versions[name]}" for name in _LIBRARIES if name in made.versions)]
            ),
        ),
    ]
    return facts


def _shown(artifact: Artifact) -> list[tuple[str, str, int]]:
    # A Sharpe ratio of a few days, annualised, is an extrapolation.
    first, last = artifact.provenance.spans.get("test", (0, 0))
    long = last - first >= SHORTEST_ANNUALISED
    return [entry for entry in SHOWN if long or entry[0] != "sharpe"]


def _own(artifact: Artifact) -> Scores:
    for entry in artifact.metrics.get("test", {}).values():
        if entry["kind"] == "net":
            scores: Scores = entry["scores"]
            return scores
    return {}


def _value(scores: Scores, name: str, digits: int) -> str:
    return number(scores[name][0], digits) if name in scores else number(None)


def _bounds(scores: Scores, name: str, digits: int) -> str:
    if name not in scores or None in scores[name][1:]:
        return ""
    return f"{number(scores[name][1], digits)} to {number(scores[name][2], digits)}"


def _interval(scores: Scores, name: str, digits: int) -> str:
    return f"{_value(scores, name, digits)}; {_bounds(scores, name, digits) or 'no interval'}"


def _results(artifact: Artifact) -> Markup:
    models = artifact.metrics.get("test", {})
    if not models:
        return empty("No results are kept.")
    rows: list[Row] = [
        [
            heading,
            *(
                Cell(_value(entry["scores"], score, digits), why=_bounds(entry["scores"], score, digits))
                for entry in models.values()
            ),
        ]
        for score, heading, digits in _shown(artifact)
    ]
    return table(["score", *models], rows)


def _results_note(artifact: Artifact) -> str:
    metrics = artifact.metrics
    shares = ", ".join(
        f"{name} {100.0 * share:.1f} %"
        for name, share in zip(CLASSES, metrics.get("test_class_shares", ()), strict=False)
    )
    level = 100.0 * metrics.get("level", 0.95)
    return (
        f"{integer(metrics.get('test_samples'))} samples ({shares}), after the purged training span; below each score "
        f"its {level:g} % block-bootstrap interval. The money: every BUY and SELL is traded, after fees and spread."
    )


def _calibration(metrics: dict[str, Any]) -> Markup:
    known = [
        (name, metrics[key])
        for name, key in (("direction", "reliability"), ("confidence", "confidence_reliability"))
        if key in metrics
    ]
    if not known:
        return empty("Calibration was not measured.")

    def draw() -> Any:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.6, 3.1))
        axes = figure.subplots()
        axes.plot((0.0, 1.0), (0.0, 1.0), color="#808080", linestyle=":")
        for name, found in known:
            axes.plot(found["said"], found["right"], marker="o", label=f"{name}, ECE {found['error']:.3f}")
        axes.set_xlabel("said")
        axes.set_ylabel("right")
        return figure

    return svg(draw, "reliability", percent="", dates=False)


def _confusion(metrics: dict[str, Any]) -> Markup:
    for entry in metrics.get("test", {}).values():
        if entry["kind"] == "net":
            rows: list[Row] = [
                [name, *(Cell(f"{count:,}", float(count)) for count in counts)]
                for name, counts in zip(CLASSES, entry["confusion"], strict=True)
            ]
            return table(["true", *CLASSES], rows)
    return empty("No directions are kept.")


def _training(metrics: dict[str, Any]) -> Markup:
    history = metrics.get("history", [])
    if not history:
        return empty("No epochs are kept.")

    def draw() -> Any:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.6, 3.1))
        axes = figure.subplots()
        epochs = [row["epoch"] + 1 for row in history]
        for name in ("train", "validation"):
            axes.plot(epochs, [row[f"{name}_direction_loss"] for row in history], marker=".", label=name)
        axes.axvline(metrics["best_epoch"] + 1, color="#808080", linestyle=":")
        axes.set_xlabel("epoch; the dotted one's weights are kept")
        return figure

    return svg(draw, "training", percent="", dates=False)


def _importance(metrics: dict[str, Any]) -> Markup:
    if not metrics.get("importance"):
        return empty("Importance was not measured.")
    shown = metrics["importance"][:_MOST_INPUTS]
    return table(
        ["input", "loss", "error"],
        [[e["name"], Cell(number(e["loss"], 4), e["loss"]), Cell(number(e["error"], 4), e["error"])] for e in shown],
    )


def _importance_note(metrics: dict[str, Any]) -> str:
    return (
        f"Rise of the log loss when an input comes from another of {metrics.get('importance_windows', 0)} held-out "
        f"windows, and its standard error; groups first, then the first inputs of {len(metrics.get('importance', []))}."
    )


def _timed(metrics: dict[str, Any]) -> list[tuple[str, dict[str, float]]]:
    latency = metrics.get("latency", {})
    return [(name, latency[name]) for name in ("float32", "int8") if name in latency]


def _latency(artifact: Artifact) -> Markup:
    rows: list[Row] = [
        [
            name,
            *(Cell(number(found[key], 3), found[key]) for key in ("cpu_p50_ms", "p50_ms", "p99_ms")),
            Cell(integer(found["rows_per_sec"]), found["rows_per_sec"]),
        ]
        for name, found in _timed(artifact.metrics)
    ]
    export = artifact.metrics.get("export", {})
    difference, windows = export.get("torch_difference", float("nan")), export.get("windows", 0)
    text = f"ONNX and torch differ by {difference:.1g} at most, on {windows} real windows."
    if "f1_int8" in export:
        kept = "" if artifact.has_int8 else " It is not kept."
        text += (
            f" Macro F1 of float32 {export['f1_float32']:.4f}, of int8 {export['f1_int8']:.4f}; they agree on "
            f"{100.0 * export['int8_agreement']:.1f} % of the directions.{kept}"
        )
    head = ["model", "CPU p50, ms", "p50, ms", "p99, ms", "windows/s"]
    return table(head, rows) + Markup("<p>{}</p>").format(f"{text} {artifact.provenance.served} answers.")


def _latency_note(metrics: dict[str, Any]) -> str:
    return f"One window at a time, in one thread ({metrics.get('latency', {}).get('machine', 'machine unknown')})."


def _list(texts: Sequence[str]) -> Markup:
    return (
        Markup("<ul>") + Markup("").join(Markup("<li>{}</li>").format(escape(text)) for text in texts) + Markup("</ul>")
    )
