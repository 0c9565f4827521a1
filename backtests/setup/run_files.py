"""The run directory: the files a backtest leaves, their columns, and how they are written and read."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from fathom.backtests.errors import NoRunError
from fathom.settings.whole_files import whole_file

TIMESTAMP: Final = pa.timestamp("ns", tz="UTC")


def _schema(columns: Sequence[tuple[str, pa.DataType, bool]]) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable=nullable) for name, kind, nullable in columns])


_TEXT, _F64, _BOOL, _I64 = pa.string(), pa.float64(), pa.bool_(), pa.int64()

SCHEMAS: Final[Mapping[str, pa.Schema]] = {
    "orders": _schema(
        [
            ("ts_init", TIMESTAMP, False),
            ("ts_last", TIMESTAMP, False),
            ("instrument_id", _TEXT, False),
            ("strategy_id", _TEXT, False),
            ("client_order_id", _TEXT, False),
            ("signal_id", _TEXT, True),
            ("role", _TEXT, False),
            ("side", _TEXT, False),
            ("type", _TEXT, False),
            ("time_in_force", _TEXT, False),
            ("post_only", _BOOL, False),
            ("reduce_only", _BOOL, False),
            ("quantity", _F64, False),
            ("filled_qty", _F64, False),
            ("price", _F64, True),
            ("trigger_price", _F64, True),
            ("avg_px", _F64, True),
            ("arrival_mid", _F64, True),
            ("decision_price", _F64, True),
            ("status", _TEXT, False),
            ("reason", _TEXT, True),
        ]
    ),
    "fills": _schema(
        [
            ("ts_event", TIMESTAMP, False),
            ("instrument_id", _TEXT, False),
            ("strategy_id", _TEXT, False),
            ("client_order_id", _TEXT, False),
            ("signal_id", _TEXT, True),
            ("position", _I64, False),
            ("role", _TEXT, False),
            ("type", _TEXT, False),
            ("side", _TEXT, False),
            ("liquidity", _TEXT, False),
            ("quantity", _F64, False),
            ("price", _F64, False),
            ("notional", _F64, False),
            ("commission", _F64, False),
            ("currency", _TEXT, False),
            ("position_after", _F64, False),
            ("realized_pnl", _F64, False),
            ("fill_mid", _F64, True),
            ("arrival_mid", _F64, True),
            ("decision_price", _F64, True),
            ("reference_price", _F64, False),
            ("slippage", _F64, False),
            ("slippage_bps", _F64, False),
            ("arrival_slippage_bps", _F64, True),
            ("decision_slippage_bps", _F64, True),
            ("book_state", _TEXT, True),
            ("book_age_secs", _F64, True),
        ]
    ),
    "positions": _schema(
        [
            ("position", _I64, False),
            ("instrument_id", _TEXT, False),
            ("strategy_id", _TEXT, False),
            ("signal_id", _TEXT, True),
            ("side", _TEXT, False),
            ("ts_opened", TIMESTAMP, False),
            ("ts_closed", TIMESTAMP, True),
            ("holding_secs", _F64, False),
            ("peak_quantity", _F64, False),
            ("avg_px_open", _F64, False),
            ("avg_px_close", _F64, True),
            ("fills", _I64, False),
            ("exit_role", _TEXT, True),
            ("pnl_price", _F64, False),
            ("pnl_fees", _F64, False),
            ("pnl_funding", _F64, False),
            ("pnl_slippage", _F64, False),
            ("pnl_net", _F64, False),
            ("return", _F64, False),
        ]
    ),
    "equity": _schema(
        [
            ("ts", TIMESTAMP, False),
            ("equity", _F64, False),
            ("balance", _F64, False),
            ("unrealized", _F64, False),
            ("pnl_price", _F64, False),
            ("pnl_fees", _F64, False),
            ("pnl_funding", _F64, False),
            ("pnl_slippage", _F64, False),
            ("gross_exposure", _F64, False),
            ("net_exposure", _F64, False),
            ("drawdown", _F64, False),
            ("drawdown_money", _F64, True),
        ]
    ),
    "prices": _schema(
        [
            ("ts", TIMESTAMP, False),
            ("instrument_id", _TEXT, False),
            ("bid", _F64, True),
            ("ask", _F64, True),
            ("last", _F64, True),
            ("mark", _F64, True),
            ("position", _F64, False),
            ("exposure", _F64, False),
            ("unrealized", _F64, False),
        ]
    ),
}
"""Arrow schemas of the tables, `SCHEMAS[name]` being the schema of `<name>.parquet`; see `RunFiles` for the meaning."""


class RunFiles:
    """The files of one run directory, `runs/<id>/`.

    ================== ================================================================================================
    file               content
    ================== ================================================================================================
    `config.toml`      the resolved configuration, every default spelled out
    `summary.json`     the figures (`fathom.backtests.account.summary.Summary`); the same config gives the same bytes
    `versions.json`    versions of Fathom, the engine, Python and what computes; the seed; the hash of the config
    `trials.json`      how many things were ever tried on the data (`fathom.backtests.setup.counted_trial`)
    `timing.json`      wall clock, events per second, peak memory: what differs from run to run
    `orders.parquet`   one row an order, by `ts_init`
    `fills.parquet`    one row a fill, in the order of execution
    `positions.parquet` one row a round trip (flat to flat) of a strategy in an instrument, by `ts_opened`
    `equity.parquet`   the account on a regular grid, marked to market
    `prices.parquet`   each instrument on the same grid (long form: one row a time and instrument)
    `tearsheet.html`, `execution.html` the pages
    ================== ================================================================================================

    Money is in the account's currency (`summary.currency`), prices in quote currency, sizes in base currency. Numbers
    are float64 whose shortest decimal form is the engine's exact decimal (up to 15 digits): `Decimal(repr(x))`.

    **Signs.** A commission is positive when paid, negative when received. A slippage is positive when it costs.
    The columns `pnl_*` are contributions: positive is good, and in every row

        pnl_price + pnl_fees + pnl_funding + pnl_slippage = pnl_net = equity - starting balance.

    **signal_id** in the first three tables joins decisions to orders to fills to round trips: the tag `signal=` of the
    order; of a round trip, and of a fill that the venue or a halt forced, that of the order that opened the position.
    Null where no signal is behind it.

    **orders** `role` is `ENTRY`, `STOP`, `TARGET` or `EXIT` (by the order's tags; `OTHER` without), or `LIQUIDATION`
    (the venue's). `arrival_mid`: mid (last price where the data have no book) when the strategy sent the order.
    `decision_price`: the price on which the strategy decided (tag `decision=`). `reason`: why it was rejected, denied
    or cancelled.

    **fills** `position` numbers the round trip (the row in `positions`; a fill through zero is split in two rows).
    `notional` = price * quantity * multiplier. `realized_pnl`: by average cost, before fees. `fill_mid`: mid at the
    fill. `reference_price`, from which `slippage` is counted: arrival mid for market orders, trigger price for stops,
    limit price for limits (whose slippage is hence 0, or negative when the price is better). `slippage` in money,
    `slippage_bps` of the reference; `arrival_slippage_bps` and `decision_slippage_bps` likewise from those prices.
    `book_state` and `book_age_secs`: the book that the fill met (`fathom.backtests.account.met_books`), and the time
    since its last change; null without a book.

    **positions** `ts_closed`, `avg_px_close` and `exit_role` are null while open; the PnL of an open one is at the last
    mark. `return` = pnl_net / (avg_px_open * peak_quantity * multiplier).

    **equity** `equity` = `balance` + `unrealized`; `balance` is the engine's account, `unrealized` at `mark`.
    `drawdown` = equity / running maximum - 1 (0 or negative). Exposures are signed position * mark * multiplier,
    summed (`net`) or absolutely (`gross`). `pnl_*` are cumulated since the start.

    **prices** `bid` and `ask` are null without a book; `last` is the last trade or close; `mark` is the mid
    (else the last), and null until the first price.

    Parameters
    ----------
    path
        An existing run directory.

    Raises
    ------
    NoRunError
        The directory holds no `summary.json`.

    Examples
    --------
    >>> sorted(SCHEMAS)
    ['equity', 'fills', 'orders', 'positions', 'prices']
    >>> RunFiles("no/such/run")
    Traceback (most recent call last):
    ...
    fathom.backtests.errors.NoRunError: Expected a run directory with a summary.json, was no/such/run. \
There is no such folder; `fathom backtest run` makes run directories.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not (self.path / "summary.json").is_file():
            raise NoRunError(f"Expected a run directory with a summary.json, was {path}. {self._remedy()}")

    def _remedy(self) -> str:
        if self.path.is_file():
            return f"Name its folder: {self.path.parent}."
        if not self.path.is_dir():
            return "There is no such folder; `fathom backtest run` makes run directories."
        runs = sorted(found.parent for found in self.path.glob("*/summary.json"))
        return f"It is a folder of runs: name one, such as {runs[-1]}." if runs else "It holds no run."

    @property
    def run_id(self) -> str:
        """The name of the directory."""
        return self.path.resolve().name

    def summary(self) -> dict[str, Any]:
        """Return `summary.json` as plain data."""
        return self._json("summary.json")

    def timing(self) -> dict[str, Any]:
        """Return `timing.json` as plain data."""
        return self._json("timing.json")

    def versions(self) -> dict[str, Any]:
        """Return `versions.json` as plain data."""
        return self._json("versions.json")

    def trials(self) -> dict[str, Any]:
        """Return `trials.json` as plain data; empty for a run from before there was one."""
        return self._json("trials.json") if (self.path / "trials.json").is_file() else {}

    def _json(self, name: str) -> dict[str, Any]:
        path = self.path / name
        try:
            content: dict[str, Any] = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise NoRunError(
                f"Expected JSON of a run in {path}, was broken: {error}. Run the backtest again."
            ) from error
        return content

    def config_text(self) -> str:
        """Return the text of `config.toml`."""
        return (self.path / "config.toml").read_text()

    def table(self, name: str) -> pa.Table:
        """Return the table `orders`, `fills`, `positions`, `equity` or `prices` (schema: `SCHEMAS[name]`)."""
        if name not in SCHEMAS:
            raise KeyError(f"Expected one of {', '.join(SCHEMAS)}, was '{name}'.")
        return pq.read_table(self.path / f"{name}.parquet", schema=SCHEMAS[name])

    def kept_table(self, name: str) -> pa.Table | None:
        """Return a table that strategies or actors kept, such as `alerts` or `decisions`; None where they did not."""
        path = self.path / f"{name}.parquet"
        return pq.read_table(path) if path.is_file() else None


def dump_json(content: Mapping[str, Any]) -> str:
    """Return JSON text with sorted keys and shortest floats; NaN and infinity are refused (they must be null).

    Examples
    --------
    >>> print(dump_json({"b": 0.1, "a": None}), end="")
    {
      "a": null,
      "b": 0.1
    }
    """
    return json.dumps(content, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def to_table(name: str, columns: Mapping[str, Any]) -> pa.Table:
    """Return `columns` (one sequence a column) as the table `name`; missing or unknown columns are errors.

    Examples
    --------
    >>> to_table("equity", {}).num_rows
    Traceback (most recent call last):
    ...
    ValueError: Expected the columns of equity.parquet, was without ts, equity, balance, unrealized, ...
    """
    schema = SCHEMAS[name]
    missing = [field for field in schema.names if field not in columns]
    unknown = [field for field in columns if field not in schema.names]
    if missing or unknown:
        differs = [f"without {', '.join(missing)}"] * bool(missing) + [f"with {', '.join(unknown)}"] * bool(unknown)
        raise ValueError(f"Expected the columns of {name}.parquet, was {' and '.join(differs)}.")
    return pa.table({field.name: pa.array(columns[field.name], type=field.type) for field in schema}, schema=schema)


def write_table(folder: Path, name: str, table: pa.Table) -> None:
    """Write `<name>.parquet` after checking the schema, and flush it to the disk."""
    if not table.schema.equals(SCHEMAS[name]):
        raise ValueError(f"Expected the schema of {name}.parquet, was {table.schema}.")
    write_kept_table(folder, name, table)


def write_kept_table(folder: Path, name: str, table: pa.Table) -> None:
    """Write `<name>.parquet` in its own schema, and flush it to the disk."""
    with whole_file(folder / f"{name}.parquet") as file:
        pq.write_table(table, file, compression="zstd")


def digest(text: str) -> str:
    """Return the first 8 hexadecimal digits of the SHA-256 of a text.

    Examples
    --------
    >>> digest("a config")
    '45eaad00'
    """
    here = f'"{Path.cwd()}/'  # where the current folder lies does not matter
    return hashlib.sha256(text.replace(here, '"').encode()).hexdigest()[:8]


class NewRun:
    """A run directory in the making: a hidden folder beside the final one, renamed on a clean exit.

    A reader sees the whole run directory or none. Where `run_id` is taken, `-2`, `-3`, ... is appended.

    Parameters
    ----------
    runs
        The folder of runs; made where absent.
    run_id
        The name wished for.

    Examples
    --------
    >>> from fathom.settings.whole_files import write_whole
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     with NewRun(Path(scratch), "demo") as run:
    ...         _ = write_whole(run.folder / "summary.json", dump_json({}))
    ...     RunFiles(run.path).run_id
    'demo'
    """

    def __init__(self, runs: Path, run_id: str) -> None:
        self.path = runs / run_id
        runs.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=".new-", dir=runs))
        self.folder.chmod(0o755)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        wished, count = self.path, 1
        while self.path.exists():
            count += 1
            self.path = wished.with_name(f"{wished.name}-{count}")
        self.folder.rename(self.path)
