"""What went wrong or was replaced in a run, in sentences: fallbacks, failing models, failing policies, lost answers."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

_LONGEST = 200


def notes_of(tables: Mapping[str, pa.Table]) -> list[str]:
    """Return the notes that the tables of strategies and actors call for, the gravest first.

    Parameters
    ----------
    tables
        `decisions` and `predictions`, where there are any.

    Examples
    --------
    >>> from fathom.strategies.trading.journal import Decision, decision_table
    >>> row = Decision(ts=1, instrument="A.B", strategy="Mine-B", stage="error", ended="policy", reason="KeyError: 'x'")
    >>> notes_of({"decisions": decision_table([row])})
    ["The policy of Mine-B failed once (KeyError: 'x')."]
    """
    notes = []
    if "decisions" in tables:
        decisions = tables["decisions"].to_pylist()
        notes += _failures(decisions)
        notes += _fallbacks(decisions)
        notes += _unanswered(decisions)
    if "predictions" in tables:
        notes += _challengers(tables["predictions"].to_pylist())
    return notes


def _failures(decisions: list[dict[str, Any]]) -> list[str]:
    notes = []
    errors = [row for row in decisions if row["stage"] == "error"]
    for strategy in sorted({row["strategy"] for row in errors}):
        mine = [row["reason"] for row in errors if row["strategy"] == strategy]
        halted = " and then halted itself" if "; halted after" in mine[-1] else ""
        first = _short(mine[0].partition("; halted after")[0])
        notes.append(f"The policy of {strategy} failed {_times(len(mine))}{halted} ({first}).")
    flawed = Counter(row["strategy"] for row in decisions if row["ended"] == "policy" and row["stage"] == "signal")
    notes += [f"{strategy} proposed {count} signals that make no sense." for strategy, count in sorted(flawed.items())]
    return notes


def _fallbacks(decisions: list[dict[str, Any]]) -> list[str]:
    answered = [row for row in decisions if row["ts_validated"] is not None]
    replaced = [row for row in answered if row["fallback"]]
    notes = []
    for name in sorted({row["fallback"] for row in replaced}):
        mine = [row for row in replaced if row["fallback"] == name]
        passed = sum(row["ended"] != "validation" for row in mine)
        reasons = Counter(row["validation"].rpartition("; ")[0] for row in mine)
        why = "; ".join(f"{count} x {_short(reason)}" for reason, count in reasons.most_common(3))
        notes.append(
            f"The model did not answer {len(mine)} of {len(answered)} signals; the fallback {name} did, and let "
            f"{passed} pass ({why})."
        )
    return notes


def _unanswered(decisions: list[dict[str, Any]]) -> list[str]:
    lost = [row for row in decisions if row["ended"] == "validation" and row["ts_validated"] is None]
    if not lost:
        return []
    why = Counter(row["reason"] for row in lost).most_common(1)[0][0]
    return [f"{len(lost)} signals got no answer from a validator and were refused ({_short(why)})."]


def _challengers(predictions: list[dict[str, Any]]) -> list[str]:
    asked = [row for row in predictions if row["role"] == "challenger"]
    failed = [row["error"] for row in asked if row["error"]]
    if not failed:
        return []
    why = Counter(failed).most_common(1)[0][0]
    return [f"The challenger did not answer {len(failed)} of {len(asked)} times ({_short(why)})."]


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
