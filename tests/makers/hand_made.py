"""Streams made by hand for the manipulation detectors: a calm market, then what a test is about."""

from collections.abc import Mapping

import numpy as np

from fathom.detectors import LayeringConfig, QuoteStuffingConfig, SpoofingConfig, Surveillance, SurveillanceConfig
from fathom.detectors.book.evidence import ALONE
from fathom.detectors.book.evidence import LAYERING as LAYERING_EVIDENCE
from fathom.detectors.book.evidence import SPOOFING as SPOOFING_EVIDENCE
from fathom.market.events import EVENT, Action, Flag, Kind, Side

MS = 1_000_000
MID = 100_000


def weights(names: tuple[str, ...], **some: float) -> tuple[float, ...]:
    """Return a weight for each kind of evidence, 0 where none is given."""
    assert set(some) <= set(names)
    return tuple(some.get(name, 0.0) for name in names)


# Not the fitted weights: a rule that can be read. A large order with benefit counts, one that only moved does not.
SPOOFING = SpoofingConfig(
    threshold=0.5,
    weights=weights(SPOOFING_EVIDENCE, constant=-6, size=2, benefit=1.5, moved=-8),
    alone_weights=weights(ALONE, constant=-6, size=2, benefit=1.5, moved=-8),
    trees=(),
)
LAYERING = LayeringConfig(
    threshold=0.5,
    min_levels=5,
    weights=weights(LAYERING_EVIDENCE, constant=-6, size=2, benefit=1.5),
    trees=(),
    size_percentile=75,
)
STUFFING = QuoteStuffingConfig(threshold=0.5, weights=(-8.0, 1.0, 0.0, 0.0, 0.5))


def settings(depth: int = 0) -> SurveillanceConfig:
    """Return the settings of these tests."""
    return SurveillanceConfig(depth=depth, spoofing=SPOOFING, layering=LAYERING, quote_stuffing=STUFFING)


class HandMade:
    """Rows of one instrument, message by message, `step_ms` apart; bids end at `MID`, asks begin one above."""

    def __init__(self, step_ms: int = 20) -> None:
        self.step_ms = step_ms
        self.now = 1_700_000_000_000 * MS
        self.rows: list[tuple[int, ...]] = []
        self.snapshot()

    def snapshot(self, levels: int = 40) -> None:
        self.now += self.step_ms * MS
        changes = [(Side.BUY, MID - d, 10) for d in range(levels)] + [
            (Side.SELL, MID + 1 + d, 10) for d in range(levels)
        ]
        self.rows.append((self.now, self.now, 0, 0, 0, Kind.BOOK, Action.CLEAR, 0, Flag.SNAPSHOT))
        self._send(changes, Flag.SNAPSHOT | Flag.MBP)

    def message(self, bids: Mapping[int, int] | None = None, asks: Mapping[int, int] | None = None) -> int:
        """Set sizes; return the time of the message."""
        self.now += self.step_ms * MS
        changes = [(Side.BUY, *level) for level in (bids or {}).items()]
        self._send(changes + [(Side.SELL, *level) for level in (asks or {}).items()], Flag.MBP)
        return self.now

    def trade(self, side: Side, price: int, size: int, *, late_ms: float = -5, flags: int = 0) -> None:
        """Add a trade of an aggressor of this side; `late_ms` before the last message, as the venue says."""
        known = max(self.now, int(self.now - late_ms * MS))
        self.rows.append((int(self.now - late_ms * MS), known, 0, price, size, Kind.TRADE, 0, side, flags))

    def calm(self, messages: int = 100) -> "HandMade":
        """Let small sizes come and go at every distance, and one lot trade on either side at a time."""
        for n in range(messages):
            sizes = {d: 10 + (7 * n + 3 * d) % 10 for d in range(n % 4, 40, 4)}
            self.message({MID - d: size for d, size in sizes.items()}, {MID + 1 + d: s for d, s in sizes.items()})
            side = Side.BUY if n % 2 else Side.SELL
            self.trade(side, MID + n % 2, 1)
        self.message({MID - d: 10 for d in range(40)}, {MID + 1 + d: 10 for d in range(40)})
        self.quiet()
        return self

    def quiet(self, messages: int = 3) -> None:
        """Let messages pass in which next to nothing happens."""
        for n in range(messages):
            self.message(bids={MID - 39: 10 + n % 2})

    def seconds(self, secs: float) -> None:
        """Let time pass without any message."""
        self.now += int(secs * 1000) * MS

    def array(self) -> np.ndarray:
        """Return the rows in the order in which they were known."""
        found = np.array(self.rows, EVENT)
        return found[np.argsort(found["ts_init"], kind="stable")]

    def watched(self, config: SurveillanceConfig | None = None) -> tuple[np.ndarray, Surveillance]:
        """Return the alerts on these rows, and who raised them."""
        watch = Surveillance(config or settings(), keep_candidates=True)
        return watch.update(self.array()), watch

    def _send(self, changes: list[tuple[Side, int, int]], flags: int) -> None:
        for n, (side, price, size) in enumerate(changes):
            last = Flag.LAST if n == len(changes) - 1 else 0
            action = Action.UPDATE if size else Action.DELETE
            self.rows.append((self.now, self.now, 0, price, size, Kind.BOOK, action, side, flags | last))


def weighed(watch: Surveillance, price: int, lots: int) -> list[dict[str, float]]:
    """Return the evidence against each withdrawn order of this price and size."""
    log, evidence = watch.candidates()
    mine = (log["kind"] == 1) & (log["price_low"] == price) & (log["lots"] == lots)
    return [dict(zip(SPOOFING_EVIDENCE, row.tolist(), strict=False)) for row in evidence[mine]]
