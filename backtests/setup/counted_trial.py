"""The trial that a backtest is: written to the ledger of its data before the run, its outcome after."""

import tomllib
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final

import msgspec

from fathom.backtests.setup.config import Resolved
from fathom.backtests.setup.data_feed import Feed
from fathom.backtests.setup.identity import CodeIdentity
from fathom.backtests.setup.in_sample import AsksModels
from fathom.backtests.setup.run_files import RunFiles
from fathom.data_catalog.trials import DataSpan, LedgerUnwritableError, TrialLedger
from fathom.ml.models.artifacts import ArtifactError, load_artifact

FILE: Final = "trials.json"
"""Its file in the run directory."""

_DECIDES: Final = ("strategies", "risk", "actors", "venue", "funding", "bars_delay_ms")


class CountedTrial(msgspec.Struct, frozen=True, kw_only=True):
    """How many things were tried on the data of a run, this one included: the content of `trials.json`.

    Parameters
    ----------
    kind : str
        ``backtest``, ``ablate`` or ``scorecard``.
    key : str
        Hash of what decides the run: strategies, risk, actors, models, venue, funding, and code of the user.
    ledger : str
        Folder of the ledger.
    count : int or None
        None where it was not counted.
    note : str
        Why not; "" where it was.

    Examples
    --------
    >>> CountedTrial(kind="backtest", key="ab", ledger="catalog", count=3).sentence()
    '3 different things were ever tried on these data, this one included.'
    """

    kind: str
    key: str
    ledger: str
    count: int | None
    note: str = ""

    def sentence(self) -> str:
        """Return the count in words, or why there is none."""
        if self.count is None or self.note:
            return self.note
        if self.count == 1:
            return "This is the first thing that was tried on these data."
        return f"{self.count:,} different things were ever tried on these data, this one included."


def begin_trial(resolved: Resolved, feed: Feed, code: CodeIdentity, kind: str = "backtest") -> CountedTrial:
    """Write a run to the ledger of its data, and count.

    A catalog that cannot be written gives a note.

    Raises
    ------
    CatalogError
        The ledger was deleted, or is none.
    """
    ledger, data = TrialLedger(feed.catalog.path), data_of(feed)
    key, settings = _what(resolved, code)
    trial = CountedTrial(kind=kind, key=key, ledger=str(ledger.folder), count=None)
    if not resolved.config.ledger:
        return msgspec.structs.replace(trial, note="This run is not counted as a trial: `ledger = false`.")
    try:
        ledger.record(kind, key, resolved.config.name, data, settings)
    except LedgerUnwritableError as error:
        return msgspec.structs.replace(trial, note=f"This run is not counted as a trial: {error}")
    return msgspec.structs.replace(trial, count=ledger.count(data))


def end_trial(trial: CountedTrial, feed: Feed, outcome: dict[str, Any]) -> None:
    """Write the outcome of a run that was counted."""
    if trial.count is not None:
        TrialLedger(trial.ledger).complete(trial.key, data_of(feed), outcome)


def trials_sentence(files: RunFiles) -> str:
    """Return what a run directory says of its trials; "" where it says nothing."""
    held = files.trials()
    return msgspec.convert(held, CountedTrial).sentence() if held else ""


def most_trials(runs: Iterable[RunFiles]) -> str:
    """Return what the run with the most trials on its data says of them."""
    held = [run for run in runs if run.trials()]
    return trials_sentence(max(held, key=lambda run: run.trials()["count"] or 0)) if held else ""


def data_of(feed: Feed) -> DataSpan:
    """Return which data a run looks at."""
    return DataSpan(tuple(feed.instruments), feed.start_ns, feed.end_ns)


def _what(resolved: Resolved, code: CodeIdentity) -> tuple[str, dict[str, Any]]:
    # Where a model lies does not matter, which one it is does.
    written = tomllib.loads(resolved.text)
    decides: dict[str, Any] = {name: written[name] for name in _DECIDES if name in written}
    parameters = [actor.parameters for actor in resolved.actors]
    paths = {path for one in parameters if isinstance(one, AsksModels) for path in one.artifacts}
    versions = {path: _version(path) for path in paths}
    settings = {"code": code.digest, **_renamed(decides, versions)}
    return sha256(msgspec.json.encode(settings, order="sorted")).hexdigest()[:16], settings


def _version(path: str) -> str:
    try:
        artifact = load_artifact(path)
    except (ArtifactError, OSError):
        return path
    return f"{artifact.name} {artifact.version}"


def _renamed(value: Any, names: dict[str, str]) -> Any:
    match value:
        case dict():
            return {key: _renamed(inner, names) for key, inner in value.items()}
        case list():
            return [_renamed(inner, names) for inner in value]
        case str():
            return names.get(value, value)
    return value
