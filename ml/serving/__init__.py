"""A model behind HTTP: a server that answers for windows of features, and the client that asks it before a deadline."""

from fathom.ml.serving.client import ModelClient, ServerError, ServerTimeoutError

__all__ = ["ModelClient", "ServerError", "ServerTimeoutError"]
