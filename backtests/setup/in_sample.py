"""Does a run trade on data that its own model has learnt from? Then its result is no evidence."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import msgspec

from fathom.backtests.setup.data_feed import Feed
from fathom.backtests.setup.run_files import RunFiles
from fathom.data_catalog.simulation.production import same_simulation
from fathom.ml.models.artifacts import Artifact, ArtifactError, load_artifact
from fathom.settings.times import iso

IN_SAMPLE: Final = "IN SAMPLE:"
"""How the notes begin that say so."""

_LEARNT: Final = ("train", "validation")


@runtime_checkable
class AsksModels(Protocol):
    """Settings of a component that asks models."""

    @property
    def artifacts(self) -> tuple[str, ...]:
        """Folders of the models."""


class InSample(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a run in which a model meets data that it has learnt from, or that chose it.

    Parameters
    ----------
    model : str
        Name and version.
    start, end : str
        The overlap, UTC.
    share : float
        Of the run's span, above 0 to 1.
    """

    model: str
    start: str
    end: str
    share: float

    def sentence(self) -> str:
        """Return what it means.

        Examples
        --------
        >>> times = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T12:00:00Z"}
        >>> print(InSample(model="edge ab12", **times, share=0.5).sentence())
        IN SAMPLE: the model edge ab12 has learnt from 50 % of this span (2026-01-01T00:00:00Z to \
2026-01-01T12:00:00Z): what it earns there is no evidence.
        """
        share = f"{100.0 * self.share:.0f} %" if self.share >= 0.01 else "under 1 %"
        return (
            f"{IN_SAMPLE} the model {self.model} has learnt from {share} of this span ({self.start} to {self.end}): "
            "what it earns there is no evidence."
        )


def in_sample(parameters: Iterable[Any], feed: Feed) -> list[InSample]:
    """Return where the span of a run overlaps the training or validation data of its models.

    Parameters
    ----------
    parameters : iterable
        Of the components; those that satisfy `AsksModels` count.
    feed : Feed
        The data of the run. Data of other instruments than the model's do not count.
    """
    paths = dict.fromkeys(path for each in parameters if isinstance(each, AsksModels) for path in each.artifacts)
    overlaps = []
    for path in paths:
        try:
            artifact = load_artifact(path)
        except (ArtifactError, OSError):
            continue  # the component itself says what is wrong with it
        if not _knows(artifact, feed):
            continue
        spans = [artifact.provenance.spans[name] for name in _LEARNT if name in artifact.provenance.spans]
        if not spans:
            continue
        start = max(feed.start_ns, min(first for first, _ in spans))
        end = min(feed.end_ns, max(last for _, last in spans))
        if start < end:
            share = (end - start) / (feed.end_ns - feed.start_ns)
            overlaps.append(
                InSample(model=f"{artifact.name} {artifact.version}", start=iso(start), end=iso(end), share=share)
            )
    return overlaps


def in_sample_notes(runs: Iterable[RunFiles]) -> list[str]:
    """Return the sentences of finished runs that say so, each once."""
    notes = [note for run in runs for note in run.summary()["notes"]]
    return list(dict.fromkeys(note for note in notes if note.startswith(IN_SAMPLE)))


def _knows(artifact: Artifact, feed: Feed) -> bool:
    # Simulated markets share names and times, and are different data all the same: their stamps tell them apart.
    catalog = artifact.provenance.config.get("data", {}).get("catalog")
    common = {*artifact.metrics.get("instruments", feed.instruments)} & {*feed.instruments}
    return any(catalog is None or same_simulation(Path(catalog), feed.catalog.path, name) for name in common)
