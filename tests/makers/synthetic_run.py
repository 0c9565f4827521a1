"""Run directories made up for the tests of the pages: a random price, random round trips and a plain ledger of them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fathom.backtests.setup.run_files import RunFiles, dump_json, to_table, write_table
from fathom.settings.whole_files import write_whole

SECOND = 10**9
START = 1_723_161_256 * SECOND  # 2024-08-08 23:54:16 UTC
CAPITAL = 10_000.0
CONFIG = """name = "synthetic"

[data]
types = ["book", "trades"]

[venue]
leverage = 10.0
stale_book_secs = 10.0

[venue.fees]
maker = 0.0002
taker = 0.00055

[venue.latency]
base_ms = 20.0
insert_ms = 0.0
update_ms = 0.0
cancel_ms = 5.0

[venue.fill]
queue_position = true
liquidity_consumption = true
limit_probability = 1.0

[venue.liquidation]
enabled = true
"""
FEES = {"MAKER": 0.0002, "TAKER": 0.00055}


def make_run(
    folder: Path,
    *,
    span_secs: int,
    grid_secs: int,
    trips: int,
    instruments: tuple[str, ...] = ("BTCUSDT-LINEAR.BYBIT",),
    seed: int = 1,
    config: str = CONFIG,
    start_ns: int = START,
    drift: float = 0.0,
    leave_open: bool = False,
    capital: float = CAPITAL,
    title: str = "synthetic",
) -> RunFiles:
    """Write a run of `trips` round trips in each instrument; slippage is drawn, funding is one payment a trip."""
    rng = np.random.default_rng(seed)
    times = start_ns + np.arange(0, span_secs + 1, grid_secs, dtype=np.int64) * SECOND
    count = times.size
    tables: dict[str, dict[str, list[Any]]] = {name: {} for name in ("orders", "fills", "positions", "prices")}
    parts = {name: np.zeros(count) for name in ("price", "fees", "funding", "slippage")}
    unrealized, gross, net = np.zeros(count), np.zeros(count), np.zeros(count)
    number = 0
    for which, instrument in enumerate(instruments):
        steps = rng.normal(drift * grid_secs, 0.6 * np.sqrt(grid_secs / 31_536_000), count)
        mark = (60_000.0 if which == 0 else 3_000.0 * which) * np.exp(np.cumsum(steps) - steps[0])
        position, cost = np.zeros(count), np.zeros(count)
        cuts = np.sort(rng.choice(np.arange(1, count - 1), 2 * trips, replace=False)) if trips else np.array([], int)
        for first, last in cuts.reshape(-1, 2).tolist():
            side = 1.0 if rng.random() < 0.5 else -1.0
            quantity = round(CAPITAL * rng.uniform(0.3, 0.9) / mark[0], 4)
            still_open = leave_open and last == int(cuts[-1])
            trip = {"price": 0.0, "fees": 0.0, "funding": 0.0, "slippage": 0.0}
            paid: list[float] = []
            for leg, at in enumerate((first, last)):
                if leg and still_open:
                    break
                sign = side if leg == 0 else -side
                liquidity = "TAKER" if rng.random() < 0.6 else "MAKER"
                bps = float(rng.normal(0.6, 0.5)) if liquidity == "TAKER" else 0.0
                reference = float(mark[at])
                price = round(reference * (1.0 + sign * bps / 1e4), 2)
                fee = price * quantity * FEES[liquidity]
                slip = (price - reference) * quantity * sign
                paid.append(price)
                trip["fees"] -= fee
                trip["slippage"] -= slip
                role = "ENTRY" if leg == 0 else str(rng.choice(["STOP", "TARGET", "EXIT"]))
                order_id = f"O-{number:06d}-{leg}"
                add(
                    tables["fills"],
                    ts_event=int(times[at]),
                    instrument_id=instrument,
                    strategy_id="SYN-001",
                    client_order_id=order_id,
                    signal_id=f"SYN-001-{number}",
                    position=number,
                    role=role,
                    type="MARKET" if liquidity == "TAKER" else "LIMIT",
                    side="BUY" if sign > 0 else "SELL",
                    liquidity=liquidity,
                    quantity=quantity,
                    price=price,
                    notional=price * quantity,
                    commission=fee,
                    currency="USDT",
                    position_after=sign * quantity if leg == 0 else 0.0,
                    realized_pnl=0.0 if leg == 0 else (price - paid[0]) * quantity * side,
                    fill_mid=reference,
                    arrival_mid=reference,
                    decision_price=reference,
                    reference_price=reference,
                    slippage=slip,
                    slippage_bps=bps,
                    arrival_slippage_bps=bps,
                    decision_slippage_bps=None,
                    book_state="sound",
                    book_age_secs=0.1,
                )
                order(tables["orders"], times[at], instrument, order_id, role, sign, quantity, price, "FILLED")
            end = count - 1 if still_open else last
            held = slice(first, count if still_open else last)
            position[held] += side * quantity
            trip["price"] = float(mark[end] - mark[first]) * quantity * side
            trip["funding"] = float(rng.normal(0.0, 0.02))
            for name in parts:
                parts[name][end:] += trip[name]
            # While it is open, what was paid at entry counts already, and the price part runs with the mark.
            parts["price"][held] += (mark[held] - mark[first]) * quantity * side
            if still_open:
                parts["price"][end] -= trip["price"]
            unrealized[held] += (mark[held] - mark[first]) * quantity * side
            net_result = sum(trip.values())
            add(
                tables["positions"],
                position=number,
                instrument_id=instrument,
                strategy_id="SYN-001",
                signal_id=f"SYN-001-{number}",
                side="LONG" if side > 0 else "SHORT",
                ts_opened=int(times[first]),
                ts_closed=None if still_open else int(times[last]),
                holding_secs=float(times[end] - times[first]) / 1e9,
                peak_quantity=quantity,
                avg_px_open=paid[0],
                avg_px_close=None if still_open else paid[1],
                fills=len(paid),
                exit_role=None if still_open else role,
                pnl_price=trip["price"],
                pnl_fees=trip["fees"],
                pnl_funding=trip["funding"],
                pnl_slippage=trip["slippage"],
                pnl_net=net_result,
            )
            tables["positions"].setdefault("return", []).append(net_result / (paid[0] * quantity))
            number += 1
        for extra, status in enumerate(("CANCELED", "REJECTED", "EXPIRED")):
            if trips:
                order(
                    tables["orders"], times[extra], instrument, f"X-{which}-{extra}", "ENTRY", 1.0, 0.1, mark[0], status
                )
        exposure = position * mark
        gross += np.abs(exposure)
        net += exposure
        cost[:] = 0.0
        for at in range(count):
            add(
                tables["prices"],
                ts=int(times[at]),
                instrument_id=instrument,
                bid=float(mark[at]) - 0.05,
                ask=float(mark[at]) + 0.05,
                last=float(mark[at]),
                mark=float(mark[at]),
                position=float(position[at]),
                exposure=float(exposure[at]),
                unrealized=0.0,
            )
    equity = capital + np.sum(list(parts.values()), axis=0)
    folder.mkdir(parents=True)
    for name in ("orders", "fills", "positions", "prices"):
        write_table(folder, name, filled(name, tables[name]))
    curve = {
        "ts": times,
        "equity": equity,
        "balance": equity - unrealized,
        "unrealized": unrealized,
        **{f"pnl_{name}": values for name, values in parts.items()},
        "gross_exposure": gross,
        "net_exposure": net,
        "drawdown": equity / np.maximum.accumulate(equity) - 1.0,
        "drawdown_money": equity - np.maximum.accumulate(equity),
    }
    write_table(folder, "equity", to_table("equity", curve))
    write_whole(folder / "config.toml", config)
    write_whole(folder / "versions.json", dump_json({"fathom": "0.1.0", "nautilus_trader": "2.0.0rc7"}))
    write_whole(folder / "summary.json", dump_json(summary(times, equity, instruments, seed) | {"name": title}))
    return RunFiles(folder)


def add(table: dict[str, list[Any]], **row: Any) -> None:
    for name, value in row.items():
        table.setdefault(name, []).append(value)


def order(
    table: dict[str, list[Any]],
    time: np.int64,
    instrument: str,
    order_id: str,
    role: str,
    sign: float,
    quantity: float,
    price: float,
    status: str,
) -> None:
    done = status == "FILLED"
    add(
        table,
        ts_init=int(time),
        ts_last=int(time),
        instrument_id=instrument,
        strategy_id="SYN-001",
        client_order_id=order_id,
        signal_id=None,
        role=role,
        side="BUY" if sign > 0 else "SELL",
        type="MARKET",
        time_in_force="GTC",
        post_only=False,
        reduce_only=False,
        quantity=quantity,
        filled_qty=quantity if done else 0.0,
        price=None,
        trigger_price=None,
        avg_px=price if done else None,
        arrival_mid=price,
        decision_price=None,
        status=status,
        reason=None if done else "made up",
    )


def filled(name: str, table: dict[str, list[Any]]) -> Any:
    from fathom.backtests.setup.run_files import SCHEMAS

    return to_table(name, {field: table.get(field, []) for field in SCHEMAS[name].names})


def summary(
    times: NDArray[np.int64], equity: NDArray[np.float64], instruments: tuple[str, ...], seed: int
) -> dict[str, Any]:
    from fathom.pages.formats import utc

    span = {"start": utc(int(times[0])), "end": utc(int(times[-1])), "seconds": float(times[-1] - times[0]) / 1e9}
    return {
        "name": "synthetic",
        "config_hash": "d78b3faf",
        "seed": seed,
        "currency": "USDT",
        "instruments": {name: {} for name in instruments},
        "strategies": ["SYN-001"],
        "span": span,
        "data_span": span,
        "starting_equity": float(equity[0]),
        "final_equity": float(equity[-1]),
        "total_return": float(equity[-1] / equity[0] - 1.0),
        "equity_interval": "1s",
        "funding": {"source": "none", "payments": 0},
        "events": {"book_deltas": 1_234_567, "trades": 45_678, "total": 1_280_245},
        "notes": ["Funding was not simulated: the catalog has no funding rates for the span."],
        "undefined": {},
    }
