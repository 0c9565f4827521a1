"""What the model server and its client say to one another.

`GET /model` answers with `Card`. `POST /predict` takes the window as its body, float64 little-endian, oldest vector
first, columns in the order of the schema, and the schema's hash in the header `SCHEMA_HEADER`; it answers with `Reply`.
An error is a status of 400 or more with a text. Numbers are exact: a JSON float is the shortest that reads back so.
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.ml.models.artifacts import Artifact, ModelSchema
from fathom.ml.models.inference import Prediction

SCHEMA_HEADER: Final = "x-fathom-schema"
"""Header of a request that holds the hash of the schema its window follows."""
WINDOW_DTYPE: Final = np.dtype("<f8")
"""Type of the numbers in a request."""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of its model.

    Parameters
    ----------
    name, version : str
    model_schema : ModelSchema
        What it reads.
    known_until_ns : int
        Last time of the data that it was trained or validated on, ns; 0 where unknown.
    """

    name: str
    version: str
    model_schema: ModelSchema
    known_until_ns: int


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction as it travels; see `fathom.ml.models.inference.Prediction`.

    Examples
    --------
    >>> Reply(direction=1, probabilities=(0.2, 0.7, 0.1), confidence=0.7, expected_return_bps=1.0, volatility_bps=2.0,
    ...       inference_ms=0.5, version="ab").prediction().direction
    1
    """

    direction: int
    probabilities: tuple[float, float, float]
    confidence: float
    expected_return_bps: float
    volatility_bps: float | None
    inference_ms: float
    version: str

    def prediction(self) -> Prediction:
        """Return it as the predictor does."""
        volatility = float("nan") if self.volatility_bps is None else self.volatility_bps
        return Prediction(
            self.direction,
            self.probabilities,
            self.confidence,
            self.expected_return_bps,
            self.inference_ms,
            volatility,
        )


def card_of(artifact: Artifact) -> Card:
    """Return what a server says of this artifact."""
    return Card(
        name=artifact.name,
        version=artifact.version,
        model_schema=artifact.schema,
        known_until_ns=known_until_ns(artifact),
    )


def known_until_ns(artifact: Artifact) -> int:
    """Return the last time of the data that a model was trained or validated on, ns; 0 where unknown."""
    spans = artifact.provenance.spans
    return max((spans[name][1] for name in ("train", "validation") if name in spans), default=0)


def window_of(body: bytes, schema: ModelSchema) -> NDArray[np.float64]:
    """Return the window of a request.

    Raises
    ------
    ValueError
        The body has another length than the schema asks for.
    """
    rows, columns = schema.shape
    if len(body) != rows * columns * WINDOW_DTYPE.itemsize:
        wanted = f"{rows} x {columns} float64 ({rows * columns * WINDOW_DTYPE.itemsize} bytes)"
        raise ValueError(f"Expected a window of {wanted}, was {len(body)} bytes")
    return np.frombuffer(body, WINDOW_DTYPE).astype(np.float64, copy=False).reshape(rows, columns)
