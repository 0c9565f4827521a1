"""A feature set: the groups of one instrument, sampled together on the event-time grid."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.market import EVENT
from fathom.market.bar_rows import BAR
from fathom.market.saved_arrays import SavedArray, pack, pack_all, unpack, unpack_all
from fathom.ml.features import registry
from fathom.ml.features.bar_group import BarGroup
from fathom.ml.features.config import FeatureConfig
from fathom.ml.features.errors import FeatureError
from fathom.ml.features.filling import Filling
from fathom.ml.features.grid import EventGrid
from fathom.ml.features.group import Group
from fathom.ml.features.micro_price import MicroPriceTable
from fathom.ml.features.schema import FeatureSchema
from fathom.settings.times import MS

NO_BARS: Final = np.zeros(0, BAR)
_NO_ROWS: Final = np.zeros(0, EVENT)


class Vectors(NamedTuple):
    """Vectors of features and the grid times they belong to.

    Attributes
    ----------
    ts : ndarray
        Grid times in ns, int64, of shape (vectors,); they grow.
    values : ndarray
        float64, of shape (vectors, features). A row with a NaN is not ready: a feature in it never had a value yet, or
        the book is unsure (`fathom.market.lifecycle`).

    Examples
    --------
    >>> Vectors(np.array([1_000]), np.array([[0.5, np.nan]])).ready.tolist()
    [False]
    """

    ts: NDArray[np.int64]
    values: NDArray[np.float64]

    @property
    def ready(self) -> NDArray[np.bool_]:
        """Which vectors hold a number in every place."""
        ready: NDArray[np.bool_] = ~np.isnan(self.values).any(axis=1)
        return ready


class _Saved(msgspec.Struct, frozen=True):
    schema: bytes
    increments: tuple[float, float]
    next_ns: int
    newest_ns: int
    last: SavedArray
    groups: list[dict[str, SavedArray]]


class FeatureSet:
    """Compute the vectors of one instrument from its events.

    The vector for grid time T uses exactly the events with ``ts_init < T``. It comes with the first event at or after
    T, or with `advance`, whichever is earlier, and is the same in both cases. `update` is the online driver: it takes
    the events as they arrive. `update_many` is the batch driver. Both give the same bits for any way of cutting the
    stream, and may be mixed.

    Parameters
    ----------
    config : FeatureConfig
        Which features, on which grid, from which bars.
    price_increment, size_increment : float
        Price of a tick and size of a lot of the instrument.
    micro_price : MicroPriceTable, optional
        Fitted table of the instrument; with it come ``stoikov_micro_price`` and its stationary form.
    groups : sequence of Group, optional
        The parts to compose; those of the registry for `config` by default.

    Attributes
    ----------
    schema : FeatureSchema
        What each place of a vector is.
    late : int
        Events that came after the vector they belong to had been given away: their ``ts_init`` is before a grid time
        up to which `advance` was called. They are taken in, but a replay of the stored events gives another vector.

    Examples
    --------
    >>> from fathom.market import EVENT, Kind
    >>> trades = np.zeros(3, EVENT)
    >>> trades["kind"], trades["size"] = Kind.TRADE, 1
    >>> trades["ts_init"] = np.array([100, 1_200, 2_700]) * 1_000_000
    >>> trades["price"] = [500, 501, 503]
    >>> config = FeatureConfig(groups=("candles",), features=("close", "volume"))
    >>> features = FeatureSet(config, price_increment=0.1, size_increment=0.5)
    >>> ts, values = features.update_many(trades)
    >>> ts.tolist(), values.round(1).tolist()
    ([1000000000, 2000000000], [[50.0, 0.5], [50.1, 0.5]])
    >>> features.advance(3_000_000_000).values.round(1).tolist()
    [[50.3, 0.5]]
    """

    def __init__(
        self,
        config: FeatureConfig | None = None,
        *,
        price_increment: float,
        size_increment: float,
        micro_price: MicroPriceTable | None = None,
        groups: Sequence[Group] | None = None,
    ) -> None:
        self.config = config or FeatureConfig()
        if groups is None:
            groups = registry.build_groups(
                self.config,
                price_increment=price_increment,
                size_increment=size_increment,
                micro_price=micro_price,
            )
        self._groups = list(groups)
        self._bars = next((group for group in self._groups if isinstance(group, BarGroup)), None)
        specs = [spec for group in self._groups for spec in group.specs]
        settings: dict[str, int | float | str] = {"grid_ms": self.config.grid_ms}
        for group in self._groups:
            settings |= group.settings(self.config)
        if micro_price is not None:
            settings["micro_price"] = sha256(micro_price.to_json()).hexdigest()
        everything = FeatureSchema.of(
            specs, {top: version for group in self._groups for top, version in group.versions.items()}, settings
        )
        wanted = self.config.features
        if isinstance(wanted, str):
            left_out = registry.left_out(self.config.groups)
            names = tuple(
                spec.name for spec in specs if spec.top_group not in left_out and (wanted == "all" or spec.stationary)
            )
        else:
            names = wanted
        self.schema = everything.select(names)
        self.late = 0
        self._increments = (price_increment, size_increment)
        self._widths = [len(group.specs) for group in self._groups]
        self._whole = np.empty(len(specs))
        self._parts = np.split(self._whole, np.cumsum(self._widths)[:-1])
        self._columns = np.array([everything.index(name) for name in names], np.int64)
        witness = np.repeat(_witnesses(self._groups), self._widths)[self._columns]
        self._filling = Filling(names, registry.joined(group.neutral for group in self._groups), witness)
        self._grid = EventGrid(step_ns=self.config.grid_ms * MS, silence_ns=self.config.max_silence_ms * MS)
        self._none = Vectors(np.zeros(0, np.int64), np.zeros((0, len(names))))

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A copy, or what was pickled: the parts are views again.
        self.__dict__.update(state)
        self._parts = np.split(self._whole, np.cumsum(self._widths)[:-1])

    def update(self, rows: NDArray[np.void], bars: NDArray[np.void] = NO_BARS) -> Vectors:
        """Take the newest events and return the vectors that they complete: none, mostly.

        Parameters
        ----------
        rows : ndarray
            Book changes and trades (`fathom.market.EVENT`), ordered by ``ts_init``, from no earlier than those before.
        bars : ndarray
            Closed bars (`fathom.market.bar_rows.BAR`) of the same span of time, where ``bars = "outside"``.
        """
        ts, bars_ts = rows["ts_init"], bars["ts_init"]
        newest = _newest(ts, bars_ts)
        if not newest:
            return self._none
        grid = self._grid
        self.late += grid.late(ts) + grid.late(bars_ts)
        if newest < grid.next_ns:
            for group in self._groups:
                self._absorb(group, rows, bars)
            grid.newest_ns = max(newest, grid.newest_ns)
            return self._none
        due = grid.due(newest, ts, bars_ts)
        vectors = self._sampled(due, rows, bars)
        _, done, bars_done = due[-1] if due else (0, 0, 0)
        for group in self._groups:
            self._absorb(group, rows[done:], bars[bars_done:])
        return vectors

    def update_many(self, rows: NDArray[np.void], bars: NDArray[np.void] = NO_BARS) -> Vectors:
        """Take many events at once and return the vectors that they complete; arguments as for `update`.

        Raises
        ------
        FeatureError
            Where the events are not ordered by ``ts_init``.
        """
        for events in (rows, bars):
            back = np.flatnonzero(events["ts_init"][1:] < events["ts_init"][:-1])
            if len(back):
                at = int(back[0]) + 1
                raise FeatureError(
                    f"Expected events ordered by ts_init, was {events['ts_init'][at]} at place {at} "
                    f"after {events['ts_init'][at - 1]}: sort them before"
                )
        ts, bars_ts = rows["ts_init"], bars["ts_init"]
        newest = _newest(ts, bars_ts)
        if not newest:
            return self._none
        self.late += self._grid.late(ts) + self._grid.late(bars_ts)
        times, cuts, bar_cuts = self._grid.due_many(newest, ts, bars_ts)
        whole = np.empty((len(times), len(self._whole)))
        start = 0
        for group, width in zip(self._groups, self._widths, strict=True):
            part = np.empty((len(times), width))
            if group is self._bars and self._bars.outside:
                self._bars.run_bars(bars, times, bar_cuts, part)
            else:
                group.run(rows, times, cuts, part)
            whole[:, start : start + width] = part
            start += width
        vectors = whole[:, self._columns]
        self._filling.apply(vectors, whole)
        return Vectors(times, vectors)

    def advance(self, ts_ns: int) -> Vectors:
        """Return the vectors of the grid times up to `ts_ns` without waiting for the next event.

        A timer may call this where every event before `ts_ns` has been taken; see `late`.
        """
        if not self._grid.next_ns or ts_ns < self._grid.next_ns:
            return self._none
        return self._sampled(self._grid.due(ts_ns, _NO_ROWS["ts_init"], NO_BARS["ts_init"]), _NO_ROWS, NO_BARS)

    def snapshot(self) -> bytes:
        """Return the whole state as bytes, for `restore`."""
        return msgspec.msgpack.encode(
            _Saved(
                schema=self.schema.to_json(),
                increments=self._increments,
                next_ns=self._grid.next_ns,
                newest_ns=self._grid.newest_ns,
                last=pack(self._filling.last),
                groups=[pack_all(group.snapshot()) for group in self._groups],
            )
        )

    def restore(self, state: bytes) -> None:
        """Take over a `snapshot` of a set with the same schema and instrument; go on as if nothing had happened.

        Raises
        ------
        FeatureError
            Where the bytes are no snapshot, or one of other features or another instrument.
        """
        try:
            saved = msgspec.msgpack.decode(state, type=_Saved)
            schema = FeatureSchema.from_json(saved.schema)
        except msgspec.DecodeError as error:
            raise FeatureError(f"Expected the snapshot of a feature set, was something else: {error}") from error
        self.schema.require(schema, "this set", "the snapshot")
        if saved.increments != self._increments:
            raise FeatureError(
                f"Expected the snapshot of an instrument with increments {self._increments}, was {saved.increments}"
            )
        for group, arrays in zip(self._groups, saved.groups, strict=True):
            group.restore(unpack_all(arrays))
        self._grid.next_ns, self._grid.newest_ns = saved.next_ns, saved.newest_ns
        self._filling.last[:] = unpack(saved.last)

    def _absorb(self, group: Group, rows: NDArray[np.void], bars: NDArray[np.void]) -> None:
        if len(rows):
            group.absorb(rows)
        if len(bars) and group is self._bars:
            self._bars.absorb_bars(bars)

    def _sampled(self, due: list[tuple[int, int, int]], rows: NDArray[np.void], bars: NDArray[np.void]) -> Vectors:
        vectors = np.empty((len(due), len(self._columns)))
        done = bars_done = 0
        for i, (ts_ns, cut, bar_cut) in enumerate(due):
            for group, part in zip(self._groups, self._parts, strict=True):
                self._absorb(group, rows[done:cut], bars[bars_done:bar_cut])
                group.sample(ts_ns, part)
            np.take(self._whole, self._columns, out=vectors[i], mode="clip")
            self._filling.apply(vectors[i : i + 1], self._whole[None])
            done, bars_done = cut, bar_cut
        return Vectors(np.array([ts_ns for ts_ns, _, _ in due], np.int64), vectors)


def _witnesses(groups: Sequence[Group]) -> list[int]:
    # Of each group the place of a feature that is never undefined, of those with a value first; -1 where there is none.
    found, start = [], 0
    for group in groups:
        never = [at for at, spec in enumerate(group.specs) if spec.nan_rule == "never"]
        found.append(start + min(never, key=lambda at: group.specs[at].warm_up) if never else -1)
        start += len(group.specs)
    return found


def _newest(ts: NDArray[np.int64], bars_ts: NDArray[np.int64]) -> int:
    newest = int(ts[-1]) if len(ts) else 0
    return max(newest, int(bars_ts[-1])) if len(bars_ts) else newest
