"""Machine learning on a catalog: features, samples, nets, training, scores, models and their serving."""

from fathom.settings.lazy_names import lazy_names

_PACKAGES = ("features", "models", "nets", "samples", "scores", "serving", "tables", "training")
__getattr__, __dir__ = lazy_names(__name__, {}, _PACKAGES)

__all__: list[str] = []
