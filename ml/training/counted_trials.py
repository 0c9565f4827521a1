"""Which ledger counts the trials of a training, and of which data they are."""

from pathlib import Path

from fathom.data_catalog.trials import DataSpan, TrialLedger
from fathom.ml.samples.datasets import Arrays
from fathom.ml.training.baselines import BASELINES
from fathom.ml.training.config import TrainingConfig


def data_of(arrays: Arrays) -> DataSpan:
    """Return which data arrays hold: their instruments, and their first and last time."""
    return DataSpan(arrays.facts.instruments, int(arrays.ts.min()), int(arrays.ts.max()))


def ledger_of(config: TrainingConfig, arrays: Arrays) -> TrialLedger:
    """Return the ledger that lies with the data: in their catalog, or in the folder of arrays that come from none.

    `ledger` of the configuration names another folder. Where it names a ``trials.jsonl`` of before, its trials on these
    arrays are taken over, without those of baselines.

    Raises
    ------
    CatalogError
        The old ledger cannot be read.
    """
    named = None if config.ledger is None else Path(config.ledger)
    old = named is not None and named.suffix == ".jsonl"
    folder = arrays.facts.table.get("catalog") or config.data.arrays
    if named is not None and (not old or folder is None):
        folder = named.parent if old else named
    ledger = TrialLedger(folder or config.data.cache)
    if old and named is not None and named.is_file():
        ledger.import_lines(named, arrays.facts.hash, data_of(arrays), frozenset(BASELINES))
    return ledger
