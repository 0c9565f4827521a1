"""The detectors of one instrument while events come in: events in, findings out, in the order of a catalog."""

from itertools import takewhile
from typing import Final

import msgspec
import numpy as np

from fathom.data_catalog.messages.findings import detector_bars
from fathom.data_catalog.replay.arrivals import Arrivals
from fathom.data_catalog.replay.recorded_arrivals import RecordedArrivals
from fathom.detectors import ALERT, DetectorError, Findings, MarketWatch
from fathom.market.saved_arrays import SavedArray, pack_all, unpack_all
from fathom.settings.times import MS

_AHEAD_BARS: Final = 64
"""Bars that a replay looks ahead: far enough that the fixed cost of a step is shared."""

_NO_ALERTS: Final = np.zeros(0, ALERT)
_NOTHING: Final = Findings(_NO_ALERTS, [])


class _Saved(msgspec.Struct, frozen=True):
    watch: dict[str, SavedArray]
    arrivals: bytes


class DetectionStream:
    """Feed a `MarketWatch` with events as they arrive.

    Call `until` with the ts_init of a message of the book, of a bar or of a timer before giving it to `arrivals`: what
    is earlier is taken in. Trades wait for the next of these, so that they share the fixed cost of a step, and what is
    said when does not depend on how many of them there are.

    Parameters
    ----------
    watch : MarketWatch
    arrivals : Arrivals, optional
        Where the events wait.

    Attributes
    ----------
    arrivals : Arrivals
        The events that wait for those of the same time.
    next_ns : int
        Nothing is found before `until` is called with this time or a later one; 0 where nobody knows.

    Examples
    --------
    >>> import numpy as np
    >>> from fathom.market import EVENT, Kind
    >>> stream = DetectionStream(MarketWatch())
    >>> trade = np.zeros(1, EVENT)
    >>> trade["kind"], trade["price"], trade["size"], trade["ts_init"] = Kind.TRADE, 500, 3, 900_000_000
    >>> stream.arrivals.add_trade(trade, 900_000_000)
    >>> [found.bar.close for found in stream.until(1_000_000_000).bars]
    [500.0]
    """

    def __init__(self, watch: MarketWatch, arrivals: Arrivals | None = None) -> None:
        self.watch = watch
        self.arrivals = arrivals or Arrivals()
        self.next_ns = 0

    def until(self, ts_ns: int) -> Findings:
        """Take in the events before `ts_ns`, and close the bars that have ended by then."""
        rows, bars = self.arrivals.take(ts_ns)
        if len(bars):
            first = self.watch.update(rows, bars["ts_init"], detector_bars(bars))
        elif len(rows):
            first = self.watch.update(rows)
        else:
            return self.watch.advance(ts_ns)
        rest = self.watch.advance(ts_ns)
        return first if not rest.bars else Findings(first.alerts, first.bars + rest.bars)

    def save(self) -> bytes:
        """Return the whole state, for `load`."""
        return msgspec.msgpack.encode(_Saved(pack_all(self.watch.snapshot()), self.arrivals.save()))

    def load(self, state: bytes) -> None:
        """Take over what `save` returned; go on as if nothing had happened.

        Raises
        ------
        DetectorError
            Where the state is none, or of other settings.
        """
        try:
            saved = msgspec.msgpack.decode(state, type=_Saved)
        except msgspec.DecodeError as error:
            raise DetectorError(f"Expected the saved state of a detection actor, was something else: {error}") from None
        self.watch.restore(unpack_all(saved.watch))
        self.arrivals.load(saved.arrivals)


class RecordedDetectionStream(DetectionStream):
    """Say the same at the same times in a replay, and look at many events at once.

    It knows the events before they are told. What they show is kept until `until` is called with a later time, a bar
    until it is called with the bar's end or later.

    Parameters
    ----------
    watch : MarketWatch
        Of ``bars = "book"``.
    arrivals : RecordedArrivals

    Examples
    --------
    >>> import tempfile
    >>> from fathom.data_catalog.catalog import Catalog
    >>> from fathom.data_catalog.instruments import default_instruments
    >>> from fathom.market import EVENT, Kind, Side
    >>> catalog, instrument = Catalog(tempfile.mkdtemp()), default_instruments()["BTCUSDT"]
    >>> trade = np.zeros(1, EVENT)
    >>> trade["kind"], trade["side"], trade["price"], trade["size"], trade["ts_init"] = 2, 1, 500, 3, 900_000_000
    >>> with catalog.trade_writer(instrument) as writer:
    ...     writer.write(trade, ["a"])
    >>> arrivals = RecordedArrivals(catalog, str(instrument.id), start_ns=0)
    >>> stream = RecordedDetectionStream(MarketWatch(), arrivals)
    >>> [len(stream.until(ms * 1_000_000).bars) for ms in (100, 950, 1_000)]
    [0, 0, 1]
    """

    def __init__(self, watch: MarketWatch, arrivals: RecordedArrivals) -> None:
        super().__init__(watch, arrivals)
        self._recorded = arrivals
        self._bar_ns = watch.config.bar_ms * MS
        self._ahead_ns = 0
        self._known = _NOTHING

    def until(self, ts_ns: int) -> Findings:
        if ts_ns >= self._ahead_ns:
            self._look(ts_ns)
            self._ahead_ns = min((ts_ns // self._bar_ns + _AHEAD_BARS) * self._bar_ns, self._recorded.near_ns)
            if self._ahead_ns > ts_ns:
                self._look(self._ahead_ns)
        alerts, bars = self._known
        known = int(np.searchsorted(alerts["ts_init"], ts_ns))
        ended = sum(1 for _ in takewhile(lambda bar: bar.ts_ns <= ts_ns, bars))
        self._known = Findings(alerts[known:], bars[ended:])
        news = [int(alerts["ts_init"][known]) + 1] if known < len(alerts) else []
        news += [bars[ended].ts_ns] if ended < len(bars) else []
        self.next_ns = min([self._ahead_ns, *news])
        return Findings(alerts[:known], bars[:ended])

    def _look(self, before_ns: int) -> None:
        alerts, bars = self._known
        found = super().until(before_ns)
        if len(found.alerts):
            alerts = np.concatenate([alerts, found.alerts])
        self._known = Findings(alerts, bars + found.bars)
