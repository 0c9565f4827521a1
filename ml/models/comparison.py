"""Two artifacts side by side, and whether they may be compared at all."""

from typing import Any

from fathom.ml.models.artifacts import Artifact
from fathom.ml.models.card import SHOWN


def compared(first: Artifact, second: Artifact) -> dict[str, Any]:
    """Return rows of figures (name, first, second) and notes on what makes them incomparable.

    Parameters
    ----------
    first, second : Artifact
    """
    sides = (first, second)
    own = [_own(side) for side in sides]
    rows = [
        ["net", *(side.provenance.net for side in sides)],
        ["created", *(side.provenance.created for side in sides)],
        ["inputs", *(str(len(side.schema.features)) for side in sides)],
        ["horizon, s", *(f"{side.schema.horizon_secs:g}" for side in sides)],
        ["test samples", *(f"{side.metrics.get('test_samples', 0):,}" for side in sides)],
    ]
    rows += [[heading, *(_score(scores, name, digits) for scores in own)] for name, heading, digits in SHOWN]
    for key, heading in (("cpu_p50_ms", "CPU p50, ms"), ("p99_ms", "p99, ms")):
        rows.append([heading, *(_latency(side, key) for side in sides)])
    notes = [f"schema: {difference}" for difference in first.schema.differences(second.schema)]
    if first.provenance.dataset_hash != second.provenance.dataset_hash:
        notes.append("they were trained on different data; their figures are not comparable")
    elif first.provenance.spans.get("test") != second.provenance.spans.get("test"):
        notes.append("they were tested on different spans; their figures are not comparable")
    return {"figures": rows, "notes": notes}


def _own(side: Artifact) -> dict[str, list[float | None]]:
    for entry in side.metrics.get("test", {}).values():
        if entry["kind"] == "net":
            found: dict[str, list[float | None]] = entry["scores"]
            return found
    return {}


def _score(scores: dict[str, list[float | None]], name: str, digits: int) -> str:
    if name not in scores or scores[name][0] is None:
        return "-"
    value, low, high = scores[name]
    bounds = "" if low is None or high is None else f" ({low:.{digits}f} to {high:.{digits}f})"
    return f"{value:.{digits}f}{bounds}"


def _latency(side: Artifact, key: str) -> str:
    found = side.metrics.get("latency", {}).get(side.provenance.served, {}).get(key)
    return "-" if found is None else f"{found:.3f} ({side.provenance.served})"
