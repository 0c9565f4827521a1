"""A finished run for a notebook: its summary, its tables as data frames, its page."""

import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from fathom.backtests.account.intervals import interval_text
from fathom.backtests.account.performance import basket_name
from fathom.backtests.backtest import run
from fathom.backtests.setup.run_files import RunFiles

if TYPE_CHECKING:
    from pandas import DataFrame


class Run:
    """The results of one backtest, read from its run directory when they are asked for.

    Every time in a table is in UTC. `fathom.backtests.setup.run_files.RunFiles` says what the columns mean.

    Parameters
    ----------
    path : Path or str
        A run directory.

    Attributes
    ----------
    path : Path
    summary : dict
        The figures, as in `summary.json` (see `fathom.backtests.account.summary.Summary`).

    Raises
    ------
    NoRunError
        The path is no run directory.

    Examples
    --------
    >>> Run.load("no/such/run")
    Traceback (most recent call last):
    ...
    fathom.backtests.errors.NoRunError: Expected a run directory with a summary.json, was no/such/run. ...
    """

    def __init__(self, path: Path | str) -> None:
        self._files = RunFiles(path)
        self.path = self._files.path
        self.summary = self._files.summary()

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Return the run of a run directory, such as the one that `fathom backtest run` names."""
        return cls(path)

    @property
    def equity(self) -> "DataFrame":
        """The account on a regular grid, marked to market; indexed by time."""
        return _frame(self._files.table("equity")).set_index("ts")

    @property
    def fills(self) -> "DataFrame":
        """One row a fill, in the order of execution."""
        return _frame(self._files.table("fills"))

    @property
    def trades(self) -> "DataFrame":
        """One row a round trip, from flat to flat, in the order of opening."""
        return _frame(self._files.table("positions"))

    @property
    def orders(self) -> "DataFrame":
        """One row an order, in the order of sending."""
        return _frame(self._files.table("orders"))

    @property
    def decisions(self) -> "DataFrame":
        """One row a signal: what was known, what the validator answered, what became of it."""
        from fathom.strategies.trading.journal import decision_table

        table = self._files.kept_table("decisions")
        return _frame(decision_table([]) if table is None else table)

    @property
    def alerts(self) -> "DataFrame":
        """One row an alert of the run's detectors."""
        from fathom.data_catalog.messages.detections import ManipulationAlert
        from fathom.data_catalog.messages.findings import messages_table

        table = self._files.kept_table("alerts")
        return _frame(messages_table(ManipulationAlert, []) if table is None else table)

    @property
    def tearsheet(self) -> Path:
        """The page of the run; it is written where the run was made without pages."""
        page = self.path / "tearsheet.html"
        if not page.is_file():
            from fathom.backtests.reports.report import write_pages

            write_pages(self.path, self._files.run_id)
        return page

    @property
    def card(self) -> list[tuple[str, str, str]]:
        """The first figures of the run: label, value and remark."""
        summary = self.summary
        money, pnl, risk = summary["currency"], summary["pnl"], summary["risk"]
        trades, fills, benchmark = summary["trades"], summary["fills"], summary["benchmark"]
        maker = "none" if fills["maker_share"] is None else f"{fills['maker_share']:.0%} maker"
        rows = [
            (
                "Return",
                _percent(summary["total_return"]),
                f"{basket_name(benchmark['instruments'])}: {_percent(benchmark['total_return'])}",
            ),
            ("Equity", f"{summary['final_equity']:,.2f} {money}", f"from {summary['starting_equity']:,.2f}"),
            (
                "Net PnL",
                f"{pnl['net']:+,.2f} {money}",
                ", ".join(f"{part} {pnl[part]:+,.2f}" for part in ("price", "fees", "funding", "slippage")),
            ),
            ("", "", interval_text(summary.get("net_interval"), money)),
            ("Max drawdown", _percent(risk["max_drawdown"]), f"{risk['max_drawdown_money']:,.2f} {money}"),
            (
                "Sharpe",
                "-" if risk["sharpe"] is None else f"{risk['sharpe']:.2f}",
                summary["undefined"].get("risk.sharpe", "annualised, 365 days"),
            ),
            (
                "Round trips",
                f"{trades['closed']} closed",
                f"{trades['wins']} won, {trades['long']} long, {trades['short']} short, {trades['open']} open",
            ),
            ("A round trip", _money(trades["expectancy"], money), interval_text(summary.get("trade_interval"), money)),
            (
                "Fills",
                f"{fills['count']} of {summary['orders']['count']} orders",
                maker if fills["maker_share"] is None else f"{maker}, {fills['turnover']:,.0f} turnover",
            ),
        ]
        trials = self._files.trials()
        if trials:
            count = "-" if trials["count"] is None else f"{trials['count']:,}"
            rows.append(("Trials", count, trials["note"] or "different things ever tried on these data"))
        if system := self._files.versions().get("system"):
            rows.append(("System", system, "digest of what trades: a live node of this system prints the same"))
        timing = self._files.timing()
        speed = f"{timing['events']:,} events in {timing['elapsed_secs']:.1f} s, {timing['peak_rss_mib']:,.0f} MiB"
        return [*rows, ("Speed", f"{timing['events_per_sec']:,.0f} events/s", speed)]

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def _repr_html_(self) -> str:
        span = self.summary["data_span"]
        title = html.escape(f"{self.summary['name']}: {span['start']} to {span['end']}")
        rows = "".join(
            f"<tr><th>{html.escape(label)}</th><td>{html.escape(value)}</td><td>{html.escape(remark)}</td></tr>"
            for label, value, remark in self.card
        )
        notes = "".join(f"<p>Note: {html.escape(note)}</p>" for note in self.summary["notes"])
        return f"<table><caption>{title}</caption>{rows}</table>{notes}<p>Run: {html.escape(str(self.path))}</p>"


def backtest(
    config: Path | str | Mapping[str, Any] | Sequence[Path | str | Mapping[str, Any]],
    *,
    out: Path | str = "runs",
    changes: Iterable[str] = (),
    pages: bool = True,
) -> Run:
    """Run a backtest and return its results.

    Parameters
    ----------
    config : Path, str, dict, or several of them
        A TOML file, or its content as a dict; of several, a later one overrides an earlier one key by key.
    out : Path or str
        The folder of runs; the run gets a folder of its own in it.
    changes : iterable of str
        Such as ``venue.leverage=5``, over the configuration.
    pages : bool, default True
        Whether to write the pages of the run.

    Raises
    ------
    FathomError
        The configuration is wrong, or the simulation failed; nothing is written then.

    Examples
    --------
    A market of ten seconds, and what SuperTrend makes of it:

    >>> import tempfile
    >>> from fathom.data_catalog import Catalog
    >>> from fathom.data_catalog.simulation.config import Simulation
    >>> from fathom.data_catalog.simulation.production import simulate
    >>> place = tempfile.mkdtemp()
    >>> made = simulate(Simulation(scenario="null", duration_secs=10.0), Catalog(f"{place}/catalog"), seed=1)
    >>> parameters = {"bars": "1-SECOND-LAST-INTERNAL", "atr_period": 2, "multiplier": 1.0, "volume_window": 0}
    >>> config = {
    ...     "name": "first",
    ...     "data": {"catalog": f"{place}/catalog", "instruments": ["BTCUSDT-LINEAR.SIM"]},
    ...     "venue": {"fees": {"maker": 0.0002, "taker": 0.00055}},
    ...     "strategies": [{"name": "supertrend", "parameters": parameters}],
    ... }
    >>> run = backtest(config, out=f"{place}/runs", pages=False)
    >>> len(run.fills) > 0, run.equity["equity"].tolist()[-1] == run.summary["final_equity"]
    (True, True)
    >>> Run.load(run.path).trades.equals(run.trades)
    True

    A slip gets the answer that it would get in a file:

    >>> backtest({"name": "first", "data": {"catalg": "catalog"}})
    Traceback (most recent call last):
    ...
    fathom.settings.errors.SettingsError: config: data.catalg: Expected one of: catalog, ... Did you mean 'catalog'?
    """
    files = [config] if isinstance(config, Path | str | Mapping) else config
    return Run(run(files, out=out, assignments=changes, pages=pages).path)


def _frame(table: Any) -> "DataFrame":
    frame: DataFrame = table.to_pandas()
    return frame


def _money(value: float | None, currency: str) -> str:
    return "-" if value is None else f"{value:+,.2f} {currency}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100.0 * value:+.3f} %"
