"""An ablation: the same backtest with and without each of its parts, and how sure the differences are."""

import multiprocessing
import os
import tomllib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from fathom.backtests.account import statistics
from fathom.backtests.account.performance import Performance, load
from fathom.backtests.account.statistics import Floats
from fathom.backtests.backtest import run
from fathom.backtests.errors import RunError
from fathom.backtests.experiments.ablation_variants import Variant, variants_of
from fathom.backtests.setup.config import load as load_config
from fathom.backtests.setup.counted_trial import most_trials
from fathom.backtests.setup.data_feed import open_feed
from fathom.backtests.setup.in_sample import in_sample_notes
from fathom.backtests.setup.run_files import RunFiles, digest
from fathom.ml.scores.bootstrap import Interval, Resampler
from fathom.settings.toml import dump_toml
from fathom.settings.whole_files import write_whole

LEVEL: Final = 0.95
"""Level of the intervals."""
RESAMPLES: Final = 2_000
"""Resamples of the bootstrap."""
_BUCKETS: Final = 1_200

type OnProgress = Callable[[str, bool], None]
"""Called with the name of a variant that is done, and whether it was done before."""


class Row(NamedTuple):
    """A variant beside the full backtest.

    Attributes
    ----------
    variant
        Which.
    files
        Its run directory.
    net, max_drawdown, trades, win_rate, profit_factor
        Its figures: net PnL in money, fraction, count, fraction, ratio.
    effect
        Net PnL of the full backtest minus this one's, with the interval of the paired block bootstrap: what the part
        that was taken out adds. NaN for the full backtest.
    """

    variant: Variant
    files: RunFiles
    net: float
    max_drawdown: float
    trades: int
    win_rate: float
    profit_factor: float
    effect: Interval

    @property
    def share(self) -> Interval:
        """The effect as a share of the absolute net PnL without the part; NaN where that is zero."""
        base = abs(self.net)
        if not base > 0.0:
            return Interval(np.nan, np.nan, np.nan)
        return Interval(*(value / base for value in self.effect))


class Ablation(NamedTuple):
    """A finished ablation: folder, rows (the full backtest first), and the full run."""

    folder: Path
    rows: list[Row]
    full: Performance

    @property
    def in_sample(self) -> list[str]:
        """Sentences that say where the models of its backtests have learnt from the same data."""
        return in_sample_notes(row.files for row in self.rows)

    @property
    def trials(self) -> str:
        """How many things were tried on the data, in words."""
        return most_trials(row.files for row in self.rows)


def plan(files: Iterable[Path | str], assignments: Iterable[str] = ()) -> tuple[list[Variant], str]:
    """Return the variants of a backtest, and a name for the ablation: the same for the same configuration and data.

    Raises
    ------
    BacktestError
        The configuration or its data cannot be used.
    """
    resolved = load_config(files, assignments)
    fingerprint = open_feed(resolved.config).fingerprint
    variants = variants_of(tomllib.loads(resolved.text))
    return variants, f"{resolved.config.name}-ablation-{digest(resolved.text + fingerprint)}"


def ablate(
    variants: Sequence[Variant], folder: Path, *, jobs: int = 1, seed: int = 1, progress: OnProgress | None = None
) -> Ablation:
    """Run the variants that are not finished yet, each in a process of its own, and compare them.

    Parameters
    ----------
    variants
        The full backtest first (see `variants_of`).
    folder
        Of the ablation. A variant that is whole in it is not run again, so that an interrupted ablation goes on.
    jobs
        Processes at a time.
    seed
        Of the bootstrap.
    progress
        Told of each variant that is done.

    Raises
    ------
    RunError
        A variant failed; its name is told. Finished ones are kept.
    """
    done = finish(variants, folder, jobs=jobs, progress=progress)
    return compared(folder, variants, done, seed=seed)


def finish(
    variants: Sequence[Variant],
    folder: Path,
    *,
    kind: str = "ablate",
    jobs: int = 1,
    progress: OnProgress | None = None,
) -> dict[str, RunFiles]:
    """Run the variants that are not finished yet, each in a process of its own; return name -> run directory.

    Parameters
    ----------
    variants, folder, jobs, progress
        See `ablate`.
    kind
        What the ledger of trials calls them.

    Raises
    ------
    RunError
        A variant failed; its name is told. Finished ones are kept.
    """
    places = {variant.name: _prepared(folder, variant) for variant in variants}
    done = {name: found for name, place in places.items() if (found := _finished(place)) is not None}
    for name in done:
        if progress is not None:
            progress(name, True)
    missing = [variant for variant in variants if variant.name not in done]
    if missing:
        context = multiprocessing.get_context("spawn")  # the engine has threads, which a fork would lose
        with ProcessPoolExecutor(min(jobs, len(missing)), mp_context=context, max_tasks_per_child=1) as pool:
            jobs_of = {pool.submit(_run, places[variant.name], variant.settings, kind): variant for variant in missing}
            try:
                for job in as_completed(jobs_of):
                    variant = jobs_of[job]
                    try:
                        done[variant.name] = RunFiles(job.result())
                    except Exception as error:
                        raise RunError(f"The variant {variant.name} failed: {error}") from error
                    if progress is not None:
                        progress(variant.name, False)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return done


def compared(folder: Path, variants: Sequence[Variant], done: dict[str, RunFiles], *, seed: int) -> Ablation:
    """Return the rows of finished variants.

    Parameters
    ----------
    folder
        Of the ablation.
    variants
        The full backtest first.
    done
        Name -> run directory.
    seed
        Of the bootstrap.
    """
    runs = {variant.name: load(done[variant.name]) for variant in variants}
    full = runs[variants[0].name]
    rows = []
    for variant in variants:
        one = runs[variant.name]
        rows.append(
            Row(
                variant=variant,
                files=done[variant.name],
                net=float(one.equity[-1] - one.equity[0]),
                max_drawdown=one.strategy.max_drawdown,
                trades=int(one.results.size),
                win_rate=statistics.win_rate(one.results),
                profit_factor=statistics.profit_factor(one.results),
                effect=effect(full, one, seed=seed) if variant.part else Interval(np.nan, np.nan, np.nan),
            )
        )
    return Ablation(folder, rows, full)


def effect(full: Performance, without: Performance, *, seed: int) -> Interval:
    """Return the difference of two net results on the same data, with the interval of a paired block bootstrap.

    Both equity curves are cut into the same buckets of time, and blocks of neighbouring buckets are drawn for both at
    once: what the market did in a block happens to both, so that only the part that differs is left to luck.

    Parameters
    ----------
    full, without
        Two runs over the same span.
    seed
        Of the bootstrap.
    """
    start, end = int(full.times_ns[0]), int(min(full.times_ns[-1], without.times_ns[-1]))
    edges = np.linspace(start, end, min(_BUCKETS, max(2, full.times_ns.size)) + 1)
    steps = np.stack([_gains(run, edges) for run in (full, without)], axis=1)
    bucket_ns = max(1, round((end - start) / (len(edges) - 1)))
    times = np.arange(len(steps), dtype=np.int64) * bucket_ns
    resampler = Resampler(times, bucket_ns=bucket_ns, block_ns=bucket_ns, resamples=RESAMPLES, seed=seed)
    return resampler.difference(steps[:, 0], steps[:, 1], LEVEL)


def _gains(run: Performance, edges: Floats) -> Floats:
    at = np.clip(np.searchsorted(run.times_ns, edges, side="right") - 1, 0, run.times_ns.size - 1)
    at[-1] = run.times_ns.size - 1  # what is filled after the last event belongs to the last bucket
    gains: Floats = np.diff(run.equity[at])
    return gains


def _finished(place: Path) -> RunFiles | None:
    wanted = load_config([place / "config.toml"]).digest
    for path in sorted(place.glob("*/summary.json")):
        files = RunFiles(path.parent)
        if files.summary()["config_hash"] == wanted:
            return files
    return None


def _prepared(folder: Path, variant: Variant) -> Path:
    place = folder / "variants" / variant.name
    write_whole(place / "config.toml", dump_toml(variant.settings))
    return place


def _run(place: Path, settings: dict[str, Any], kind: str) -> str:
    os.dup2(2, 1)  # the engine writes to descriptor 1, which is for the result
    return str(run([settings], out=place, kind=kind).path)  # the file of the variant holds no passwords


def as_json(ablation: Ablation) -> dict[str, Any]:
    """Return an ablation as plain data; what is undefined is None."""

    def plain(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    rows = [
        {
            "variant": row.variant.name,
            "without": row.variant.part or None,
            "run": str(row.files.path),
            "net": plain(row.net),
            "max_drawdown": plain(row.max_drawdown),
            "trades": row.trades,
            "win_rate": plain(row.win_rate),
            "profit_factor": plain(row.profit_factor),
            "effect": [plain(value) for value in row.effect],
            "effect_share": [plain(value) for value in row.share],
        }
        for row in ablation.rows
    ]
    return {
        "folder": str(ablation.folder),
        "in_sample": ablation.in_sample,
        "level": LEVEL,
        "rows": rows,
    }
