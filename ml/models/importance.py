"""Which inputs a model lives on: what its log loss costs when one of them is swapped between windows."""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.ml.models.inference import Predictor


class Importance(msgspec.Struct, frozen=True, kw_only=True):
    """What one input, or one group of them, is worth to a model.

    Parameters
    ----------
    name : str
    loss : float
        Rise of the log loss (nats a window) when the input is taken from another window; about 0 or below: not used.
    error : float
        Standard error of the rise over the windows.

    Examples
    --------
    >>> Importance(name="rsi_14", loss=0.02, error=0.004).name
    'rsi_14'
    """

    name: str
    loss: float
    error: float


def permutation_importance(
    predictor: Predictor,
    windows: NDArray[np.float64],
    directions: NDArray[np.int64],
    *,
    seed: int = 0,
    on_progress: Callable[[int, int], object] | None = None,
) -> list[Importance]:
    """Return the importance of each group of inputs and of each input, the groups first, each by falling loss.

    The whole course of an input within a window is swapped, as its steps are much alike. Inputs that say the same stand
    in for each other: each alone may seem worth nothing. L. Breiman, "Random forests", Machine Learning 45, 2001,
    doi:10.1023/A:1010933404324.

    Parameters
    ----------
    predictor : Predictor
    windows : ndarray
        Raw, out of sample, of shape (n, window, features); n of some hundred, spread in time.
    directions : ndarray
        True classes, shape (n,).
    seed : int
        Of the swaps.
    on_progress : callable, optional
        Given how many of how many swaps are done.
    """
    schema = predictor.artifact.schema.features
    groups: list[tuple[str, Sequence[int]]] = list(schema.groups.items())
    columns: list[tuple[str, Sequence[int]]] = [(name, [at]) for at, name in enumerate(schema.names)]
    rng = np.random.default_rng(seed)
    base = _losses(predictor, windows, directions)
    found: list[list[Importance]] = [[], []]
    done, count = 0, len(groups) + len(columns)
    for kept, members in zip(found, (groups, columns), strict=True):
        for name, positions in members:
            changed = windows.copy()
            changed[:, :, positions] = windows[rng.permutation(len(windows))][:, :, positions]
            rise = _losses(predictor, changed, directions) - base
            error = float(rise.std() / max(len(rise) - 1, 1) ** 0.5)
            kept.append(Importance(name=name, loss=float(rise.mean()), error=error))
            done += 1
            if on_progress is not None:
                on_progress(done, count)
        kept.sort(key=lambda one: -one.loss)
    return [*found[0], *found[1]]


def _losses(predictor: Predictor, windows: NDArray[np.float64], directions: NDArray[np.int64]) -> NDArray[np.float64]:
    said = predictor.predict_many(windows).probabilities[np.arange(len(directions)), directions]
    losses: NDArray[np.float64] = -np.log(said.astype(np.float64).clip(1e-12))
    return losses
