"""The best that is possible on a simulated market: what an observer of the hidden state would have predicted."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.ml.errors import TrainingError
from fathom.ml.samples.datasets import Samples
from fathom.ml.samples.label_config import LabelConfig
from fathom.ml.samples.labels import CLASSES
from fathom.ml.scores.predictions import Predictions


class Optimum(msgspec.Struct, frozen=True, kw_only=True):
    """The expected accuracy of an observer of the hidden state, over all time, from ``optimum.json``.

    Parameters
    ----------
    accuracy, majority : float
        Of the classes of the label, and of always naming the commonest.
    direction_accuracy : float
        Of the sign of moves that are not zero.
    net_bps : float or None
        Expected net return of a trade, trading only where it pays; None where the file tells none for these costs.

    Examples
    --------
    >>> Optimum(accuracy=0.7, majority=0.4, direction_accuracy=0.8, net_bps=5.0).accuracy
    0.7
    """

    accuracy: float
    majority: float
    direction_accuracy: float
    net_bps: float | None


def load_optimum(folder: Path | str, label: LabelConfig) -> Optimum:
    """Return the optimum of a label.

    Parameters
    ----------
    folder : Path
        ``<catalog>/fathom/truth/<instrument>``.
    label : LabelConfig

    Raises
    ------
    TrainingError
        There is no such file, or it tells nothing of this horizon and threshold.
    """
    path = Path(folder) / "optimum.json"
    try:
        content: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise TrainingError(f"Expected the truth of a simulation, was {path}: {error}.") from None
    known = [each["horizon_secs"] for each in content["horizons"]]
    found = next((each for each in content["horizons"] if each["horizon_secs"] == label.horizon_secs), None)
    if found is None or label.kind != "fixed":
        raise TrainingError(f"Expected a fixed label over one of {known} s, as in {path}, was {label.horizon_secs:g}.")
    decision = next((each for each in found["decisions"] if each["fee_bps"] == label.fee_bps), None)
    if label.threshold_bps is None:
        if decision is None:
            fees = [each["fee_bps"] for each in found["decisions"]]
            raise TrainingError(f"Expected a fee of one of {fees} bps, as in {path}, was {label.fee_bps:g}.")
        accuracy, majority = decision["accuracy"], decision["majority"]
    elif label.threshold_bps == found["threshold_bps"]:
        accuracy, majority = found["threshold_accuracy"], found["threshold_majority"]
    else:
        raise TrainingError(
            f"Expected a threshold of {found['threshold_bps']:g} bps, as in {path}, was {label.threshold_bps:g}."
        )
    return Optimum(
        accuracy=accuracy,
        majority=majority,
        direction_accuracy=found["direction_accuracy"],
        net_bps=None if decision is None else decision["net_bps"],
    )


def oracle(folder: Path | str, train: Samples, test: Samples) -> Predictions:
    """Return what the hidden state alone foretells: the training shares of the classes in the state of each sample.

    Parameters
    ----------
    folder : Path
        ``<catalog>/fathom/truth/<instrument>``.
    train, test : Samples
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(Path(folder) / "states.parquet", columns=["ts_from", "state"])
    begins = table.column("ts_from").cast(pa.int64()).to_numpy()
    _, states = np.unique(table.column("state").cast(pa.string()).to_numpy(zero_copy_only=False), return_inverse=True)
    return foretold(begins, states, train, test)


def foretold(begins: NDArray[np.int64], states: NDArray[np.integer], train: Samples, test: Samples) -> Predictions:
    """Return the training shares of the classes in the state that holds at each test sample.

    Parameters
    ----------
    begins : ndarray
        When each spell of a state begins, ns, ascending.
    states : ndarray
        Number of its state.
    train, test : Samples
    """
    count = int(states.max()) + 1
    # A grid time T knows the events before T: the state of that moment.
    held = {
        name: states[np.maximum(np.searchsorted(begins, samples.ts, side="left") - 1, 0)]
        for name, samples in (("train", train), ("test", test))
    }
    shares = np.bincount(held["train"] * 3 + train.classes, minlength=count * 3).reshape(count, 3) + 1e-9
    shares = shares / shares.sum(axis=1, keepdims=True)
    means = np.bincount(held["train"], train.return_bps, count) / np.maximum(np.bincount(held["train"], None, count), 1)
    assert shares.shape[1] == len(CLASSES)
    return Predictions.of(shares[held["test"]], means[held["test"]])
