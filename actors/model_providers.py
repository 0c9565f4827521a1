"""Who predicts: a model in this process, or one behind HTTP. Either may fail at any call, and says so in one way."""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fathom.ml.models.artifacts import ArtifactError
from fathom.ml.models.inference import Prediction, Predictor
from fathom.ml.serving import ModelClient, ServerError, ServerTimeoutError
from fathom.ml.serving.protocol import Card, card_of
from fathom.settings.errors import FathomError


class ProviderError(FathomError):
    """A provider has no answer; the message says why.

    Parameters
    ----------
    reason
        Why.
    waited_ms
        How long it was waited for, where that is certain.

    Examples
    --------
    >>> ProviderError("no answer within 200 ms", waited_ms=200.0).waited_ms
    200.0
    """

    def __init__(self, reason: str, *, waited_ms: float = 0.0) -> None:
        super().__init__(reason)
        self.waited_ms = waited_ms


class Provider(Protocol):
    """Whoever predicts. `open` may be called again after it failed.

    Examples
    --------
    >>> InProcess("models/demo").where
    'models/demo'
    """

    @property
    def where(self) -> str:
        """What it asks, for messages."""
        ...

    def open(self) -> Card:
        """Return what the model reads; raise `ProviderError`."""
        ...

    def predict(self, window: NDArray[np.float64]) -> Prediction:
        """Return the answer for a window of the opened model; raise `ProviderError`."""
        ...


class InProcess:
    """A model in this process, by ONNX Runtime.

    Parameters
    ----------
    path
        Directory of an artifact.

    Examples
    --------
    >>> InProcess("no/such/model").open()
    Traceback (most recent call last):
    ...
    fathom.actors.model_providers.ProviderError: no/such/model: Expected the directory of an artifact, was none; ...
    """

    def __init__(self, path: Path | str) -> None:
        self.where = str(path)
        self._predictor: Predictor | None = None

    def open(self) -> Card:
        if self._predictor is None:
            try:
                self._predictor = Predictor.open(self.where)
            except ArtifactError as error:
                raise ProviderError(str(error)) from error
        return card_of(self._predictor.artifact)

    def predict(self, window: NDArray[np.float64]) -> Prediction:
        if self._predictor is None:
            self.open()
        assert self._predictor is not None
        try:
            return checked(self._predictor.predict_one(window))
        except ProviderError:
            raise
        except Exception as error:  # the runtime raises classes of its own for each kind of damage
            raise ProviderError(f"{self.where}: {type(error).__name__}: {error}") from error


class Remote:
    """A model behind HTTP (`fathom models serve`).

    Parameters
    ----------
    client
        Of the server.

    Examples
    --------
    >>> Remote(ModelClient("http://127.0.0.1:1", deadline_ms=50.0, retries=0)).open()
    Traceback (most recent call last):
    ...
    fathom.actors.model_providers.ProviderError: http://127.0.0.1:1/model: no connection (Connection refused)
    """

    def __init__(self, client: ModelClient) -> None:
        self.client = client
        self.where = client.url
        self._hash = ""
        self._version = ""

    def open(self) -> Card:
        try:
            card = self.client.card()
        except ServerError as error:
            raise self._failed(error) from error
        self._hash, self._version = card.model_schema.hash, card.version
        return card

    def predict(self, window: NDArray[np.float64]) -> Prediction:
        try:
            prediction = checked(self.client.predict(window, self._hash))
        except ServerError as error:
            raise self._failed(error) from error
        if self.client.version != self._version:
            known = f"Expected the model {self._version} that it announced, was {self.client.version}"
            raise ProviderError(f"{self.where}: {known}; it is asked anew")
        return prediction

    def _failed(self, error: ServerError) -> ProviderError:
        waited = self.client.deadline_ms if isinstance(error, ServerTimeoutError) else 0.0
        return ProviderError(str(error), waited_ms=waited)


def checked(prediction: Prediction) -> Prediction:
    """Return a prediction that makes sense.

    Raises
    ------
    ProviderError
        Its direction is none, or a probability or the return is not a number of its range.

    Examples
    --------
    >>> checked(Prediction(1, (0.2, 0.7, 0.1), 7.0, 1.5, 0.9))
    Traceback (most recent call last):
    ...
    fathom.actors.model_providers.ProviderError: Expected a confidence from 0 to 1, was 7.0
    """
    total = sum(prediction.probabilities)
    if prediction.direction not in (-1, 0, 1):
        raise ProviderError(f"Expected a direction of -1, 0 or 1, was {prediction.direction}")
    if not all(0.0 <= value <= 1.0 for value in prediction.probabilities) or not abs(total - 1.0) < 1e-3:
        raise ProviderError(f"Expected probabilities with the sum 1, was {prediction.probabilities}")
    if not 0.0 <= prediction.confidence <= 1.0:
        raise ProviderError(f"Expected a confidence from 0 to 1, was {prediction.confidence}")
    if not np.isfinite(prediction.expected_return_bps):
        raise ProviderError(f"Expected a finite return, was {prediction.expected_return_bps}")
    return prediction
