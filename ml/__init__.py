"""Machine learning on a catalog: features, samples, nets, training, scores, models and their serving."""

__all__: list[str] = []
