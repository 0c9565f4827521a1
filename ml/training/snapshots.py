"""The state of a training as arrays and JSON in one file: written whole or not at all, read without running code."""

import zipfile
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import torch

from fathom.ml.errors import TrainingError
from fathom.settings.whole_files import whole_file

_STATE: Final = "state"
_TENSOR: Final = "$tensor"
_PAIRS: Final = "$pairs"


class SnapshotError(TrainingError):
    """A snapshot cannot be read or does not belong to this training."""


def save(path: Path, state: Any) -> None:
    """Write nested dicts, lists, numbers, texts and tensors.

    Torch's own checkpoints are pickles, which run what they hold when they are opened. Here tensors are arrays of an
    ``.npz`` file and the rest is JSON.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(Path(folder) / "a.npz", {"epoch": 3, "weights": [torch.ones(2)], "steps": {7: float("inf")}})
    ...     load(Path(folder) / "a.npz")
    {'epoch': 3, 'weights': [tensor([1., 1.])], 'steps': {7: inf}}
    """
    arrays: dict[str, np.ndarray] = {}
    tree = _encoded(state, arrays)
    arrays[_STATE] = np.frombuffer(msgspec.json.encode(tree), np.uint8)
    with whole_file(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # the stub takes names of its own options for the arrays'


def load(path: Path) -> Any:
    """Return what `save` wrote; tensors are on the CPU.

    Raises
    ------
    SnapshotError
        Where the file is absent, cut short, or something else.
    """
    try:
        with path.open("rb") as content, np.load(content, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return _decoded(msgspec.json.decode(arrays[_STATE].tobytes()), arrays)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, msgspec.DecodeError) as error:
        raise SnapshotError(
            f"{path}: Expected a snapshot of a training, was none: {error}; remove it to begin anew"
        ) from None


def _encoded(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, torch.Tensor):
        name = f"t{len(arrays)}"
        arrays[name] = value.detach().cpu().numpy()
        return {_TENSOR: name}
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: _encoded(inner, arrays) for key, inner in value.items()}
        return {_PAIRS: [[_encoded(key, arrays), _encoded(inner, arrays)] for key, inner in value.items()]}
    if isinstance(value, list | tuple):
        return [_encoded(inner, arrays) for inner in value]
    if isinstance(value, float) and not np.isfinite(value):
        return {"$float": str(value)}  # JSON has no infinity
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise SnapshotError(f"Expected numbers, texts and tensors, was {type(value).__name__}")


def _decoded(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_decoded(inner, arrays) for inner in value]
    if not isinstance(value, dict):
        return value
    if _TENSOR in value:
        return torch.from_numpy(arrays[value[_TENSOR]])
    if "$float" in value:
        return float(value["$float"])
    if _PAIRS in value:
        return {_decoded(key, arrays): _decoded(inner, arrays) for key, inner in value[_PAIRS]}
    return {key: _decoded(inner, arrays) for key, inner in value.items()}
