"""Names of the evidence that the manipulation detectors weigh: one number each, with a weight each."""

from typing import Final

import numpy as np

from fathom.detectors.book.alerts import AlertKind

SPOOFING: Final = (
    "constant",
    "size",  # log of the size over the usual size at that distance
    "rarity",  # minus log of the share of additions at that distance that are as large
    "dominance",  # its share of the level
    "short",  # log of ttl_threshold_ms over the time it stood
    "long",  # log of the time it stood over 2 s, where longer
    "benefit",  # log of the surplus that lately traded on the opposite side
    "own_side",  # the same on its own side
    "move",  # favourable move of the mid while it stood, in usual moves
    "lean",  # more trades against the opposite side than against its own while it stood, in deviations
    "twins",  # log of 1 + orders of the same size and time
    "moved",  # as much was placed elsewhere on the same side
    "distance",  # log of 1 + distance
    "far",  # log of the distance over 20 ticks, where farther
    "placed_crowd",  # log of the large orders placed with it
    "removed_crowd",  # log of the large orders withdrawn with it
    "size_benefit",  # size times benefit
    "recurrence",  # log of 1 + 10 times the suspicion of like orders withdrawn before, fading
    "same_size",  # the same for orders of almost the same size
    "recurrence_size",
)
ALONE: Final = SPOOFING[: SPOOFING.index("recurrence")]
"""What an order raises by itself: what comes before recurrence."""
LAYERING: Final = (
    "constant",
    "levels",  # log of the prices over min_levels
    "size",  # mean log of the sizes over the usual sizes there
    "dominance",  # mean share of their levels
    "likeness",  # spread of the log sizes: layers are often alike
    "short",  # log of 1 s over the time they stood
    "long",  # log of the time they stood over 4 s, where longer
    "benefit",  # log of the surplus that lately traded on the opposite side
    "own_side",
    "move",  # favourable move of the mid while they stood, in usual moves
    "recurrence",  # log of 1 + clusters of this side before, fading
    "moved",  # share placed elsewhere on the same side at the same time
    "distance",  # log of 1 + mean distance
    "reach",  # log of 1 + ticks from the nearest to the farthest
    "crowd",  # log of all large orders of both sides withdrawn at the same time, over the levels
    "size_benefit",
    "size_recurrence",
)
QUOTE_STUFFING: Final = (
    "constant",
    "surge",  # deviations of the log rate of changes from what is usual
    "emptiness",  # 1 minus net over gross change of size
    "untraded",  # 1 minus traded over gross change of size
    "surge_emptiness",
)
EVIDENCE: Final = {
    AlertKind.SPOOFING: SPOOFING,
    AlertKind.LAYERING: LAYERING,
    AlertKind.QUOTE_STUFFING: QUOTE_STUFFING,
}


def evidence_dtype(names: tuple[str, ...]) -> np.dtype[np.void]:
    """Return the record of one number for each name, which a kernel reads and writes by name."""
    return np.dtype([(name, np.float64) for name in names])
