"""The order in which a training reads its samples: a function of seed and epoch, not of what was read before."""

from collections.abc import Iterator

import numpy as np


class BatchOrder:
    """Batches of sample numbers, shuffled anew in each epoch; usable as the `batch_sampler` of a torch DataLoader.

    The order of an epoch depends on the seed and the epoch only, so a training that was killed goes on with the batch
    after the last one that it knows of.

    Parameters
    ----------
    samples : int
        How many there are.
    batch_size : int
    seed : int
    drop_last : bool
        Whether to leave out a last batch that is smaller than half of `batch_size` (batch statistics of a few samples
        disturb), unless it is the only one.

    Examples
    --------
    >>> order = BatchOrder(5, 2, seed=1)
    >>> batches = list(order)
    >>> sorted(sum(batches, [])), len(order)
    ([0, 1, 2, 3, 4], 3)
    >>> order.start(0, first=2)
    >>> list(order) == batches[2:]
    True
    >>> list(order) == batches  # the next epoch
    False
    """

    def __init__(self, samples: int, batch_size: int, *, seed: int, drop_last: bool = False) -> None:
        if samples < 1 or batch_size < 1:
            raise ValueError(f"Expected samples and a batch size of 1 or more, was {samples} and {batch_size}")
        self.samples = samples
        self.batch_size = batch_size
        self.seed = seed
        rest = samples % batch_size
        self._batches = samples // batch_size + (rest > 0)
        if drop_last and rest and self._batches > 1 and rest * 2 < batch_size:
            self._batches -= 1
        self._epoch = 0
        self._first = 0

    def start(self, epoch: int, *, first: int = 0) -> None:
        """Let the next pass be that of `epoch`, from its batch number `first`; later passes follow on."""
        self._epoch, self._first = epoch, first

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[list[int]]:
        epoch, first = self._epoch, self._first
        self.start(epoch + 1)
        order = np.random.default_rng((self.seed, epoch)).permutation(self.samples)
        for number in range(first, self._batches):
            yield order[number * self.batch_size : (number + 1) * self.batch_size].tolist()
