"""The order-book features of one instrument, as a group of a feature set.

What the recorded perpetuals (344 s, ``tests/parity/test_orderbook_laws.py``) show of them:

- None is NaN after its warm-up.
- Constant: ``rpi_share``, as the feed has no RPI flag; on ETHUSDT ``bid_ask_spread_abs``, a tick at every grid time.
- Duplicates (|r| > 0.999): raw prices of each other, because the price moves by less than 0.4 % in that time; and
  ``bid_ask_spread_rel`` of ``bid_ask_spread_abs``, or of the reciprocal of the price where the spread is always a tick.
  Among the features that a model may use as they are there is no pair.
"""

from collections.abc import Mapping
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from fathom.market.flow import FlowArrays, new_flow
from fathom.market.levels import BookArrays
from fathom.market.lifecycle import DEPTH, grown, new_book
from fathom.ml.features.config import FeatureConfig
from fathom.ml.features.errors import FeatureError
from fathom.ml.features.group import Group
from fathom.ml.features.kernels import orderbook as kernels
from fathom.ml.features.kernels.levels import LevelArrays, copied, new_level_arrays
from fathom.ml.features.kernels.windows import new_scratch
from fathom.ml.features.micro_price import MicroPriceTable
from fathom.ml.features.spec import FeatureSpec

SPECS: Final = kernels.orderbook_specs(micro_price=True)
"""Every order-book feature on the default grid, those included that need a micro-price table."""

VERSIONS: Final[Mapping[str, int]] = {"orderbook": 3}

NEUTRAL: Final[Mapping[str, float]] = {
    "buy_sell_ratio": 0.5,
    "signed_trade_imbalance": 0.0,
    "trade_volume_imbalance": 0.0,
    "smart_money_index": 0.0,
    "rpi_share": 0.0,
    "depth_imbalance_ratio": 0.0,
    "amihud_illiquidity": 0.0,
    "kyle_lambda": 0.0,
    "imbalance_5_skew_10s": 0.0,
    "imbalance_5_skew_30s": 0.0,
    "imbalance_5_skew_60s": 0.0,
    "micro_price_offset_skew_10s": 0.0,
    "micro_price_offset_skew_30s": 0.0,
    "micro_price_offset_skew_60s": 0.0,
    "depth_10_skew_10s": 0.0,
    "depth_10_skew_30s": 0.0,
    "depth_10_skew_60s": 0.0,
    "touch_depth_skew_10s": 0.0,
    "touch_depth_skew_30s": 0.0,
    "touch_depth_skew_60s": 0.0,
}
"""Values that say "nothing happened" where a feature is undefined after its warm-up (see `ml.features.filling`)."""


class OrderBookFeatures(Group):
    """Compute the order-book features of one instrument from its book changes and trades.

    The state is a few flat arrays; `absorb` and `sample` (online) and `run` (batch) loop over the same compiled steps.
    Rows come in ``ts_init`` order; where a message and a trade have the same time, the one that comes first is known
    first (a catalog gives the book first). A trade is measured against the last complete message before it. Rows that
    step back in time count as being of the time already reached. A message counts when its last row (`Flag.LAST`) came.

    Parameters
    ----------
    price_increment, size_increment : float
        Price of a tick and size of a lot.
    grid_ms : int, default 1000
        Step of the grid; a divisor of 1000. Every grid time should be sampled; those left out are closed unseen.
    bar_ms : int, default 1000
        Length of the bars of support and resistance, built from trades and the mid.
    depth : int, default 0
        Levels a side that the feed shows, such as 200 for ``orderbook.200``; 0 when it publishes every change.
    micro_price : MicroPriceTable, optional
        Fitted table; with it come ``stoikov_micro_price`` and its offset.

    Attributes
    ----------
    specs : tuple of FeatureSpec
        The features, in the order of the values.
    versions : Mapping[str, int]
        Version of the group.

    Examples
    --------
    >>> from fathom.market import EVENT, Action, Flag, Kind, Side
    >>> rows = np.zeros(2, EVENT)
    >>> rows["kind"], rows["action"], rows["size"], rows["ts_init"] = Kind.BOOK, Action.ADD, [30, 10], 100
    >>> rows["price"], rows["side"] = [999, 1001], [Side.BUY, Side.SELL]
    >>> rows["flags"][-1] = Flag.LAST
    >>> features = OrderBookFeatures(price_increment=0.1, size_increment=0.5)
    >>> features.absorb(rows)
    >>> out = np.empty(len(features.specs))
    >>> features.sample(1_000_000_000, out)
    >>> values = dict(zip(features.names, out.round(6).tolist()))
    >>> values["mid_price"], values["imbalance_5"], values["depth_bid_5"], values["micro_price"]
    (100.0, 0.5, 15.0, 100.05)
    """

    specs: tuple[FeatureSpec, ...] = SPECS
    versions: Mapping[str, int] = VERSIONS
    neutral: Mapping[str, float] = NEUTRAL
    alike: Mapping[tuple[str, str], str] = {
        ("bid_ask_spread_rel", "mid_price"): "Where the spread never leaves one tick, only the price under it moves.",
    }

    @classmethod
    def of(
        cls,
        config: FeatureConfig,
        *,
        price_increment: float,
        size_increment: float,
        micro_price: MicroPriceTable | None = None,
    ) -> Self:
        return cls(
            price_increment=price_increment,
            size_increment=size_increment,
            grid_ms=config.grid_ms,
            bar_ms=config.bar_ms,
            depth=config.depth,
            micro_price=micro_price,
        )

    @classmethod
    def settings(cls, config: FeatureConfig) -> Mapping[str, int | float | str]:
        return {"depth": config.depth, "bar_ms": config.bar_ms}

    def __init__(
        self,
        *,
        price_increment: float,
        size_increment: float,
        grid_ms: int = 1000,
        bar_ms: int = 1000,
        depth: int = 0,
        micro_price: MicroPriceTable | None = None,
    ) -> None:
        if not (price_increment > 0.0 and size_increment > 0.0):
            raise ValueError(f"Expected increments above 0, were {price_increment} (price) and {size_increment} (size)")
        if depth < 0:
            raise ValueError(f"Expected depth >= 0 (0: every change is published), was {depth}")
        self._scratch = new_scratch()
        self._table = np.zeros((0, 0)) if micro_price is None else micro_price.array()
        self._increments = (float(price_increment), float(size_increment))
        self._hold(new_book(depth=depth, levels=1024), new_flow(grid_ms=grid_ms), new_level_arrays(bar_ms))
        self.specs = kernels.orderbook_specs(grid_ms, bar_ms=bar_ms, micro_price=micro_price is not None)

    def _hold(self, book: BookArrays, flow: FlowArrays, levels: LevelArrays) -> None:
        self._words = kernels.PACK.words((book, flow, levels, self._scratch, self._table))
        self._book, self._flow, self._levels = book, flow, levels

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A copy, or what was pickled: its arrays lie elsewhere.
        self.__dict__.update(state)
        self._hold(self._book, self._flow, self._levels)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, in the order of the values."""
        return tuple(spec.name for spec in self.specs)

    @property
    def book(self) -> BookArrays:
        """The book; read it, do not write it. Not to be kept: the arrays are replaced when it grows."""
        return self._book

    @property
    def flow(self) -> FlowArrays:
        """The flow; read it, do not write it."""
        return self._flow

    def absorb(self, rows: NDArray[np.void]) -> None:
        """Take rows (`fathom.market.EVENT`)."""
        count = len(rows)
        done = kernels.absorb(self._words, rows, 0, count)
        while done < count:
            self._hold(grown(self._book), self._flow, self._levels)
            done = kernels.absorb(self._words, rows, done, count)

    def sample(self, ts_ns: int, out: NDArray[np.float64]) -> None:
        """Write the values at grid time `ts_ns` into `out`; NaN where undefined."""
        kernels.sample(self._words, *self._increments, ts_ns, out)

    def run(
        self,
        rows: NDArray[np.void],
        times: NDArray[np.int64],
        cuts: NDArray[np.int64],
        out: NDArray[np.float64],
    ) -> None:
        """Do what `absorb` and `sample` do at once: row i of `out` at ``times[i]``, after ``rows[:cuts[i]]``."""
        done = sampled = 0
        while True:
            done, sampled = kernels.run(self._words, *self._increments, rows, times, cuts, out, done, sampled)
            if done == len(rows) and sampled == len(times):
                return
            self._hold(grown(self._book), self._flow, self._levels)

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold the whole state."""
        saved: dict[str, NDArray[Any]] = {}
        for prefix, arrays in (("book", self._book), ("flow", self._flow)):
            for name, array in arrays._asdict().items():
                if name != "slots":
                    saved[f"{prefix}.{name}"] = array.copy()
        saved |= {f"levels.{name}": array.copy() for name, array in self._levels._asdict().items()}
        # Half a mebibyte, nearly all of it empty: keep the ticks that are taken.
        taken = np.flatnonzero(self._book.slots)
        saved["book.slots.at"] = taken.astype(np.int32)
        saved["book.slots.of"] = self._book.slots.ravel()[taken]
        return saved

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over the arrays of a `snapshot` of a group with the same settings.

        Raises
        ------
        FeatureError
            If an array is missing or has another shape, as from another version or other settings.
        """
        depth = int(self._book.head[DEPTH])
        restored: dict[str, NDArray[Any]] = {}
        try:
            fresh = new_book(depth=depth, levels=len(state["book.pool"]))
            for prefix, arrays in (("book", fresh), ("flow", self._flow)):
                for name, array in arrays._asdict().items():
                    if name == "slots":
                        array.ravel()[state["book.slots.at"]] = state["book.slots.of"]
                        restored["book.slots"] = array
                        continue
                    saved = state[f"{prefix}.{name}"]
                    if saved.shape != array.shape or saved.dtype != array.dtype:
                        raise FeatureError(
                            f"Expected {prefix}.{name} of shape {array.shape} and type {array.dtype}, was "
                            f"{saved.shape} and {saved.dtype}: the snapshot is of another grid or version"
                        )
                    restored[f"{prefix}.{name}"] = saved.copy()
            levels = copied(self._levels, {name: state[f"levels.{name}"] for name in LevelArrays._fields})
        except ValueError as error:
            raise FeatureError(
                f"Expected levels.{error} of the same settings: the snapshot is of another bar length or version"
            ) from None
        except KeyError as error:
            raise FeatureError(f"Expected {error} in the snapshot of the order-book features, was absent") from error
        if restored["book.head"][DEPTH] != depth:
            raise FeatureError(f"Expected the snapshot of a feed of depth {depth}, was {restored['book.head'][DEPTH]}")
        book = BookArrays(**{name: restored[f"book.{name}"] for name in BookArrays._fields})
        self._hold(book, FlowArrays(**{name: restored[f"flow.{name}"] for name in FlowArrays._fields}), levels)
