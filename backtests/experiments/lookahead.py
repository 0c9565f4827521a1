"""Whether a component of a backtest sees the future, and how long it remembers the start of the data."""

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.backtests.experiments.observation import Cut, Event, Features, Observation, observe
from fathom.backtests.experiments.processes import in_processes
from fathom.backtests.setup.config import load
from fathom.data_catalog.store.cut import next_event
from fathom.settings.times import SECOND, iso

type OnProgress = Callable[[str, int, int], None]
"""Called with what was run, how many runs are done, and how many there are."""

ORDER: Final = ("feature", "detection", "signal", "decision", "order")
"""Kinds of findings, causes before effects: a strategy whose features see the future sees it too."""

_TOLERANCE: Final = 1e-9
_TAIL: Final = 0.05


class Bias(msgspec.Struct, frozen=True, kw_only=True):
    """One component that said something else when the future was taken away.

    Attributes
    ----------
    kind : str
        One of `ORDER`.
    name : str
        The feature, the topic of the message, or the strategy.
    instrument : str
        Of a feature; "" otherwise.
    cut_ns : int
        From this time on the data were taken away.
    ts_ns : int
        When it first said something else: before the cut.
    count : int
        How many values or messages differ, over all cuts.
    with_future, without_future : str
        What it said.
    """

    kind: str
    name: str
    instrument: str
    cut_ns: int
    ts_ns: int
    count: int
    with_future: str
    without_future: str

    def sentence(self) -> str:
        """Return the finding in words."""
        where = f" of {self.instrument}" if self.instrument else ""
        return (
            f"{self.kind} {self.name}{where} at {iso(self.ts_ns)}: {self.with_future} with the data after "
            f"{iso(self.cut_ns)}, {self.without_future} without them"
        )


class WarmUp(msgspec.Struct, frozen=True, kw_only=True):
    """How long a feature depends on where the data begin.

    Attributes
    ----------
    name, instrument : str
        The feature.
    settles_secs : float
        After this time its values no longer depend on the start (to 1e-9 of their size); NaN where they still do at the
        end of the span.
    largest : float
        Largest relative difference in the last twentieth of the span; NaN where a value is undefined in one run only.
    """

    name: str
    instrument: str
    settles_secs: float
    largest: float


class Lookahead(msgspec.Struct, frozen=True, kw_only=True):
    """What the analysis found.

    Attributes
    ----------
    biases : list of Bias
        Causes before effects.
    unsteady : list of str
        What two equal runs said differently; it is not judged.
    cuts_ns : list of int
        Where the data were cut.
    compared : dict
        Kind -> how many values or messages were compared.
    warm_up : list of WarmUp
        The features that depend on the start of the data for longest first; empty without `warm_up`.
    """

    biases: list[Bias]
    unsteady: list[str]
    cuts_ns: list[int]
    compared: dict[str, int]
    warm_up: list[WarmUp] = []


class _Task(NamedTuple):
    name: str
    changes: tuple[str, ...] = ()
    cut: Cut | None = None


class _Difference(NamedTuple):
    ts_ns: int
    differing: int
    with_future: str
    without_future: str


type _Place = tuple[str, str, str]
"""Kind, name, and instrument of what differs."""


def lookahead(
    files: Sequence[Path | str | Mapping[str, Any]],
    assignments: Sequence[str] = (),
    *,
    cuts: int = 6,
    warm_up: bool = True,
    jobs: int = 1,
    progress: OnProgress | None = None,
) -> Lookahead:
    """Run a backtest on its data and on data that end earlier, and compare what was said before each end.

    Every feature vector, finding, signal, decision and order before a cut must be the same, bit for bit, whether the
    data after the cut exist or not. The shorter runs read a catalog that was cut, in a process of their own, so that a
    component that reads files instead of listening is caught as well. Half of the cuts lie evenly in the span, half
    right after a decision or an order: a strategy that looks ahead a little shows it there.

    Parameters
    ----------
    files, assignments
        See `fathom.backtests.setup.config.load`.
    cuts
        How many shorter runs.
    warm_up
        Whether to run once more from a later start, and tell how long each feature depends on the start.
    jobs
        Processes at a time.
    progress
        Told of each run that is done.

    Raises
    ------
    BacktestError
        The configuration or its data cannot be used, or a run failed.
    """
    files, assignments = list(files), list(assignments)
    catalog = Path(load(files, assignments).config.data.catalog).resolve()
    total, done = 2 + cuts + warm_up, 0

    def results(tasks: Sequence[_Task]) -> list[Observation]:
        nonlocal done
        observed: dict[int, Observation] = {}
        with tempfile.TemporaryDirectory(prefix="fathom-lookahead-") as scratch:
            calls = [(scratch, files, [*assignments, *task.changes], task.cut) for task in tasks]
            for at, observation in in_processes(_quietly, calls, jobs):
                observed[at] = observation
                done += 1
                if progress is not None:
                    progress(tasks[at].name, done, total)
        return [observed[at] for at in range(len(tasks))]

    full, again = results([_Task("on all data"), _Task("on all data, again")])
    unsteady = {place for place, _ in _differences(full, again, full.end_ns + 1)}
    later = full.start_ns + (full.end_ns - full.start_ns) // 4
    times = _cut_times(full, catalog, cuts)
    tasks = [_Task(f"until {iso(time)}", cut=Cut(catalog, time)) for time in times]
    if warm_up:
        tasks.append(_Task(f"from {iso(later)}", (f'data.start="{iso(later)}"',)))
    observed = results(tasks)
    biases: dict[_Place, Bias] = {}
    compared: dict[str, int] = {}
    for cut_ns, cut in zip(times, observed, strict=False):
        _count(compared, cut)
        for place, difference in _differences(full, cut, cut.end_ns):
            if place not in unsteady:
                biases[place] = _merged(biases.get(place), place, difference, cut_ns)
    return Lookahead(
        biases=sorted(biases.values(), key=lambda bias: (ORDER.index(bias.kind), bias.ts_ns)),
        unsteady=sorted(" ".join(filter(None, place)) for place in unsteady),
        cuts_ns=times,
        compared=compared,
        warm_up=_warm_up(full, observed[-1]) if warm_up else [],
    )


def _quietly(
    scratch: str, files: Sequence[Path | str | Mapping[str, Any]], changes: Sequence[str], cut: Cut | None
) -> Observation:
    os.dup2(2, 1)  # the engine writes to descriptor 1, which is for the result
    tempfile.tempdir = scratch  # the caller removes it, also where this process is killed
    return observe(files, changes, cut)


def _cut_times(full: Observation, catalog: Path, cuts: int) -> list[int]:
    span = full.end_ns - full.start_ns
    acts = sorted({event.ts_ns for event in full.events if event.kind in ("signal", "decision", "order")})
    inside = [ts for ts in acts if full.start_ns < ts < full.end_ns]
    near = min(cuts // 2, len(inside))
    chosen = [inside[at] for at in np.linspace(0, len(inside) - 1, near + 2).astype(int)[1:-1]] if near else []
    times = {after + 1 for ts in chosen if (after := next_event(catalog, ts)) is not None and after < full.end_ns}
    even = max(1, cuts - len(times))
    times |= {full.start_ns + span * (at + 1) // (even + 1) for at in range(even)}
    return sorted(times)


def _differences(full: Observation, other: Observation, end_ns: int) -> Iterable[tuple[_Place, _Difference]]:
    """Yield what differs before a time: the first difference of each feature, and of each source of events."""
    for instrument, features in full.features.items():
        short = other.features.get(instrument)
        if short is not None:
            for name, difference in _of_features(features, short, end_ns):
                yield ("feature", name, instrument), difference
    sources = dict.fromkeys((event.kind, event.name) for event in [*full.events, *other.events])
    for kind, name in sources:
        here, there = (
            [event for event in run.events if (event.kind, event.name) == (kind, name) and event.ts_ns < end_ns]
            for run in (full, other)
        )
        if here != there:
            yield (kind, name, ""), _of_events(here, there)


def _of_features(full: Features, short: Features, end_ns: int) -> Iterable[tuple[str, _Difference]]:
    times, here, there = np.intersect1d(full.times, short.times, assume_unique=True, return_indices=True)
    here, there = here[times < end_ns], there[times < end_ns]
    differs = ~_equal(full.values[here], short.values[there])
    for column in np.flatnonzero(differs.any(axis=0)).tolist():
        row = int(np.argmax(differs[:, column]))
        values = (repr(float(side[row, column])) for side in (full.values[here], short.values[there]))
        count = int(differs[:, column].sum())
        yield full.names[column], _Difference(int(full.times[here[row]]), count, *values)


def _of_events(here: list[Event], there: list[Event]) -> _Difference:
    at = next((at for at, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), min(len(here), len(there)))
    first, second = (events[at] if at < len(events) else None for events in (here, there))
    ts_ns = min(event.ts_ns for event in (first, second) if event is not None)
    count = len(set(here) ^ set(there))
    return _Difference(ts_ns, count, *(event.text if event is not None else "nothing" for event in (first, second)))


def _equal(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = (first == second) | (np.isnan(first) & np.isnan(second))
    return same


def _merged(known: Bias | None, place: _Place, found: _Difference, cut_ns: int) -> Bias:
    if known is not None:
        return msgspec.structs.replace(known, count=known.count + found.differing)
    kind, name, instrument = place
    return Bias(
        kind=kind,
        name=name,
        instrument=instrument,
        cut_ns=cut_ns,
        ts_ns=found.ts_ns,
        count=found.differing,
        with_future=found.with_future,
        without_future=found.without_future,
    )


def _count(compared: dict[str, int], cut: Observation) -> None:
    for features in cut.features.values():
        compared["feature"] = compared.get("feature", 0) + features.values.size
    for event in cut.events:
        compared[event.kind] = compared.get(event.kind, 0) + 1


def _warm_up(full: Observation, late: Observation) -> list[WarmUp]:
    found = []
    for instrument, features in late.features.items():
        of_full = full.features[instrument]
        times, here, there = np.intersect1d(of_full.times, features.times, assume_unique=True, return_indices=True)
        first, second = of_full.values[here], features.values[there]
        with np.errstate(invalid="ignore", divide="ignore"):
            relative = np.abs(first - second) / np.maximum(np.abs(first), np.abs(second))
        relative = np.where(_equal(first, second), 0.0, relative)
        for column, name in enumerate(features.names):
            differs = np.flatnonzero(~(relative[:, column] <= _TOLERANCE))
            tail = relative[-max(1, round(_TAIL * len(times))) :, column] if len(times) else np.zeros(1)
            last = int(differs[-1]) if differs.size else -1
            settled = last < len(times) - tail.size
            secs = (int(times[last]) - late.start_ns) / SECOND if last >= 0 else 0.0
            found.append(
                WarmUp(
                    name=name,
                    instrument=instrument,
                    settles_secs=secs if settled else np.nan,
                    largest=float(tail.max()),
                )
            )
    return sorted(found, key=lambda each: -np.inf if np.isnan(each.settles_secs) else -each.settles_secs)
