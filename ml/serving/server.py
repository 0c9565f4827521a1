"""The model server: one artifact behind HTTP, for trading processes that hold no model of their own."""

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from fathom.ml.models.inference import Predictor, WindowError
from fathom.ml.serving.protocol import SCHEMA_HEADER, Reply, card_of, window_of


def make_app(predictor: Predictor) -> Starlette:
    """Return the application that answers with this predictor; see `fathom.ml.serving.protocol`.

    Parameters
    ----------
    predictor
        Used by one request at a time.
    """
    schema = predictor.artifact.schema
    version = predictor.artifact.version
    card = msgspec.json.encode(card_of(predictor.artifact))

    async def model(request: Request) -> Response:
        return Response(card, media_type="application/json")

    async def predict(request: Request) -> Response:
        if request.headers.get(SCHEMA_HEADER) != schema.hash:
            return PlainTextResponse(f"Expected a window of the schema {schema.hash}; GET /model states it", 409)
        try:
            window = window_of(await request.body(), schema)
            found = await run_in_threadpool(predictor.predict_one, window)
        except (WindowError, ValueError) as error:
            return PlainTextResponse(str(error), 422)
        reply = Reply(
            direction=found.direction,
            probabilities=found.probabilities,
            confidence=found.confidence,
            expected_return_bps=found.expected_return_bps,
            volatility_bps=found.volatility_bps,
            inference_ms=found.inference_ms,
            version=version,
        )
        return Response(msgspec.json.encode(reply), media_type="application/json")

    return Starlette(routes=[Route("/model", model), Route("/predict", predict, methods=["POST"])])
