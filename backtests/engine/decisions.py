"""The journal of a run, completed with what only its accounts know: the mid on arrival, and what ended with the run."""

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

AT_THE_END: Final = "closed when the run ended"


def completed(decisions: pa.Table, tables: Mapping[str, pa.Table]) -> pa.Table:
    """Return the table `decisions` with `arrival_mid`, and with the positions that the end of the run closed.

    Parameters
    ----------
    decisions
        As the strategies kept it (`strategies.trading.journal.Decision`), in any order; it is returned in order of
        time.
    tables
        `orders`, `fills` and `positions` of the run (see `fathom.backtests.setup.run_files.SCHEMAS`).
    """
    decisions = decisions.sort_by([("ts", "ascending"), ("signal_id", "ascending")])
    mids = dict(zip(*(tables["orders"][name].to_pylist() for name in ("client_order_id", "arrival_mid")), strict=True))
    trips = dict(zip(*(tables["fills"][name].to_pylist() for name in ("client_order_id", "position")), strict=True))
    positions = {row["position"]: row for row in tables["positions"].to_pylist()}
    rows = decisions.to_pylist()
    for row in rows:
        if row["order_id"]:
            mid = mids.get(row["order_id"])
            row["arrival_mid"] = float("nan") if mid is None else mid
        trip = positions.get(trips.get(row["order_id"], -1))
        if trip is not None and trip["ts_closed"] is not None:
            _close(row, trip)
    return pa.Table.from_pylist(rows, schema=decisions.schema)


def _close(row: dict[str, Any], trip: dict[str, Any]) -> None:
    # The accounts know better: a strategy that has stopped hears of no more fills, and its clock stands still.
    if row["stage"] == "filled":
        row["stage"], row["reason"] = "closed", AT_THE_END
    row["ts_closed"], row["exit_role"], row["exit_price"] = trip["ts_closed"], trip["exit_role"], trip["avg_px_close"]
    row["fees"], row["pnl"] = -trip["pnl_fees"], trip["pnl_net"]
