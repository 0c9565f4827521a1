"""Ground truth as files: what the generator knew, in tables beside the data (`fathom/truth/<instrument>/`)."""

import io
from collections import defaultdict
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fathom.data_catalog.simulation.config import InstrumentSpec, Simulation
from fathom.data_catalog.simulation.kinds import Act, Channel, Episode, Fault
from fathom.data_catalog.simulation.optimum import optimum, state_shares
from fathom.data_catalog.store.layout import OWN_DATA
from fathom.market.events import Side

TIME: Final = pa.timestamp("ns", tz="UTC")
_SIDES: Final = {int(Side.BUY): "BUY", int(Side.SELL): "SELL", int(Side.NONE): "NONE"}


def truth_folder(instrument_id: str) -> str:
    """Return where an instrument's ground truth lies, relative to its catalog.

    Examples
    --------
    >>> truth_folder("BTCUSDT-LINEAR.SIM")
    'fathom/truth/BTCUSDT-LINEAR.SIM'
    """
    return f"{OWN_DATA}/truth/{instrument_id}"


def truth_files(config: Simulation, number: int, log: NDArray[Any], end_ns: int) -> dict[str, bytes]:
    """Return the files of an instrument's ground truth by name.

    Parameters
    ----------
    config : Simulation
    number : int
        Of the instrument.
    log : ndarray of LOG
        All lines of it, in order.
    end_ns : int
        End of the simulated span, which closes the last spell.

    Returns
    -------
    dict[str, bytes]
        ``states.parquet``, ``price.parquet``, ``optimum.json``, and where the scenario has them ``episodes.parquet``,
        ``episode_actions.parquet``, ``rpi.parquet``, ``disturbances.parquet``. docs/simulation.md lists the columns.
    """
    instrument = config.instruments[number]
    files = {
        "states.parquet": _parquet(_states(config, instrument, log, end_ns)),
        "price.parquet": _parquet(_prices(instrument, log)),
        "optimum.json": _optimum(config, number),
    }
    if config.episodes:
        actions = _actions(instrument, log)
        files["episode_actions.parquet"] = _parquet(actions)
        files["episodes.parquet"] = _parquet(_episodes(actions, end_ns))
    if config.rpi.taker_share > 0:
        files["rpi.parquet"] = _parquet(_rpi(instrument, log))
    if config.disturbances:
        files["disturbances.parquet"] = _parquet(_disturbances(instrument, log, end_ns))
    return files


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", compression_level=1)
    return sink.getvalue()


def _times(values: Any) -> pa.Array:
    return pa.array(np.asarray(values, np.int64), pa.int64()).cast(TIME)


def _prices_of(instrument: InstrumentSpec, ticks: Any) -> NDArray[np.float64]:
    return np.round(np.asarray(ticks, np.float64) * float(instrument.tick_size), 12)


def _sizes_of(instrument: InstrumentSpec, lots: Any) -> NDArray[np.float64]:
    return np.round(np.asarray(lots, np.float64) * float(instrument.lot_size), 12)


def _on(log: NDArray[Any], channel: Channel) -> NDArray[Any]:
    return np.asarray(log[log["channel"] == channel])


def _states(config: Simulation, instrument: InstrumentSpec, log: NDArray[Any], end_ns: int) -> pa.Table:
    lines = _on(log, Channel.STATE)
    states = [config.states[int(kind)] for kind in lines["kind"]]
    drifts = [state.drift_bps_per_sec * instrument.volatility_scale for state in states]
    return pa.table(
        {
            "ts_from": _times(lines["ts"]),
            "ts_to": _times(np.append(lines["ts"][1:], end_ns)),
            "state": pa.array([state.name for state in states], pa.string()),
            "drift_bps_per_sec": pa.array(drifts, pa.float64()),
            "volatility": pa.array([state.volatility * state.moves**0.5 for state in states], pa.float64()),
            "intensity": pa.array([state.intensity for state in states], pa.float64()),
        }
    )


def _prices(instrument: InstrumentSpec, log: NDArray[Any]) -> pa.Table:
    lines = _on(log, Channel.PRICE)
    mids = _prices_of(instrument, lines["price"].astype(np.float64) + 0.5)
    return pa.table({"ts": _times(lines["ts"]), "mid": pa.array(mids)})


def _actions(instrument: InstrumentSpec, log: NDArray[Any]) -> pa.Table:
    lines = _on(log, Channel.EPISODE)
    return pa.table(
        {
            "episode_id": pa.array(lines["number"]),
            "kind": pa.array([Episode(int(kind)).name.lower() for kind in lines["kind"]], pa.string()),
            "ts": _times(lines["ts"]),
            "action": pa.array([Act(int(action)).name.lower() for action in lines["action"]], pa.string()),
            "side": pa.array([_SIDES[int(side)] for side in lines["side"]], pa.string()),
            "price": pa.array(_prices_of(instrument, lines["price"])),
            "size": pa.array(_sizes_of(instrument, lines["size"])),
        }
    )


def _episodes(actions: pa.Table, end_ns: int) -> pa.Table:
    times = actions["ts"].cast(pa.int64()).to_pylist()
    rows = actions.select(["episode_id", "kind", "action", "side", "price", "size"]).to_pylist()
    grouped: dict[int, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for time, row in zip(times, rows, strict=True):
        grouped[row["episode_id"]].append((time, row))
    out: dict[str, list[Any]] = defaultdict(list)
    for number, lines in grouped.items():
        by_action: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
        for line in lines:
            by_action[line[1]["action"]].append(line)
        placed = [row for _, row in by_action["place"]]
        benefit = by_action["benefit"]
        first = lines[0][1]
        ended = bool(by_action["end"])
        out["episode_id"].append(number)
        out["kind"].append(first["kind"])
        out["manipulation"].append(not first["kind"].startswith("decoy_"))
        out["side"].append(first["side"])
        out["ts_from"].append(lines[0][0])
        out["ts_to"].append(lines[-1][0] if ended else end_ns)
        out["ended"].append(ended)
        out["price_low"].append(min((row["price"] for row in placed), default=float("nan")))
        out["price_high"].append(max((row["price"] for row in placed), default=float("nan")))
        out["prices"].append([row["price"] for row in placed])
        out["sizes"].append([row["size"] for row in placed])
        out["orders"].append(len(placed))
        for name in ("place", "fill", "cancel"):
            out[f"{name}_size"].append(float(sum(row["size"] for _, row in by_action[name])))
        out["scroll_outs"].append(len(by_action["scroll_out"]))
        out["benefit"].append(bool(benefit))
        out["benefit_ts"].append(benefit[0][0] if benefit else None)
        out["benefit_side"].append(benefit[0][1]["side"] if benefit else None)
        out["benefit_price"].append(benefit[0][1]["price"] if benefit else None)
        out["benefit_size"].append(float(sum(row["size"] for _, row in benefit)) if benefit else None)
    schema = {
        "episode_id": pa.int64(),
        "kind": pa.string(),
        "manipulation": pa.bool_(),
        "side": pa.string(),
        "ts_from": pa.int64(),
        "ts_to": pa.int64(),
        "ended": pa.bool_(),
        "price_low": pa.float64(),
        "price_high": pa.float64(),
        "prices": pa.list_(pa.float64()),
        "sizes": pa.list_(pa.float64()),
        "orders": pa.int64(),
        "place_size": pa.float64(),
        "fill_size": pa.float64(),
        "cancel_size": pa.float64(),
        "scroll_outs": pa.int64(),
        "benefit": pa.bool_(),
        "benefit_ts": pa.int64(),
        "benefit_side": pa.string(),
        "benefit_price": pa.float64(),
        "benefit_size": pa.float64(),
    }
    columns = {name: pa.array(out[name], kind) for name, kind in schema.items()}
    for name in ("ts_from", "ts_to", "benefit_ts"):
        columns[name] = columns[name].cast(TIME)
    return pa.table(columns)


def _rpi(instrument: InstrumentSpec, log: NDArray[Any]) -> pa.Table:
    lines = _on(log, Channel.RPI)
    return pa.table(
        {
            "ts": _times(lines["ts"]),
            "side": pa.array([_SIDES[int(side)] for side in lines["side"]], pa.string()),
            "price": pa.array(_prices_of(instrument, lines["price"])),
            "hidden_size": pa.array(_sizes_of(instrument, lines["size"])),
            "action": pa.array(["refill" if a == Act.PLACE else "fill" for a in lines["action"]], pa.string()),
        }
    )


def _disturbances(instrument: InstrumentSpec, log: NDArray[Any], end_ns: int) -> pa.Table:
    lines = _on(log, Channel.FAULT)
    starts = lines[lines["action"] == Act.START]
    ends = {int(line["number"]): line for line in lines[lines["action"] == Act.END]}
    last = [ends.get(int(number)) for number in starts["number"]]
    gap = starts["kind"] == Fault.GAP
    crossed = starts["kind"] == Fault.CROSSED
    step = starts["kind"] == Fault.CLOCK_STEP

    def where(mask: NDArray[Any], values: Any, kind: pa.DataType) -> pa.Array:
        return pa.array([value if on else None for on, value in zip(mask, values, strict=True)], kind)

    return pa.table(
        {
            "disturbance_id": pa.array(starts["number"]),
            "kind": pa.array([Fault(int(kind)).name.lower() for kind in starts["kind"]], pa.string()),
            "ts_from": _times(starts["ts"]),
            "ts_to": _times([end_ns if line is None else int(line["ts"]) for line in last]),
            "side": pa.array([_SIDES[int(side)] for side in starts["side"]], pa.string()),
            "price": where(crossed, _prices_of(instrument, starts["price"]).tolist(), pa.float64()),
            "size": where(crossed, _sizes_of(instrument, starts["size"]).tolist(), pa.float64()),
            "clock_step_ns": where(step, starts["size"].tolist(), pa.int64()),
            "sequence_before": where(gap, starts["size"].tolist(), pa.int64()),
            "sequence_after": where(gap, [None if line is None else int(line["size"]) for line in last], pa.int64()),
        }
    )


def _optimum(config: Simulation, number: int) -> bytes:
    exact = not any(episode.response > 0 for episode in config.episodes)
    document = {
        "method": (
            "exact: law of the efficient price given the hidden state, by inversion of its characteristic function "
            "on the tick lattice (a Markov-modulated compound Poisson process); no Monte Carlo"
        ),
        "exact": exact,
        "note": (
            "Accuracies of an observer of the hidden state at the moment of deciding; fees are paid twice, the spread "
            "of one tick once; basis points of the start price."
        )
        + ("" if exact else " Episodes with a response lean the price; that is not in these numbers."),
        "state_shares": dict(zip([state.name for state in config.states], state_shares(config).tolist(), strict=True)),
        "horizons": msgspec.to_builtins(optimum(config, number)),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
