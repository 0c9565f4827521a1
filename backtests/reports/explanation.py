"""One decision of a run, told from the features to the result: what was known, what was said, what was done."""

import tomllib
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow.compute as pc

from fathom.backtests.setup.run_files import RunFiles
from fathom.ml.models.artifacts import ArtifactError, load_artifact
from fathom.pages.formats import precise_utc
from fathom.settings.errors import FathomError
from fathom.settings.nearest import did_you_mean

MOST_FEATURES: Final = 12
"""Features that are told: those farthest from their mean in the training data."""

_SIDES: Final = {1: "up", -1: "down", 0: "HOLD"}


class Part(NamedTuple):
    """One chapter: its title, and its facts as (label, text).

    Examples
    --------
    >>> Part("Result", (("Net", "+1.00"),)).title
    'Result'
    """

    title: str
    facts: tuple[tuple[str, str], ...]


class UnknownSignalError(FathomError, ValueError):
    """A run has no such signal."""


def signals_of(files: RunFiles) -> list[dict[str, Any]]:
    """Return the signals of a run, one dict a row of `decisions.parquet`, in order of time.

    Raises
    ------
    UnknownSignalError
        Its strategies kept no journal.
    """
    table = files.kept_table("decisions")
    if table is None:
        raise UnknownSignalError(
            f"Expected decisions.parquet in {files.path}, was none: no strategy of this run kept a journal."
        )
    rows: list[dict[str, Any]] = table.filter(pc.field("stage") != "error").to_pylist()
    return rows


def facts_of(files: RunFiles, signal_id: str) -> dict[str, Any]:
    """Return all that a run knows of a signal, as plain data: the rows of its tables, and the settings that decided.

    Raises
    ------
    UnknownSignalError
        There is no such signal; the nearest name is told.
    """
    rows = signals_of(files)
    row = next((row for row in rows if row["signal_id"] == signal_id), None)
    if row is None:
        names = [row["signal_id"] for row in rows]
        hint = did_you_mean(signal_id, names) or f" It has {len(names)} signals."
        raise UnknownSignalError(f"Expected the id of a signal of {files.run_id}, was '{signal_id}'.{hint}")
    config = tomllib.loads(files.config_text())
    found: dict[str, Any] = {"decision": row, "validation": _validation_settings(config)}
    for name in ("orders", "fills", "positions"):
        table = files.table(name)
        found[name] = table.filter(pc.field("signal_id") == signal_id).to_pylist()
    found["predictions"] = _rows(files, "predictions", "signal_id", signal_id)
    found["alert"] = next(iter(_rows(files, "alerts", "trace_id", row["alert_trace_id"])), None)
    found["features"], found["features_missing"] = _features(found)
    found["votes"] = [row for row in rows if row["reason"].endswith(f": elected {signal_id}")]
    return found


def parts_of(facts: dict[str, Any], currency: str) -> list[Part]:
    """Return the story of a signal from `facts_of`."""
    row = facts["decision"]
    parts = [_signal(row)]
    if facts["features"]:
        parts.append(_told_features(facts["features"], facts["predictions"][0]))
    elif facts["features_missing"]:
        parts.append(Part("Features", (("Not told", facts["features_missing"]),)))
    if row["ts_validated"] is not None or row["ended"] == "validation":
        parts += [*_predictions(facts), _blending(row, facts["validation"])]
    if facts["votes"]:
        voters = tuple((f"{vote['signal_id']} ({vote['source']})", vote["reason"]) for vote in facts["votes"])
        parts.append(Part("Elected by the vote of", voters))
    if row["filter"] not in ("", "off"):
        parts.append(_filter(row, facts["alert"]))
    if row["risk"]:
        parts.append(_risk(row))
    if facts["orders"]:
        parts.append(_orders(facts))
    parts.append(_result(row, currency))
    return parts


def _rows(files: RunFiles, name: str, column: str, value: str) -> list[dict[str, Any]]:
    table = files.kept_table(name)
    if table is None or not value:
        return []
    rows: list[dict[str, Any]] = table.filter(pc.field(column) == value).to_pylist()
    return rows


def _validation_settings(config: dict[str, Any]) -> dict[str, Any]:
    actors = [actor for actor in config.get("actors", []) if "blending" in actor.get("parameters", {})]
    return dict(actors[0]["parameters"]) if actors else {}


def _features(facts: dict[str, Any]) -> tuple[list[tuple[str, float, float]], str]:
    # Name, value, and distance from the mean of the training data in its standard deviations; or why not.
    rows = [row for row in facts["predictions"] if row["role"] == "champion" and row["vector"]]
    if not rows:
        return [], ""
    model, known = facts["validation"].get("model"), rows[0]["model_version"]
    if not model:
        return [], f"the names of its {len(rows[0]['vector'])} features are with the server of {known}"
    try:
        artifact = load_artifact(Path(model))
    except ArtifactError as error:
        return [], f"{error} (a relative path counts from where fathom is called)"
    if known != f"{artifact.name}:{artifact.version}":
        return [], f"Expected {known} in {model}, was {artifact.name}:{artifact.version}"
    scaled = artifact.scaler.apply(np.array(rows[0]["vector"]).reshape(1, -1)).ravel()
    names = artifact.schema.features.names
    return list(zip(names, rows[0]["vector"], scaled.tolist(), strict=True)), ""


def _signal(row: dict[str, Any]) -> Part:
    facts = [
        ("Strategy", f"{row['strategy']} ({row['source']}) in {row['instrument']}"),
        ("Time", f"{_utc(row['ts'])} on the price {row['decision_price']:g}"),
        ("Opinion", f"{row['side']} with strength {row['strength']:.3f}"),
        ("Bracket", f"entry {row['entry']:g}, stop {row['stop']:g}, target {row['target']:g}"),
    ]
    moved = [
        f"{what} {row[what]:g} to {row[f'placed_{what}']:g}"
        for what in ("stop", "target")
        if row[f"placed_{what}"] == row[f"placed_{what}"] and row[f"placed_{what}"] != row[what]
    ]
    if moved:
        facts.append(("Levels moved", ", ".join(moved)))
    return Part(f"Signal {row['signal_id']}", tuple(facts))


def _told_features(features: list[tuple[str, float, float]], prediction: dict[str, Any]) -> Part:
    farthest = sorted(features, key=lambda item: -abs(item[2]))[:MOST_FEATURES]
    facts = [(name, f"{value:g} ({scaled:+.2f} standard deviations)") for name, value, scaled in farthest]
    return Part(
        f"Features at {prediction['window_end']}: the farthest of {len(features)} from their mean", tuple(facts)
    )


def _predictions(facts: dict[str, Any]) -> list[Part]:
    parts = []
    for row in facts["predictions"]:
        known = [("Model", row["model_version"] or "not known")]
        if row["error"]:
            known.append(("No answer", f"{row['error']} (circuit breaker {row['breaker'].lower()})"))
        else:
            known += [
                ("Says", f"{_SIDES[row['direction']]} with confidence {row['confidence']:.3f}"),
                ("Probabilities", f"HOLD {row['p_hold']:.3f}, BUY {row['p_buy']:.3f}, SELL {row['p_sell']:.3f}"),
                ("Expected return", f"{row['expected_return_bps']:+.2f} bps"),
            ]
        known.append(("Charged", f"{row['inference_ms']:g} ms to the clock"))
        shadow = "" if row["answered"] else ", in shadow"
        parts.append(Part(f"Prediction of the {row['role']}{shadow}", tuple(known)))
    return parts


def _blending(row: dict[str, Any], settings: dict[str, Any]) -> Part:
    if row["ts_validated"] is None:
        return Part("Validation", (("Verdict", row["reason"]),))
    facts = []
    if row["fallback"]:
        facts.append(("Fallback", f"{row['fallback']} answered with confidence {row['confidence']:.3f}"))
    blending = settings.get("blending")
    if blending:
        counted = row["confidence"] if row["aligned"] else row["confidence"] / 2.0
        how = f"{row['confidence']:.3f}" if row["aligned"] else f"{row['confidence']:.3f} / 2, as it disagrees,"
        ours, models = blending["strategy_weight"], blending["ml_weight"]
        total = ours * row["strength"] + models * counted
        text = f"{ours:g} x {row['strength']:.3f} (strength) + {models:g} x {how} (confidence) = {total:.3f}"
        facts.append(("Arithmetic", text))
    facts.append(("Verdict", row["validation"]))
    return Part("Validation", tuple(facts))


def _filter(row: dict[str, Any], alert: dict[str, Any] | None) -> Part:
    facts = [("Verdict", f"{row['filter']}: {row['filter_reason']}")]
    if alert is not None:
        orders = {"BUY": "fake bids", "SELL": "fake asks"}.get(alert["side"], "no side")
        facts.append(
            (
                f"Alert {alert['trace_id']}",
                f"{alert['kind']} ({orders}) at {_utc(alert['ts_event'])}, confidence {alert['confidence']:.3f}, size "
                f"{alert['size']:g} from {alert['price_low']:g} to {alert['price_high']:g}",
            )
        )
    return Part("Manipulation filter", tuple(facts))


def _risk(row: dict[str, Any]) -> Part:
    text = f"{row['risk']}: {row['risk_reason']}" if row["risk_reason"] else row["risk"]
    facts = [("Verdict", text)]
    if row["weight"] == row["weight"]:
        facts.append(("Confidence for the size", f"{row['weight']:.3f}"))
    return Part("Risk gate", tuple(facts))


def _orders(facts: dict[str, Any]) -> Part:
    told = []
    for order in facts["orders"]:
        price = next((order[name] for name in ("price", "trigger_price") if order[name] is not None), None)
        at = f" at {price:g}" if price is not None else ""
        why = f" ({order['reason']})" if order["reason"] else ""
        text = f"{order['side']} {order['quantity']:g} {order['type']}{at}, sent {_utc(order['ts_init'])}"
        told.append(
            (f"{order['role'].capitalize()} {order['client_order_id']}", f"{text}: {order['status'].lower()}{why}")
        )
        told += [
            ("  fill", _fill(fill)) for fill in facts["fills"] if fill["client_order_id"] == order["client_order_id"]
        ]
    return Part("Orders and fills", tuple(told))


def _fill(fill: dict[str, Any]) -> str:
    return (
        f"{fill['quantity']:g} at {fill['price']:g} as {fill['liquidity'].lower()}, {_utc(fill['ts_event'])}; "
        f"fee {fill['commission']:g}, slippage {fill['slippage_bps']:+.2f} bps"
    )


def _utc(time: Any) -> str:
    return precise_utc(int(time.value))


def _result(row: dict[str, Any], currency: str) -> Part:
    if row["stage"] == "closed":
        facts = [
            ("Ended by", f"{row['exit_role']} at {row['exit_price']:g}, {_utc(row['ts_closed'])}"),
            ("Slippage", f"{row['slippage_bps']:+.2f} bps against the price of the decision"),
            ("Fees", f"{row['fees']:.2f} {currency}"),
            ("Net", f"{row['pnl']:+.2f} {currency}"),
        ]
    elif row["ended"]:
        facts = [("Not traded", f"{row['ended']}: {row['reason']}")]
    else:
        facts = [("Came to", f"{row['stage']} {row['reason']}".strip())]
    return Part("Result", tuple(facts))
