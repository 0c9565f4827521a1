"""Alerts with everything that a test does not care about filled in."""

from typing import Any

from fathom.data_catalog.messages.detections import ManipulationAlert


def alert(instrument_id: str, ts_ns: int, **fields: Any) -> ManipulationAlert:
    """Return an alert of spoofing on the bid side, known and published at `ts_ns`, but for `fields`."""
    usual: dict[str, Any] = {
        "kind": "SPOOFING", "side": "BUY", "confidence": 0.9, "price_low": 1.0, "price_high": 1.0, "size": 1.0,
        "distance_ticks": 1, "levels": 1, "size_ratio": 1.0, "benefit": 0.0, "recurrence": 0.0, "life_low_ms": 1.0,
        "life_high_ms": 2.0, "series": 1, "trace_id": f"at {ts_ns}",
    }  # fmt: skip
    return ManipulationAlert(instrument_id=instrument_id, ts_event=ts_ns, ts_init=ts_ns, **usual | fields)
