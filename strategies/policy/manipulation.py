"""The manipulation filter: a signal that a manipulated book may have caused is blocked, or counts less."""

from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from fathom.data_catalog.messages.signals import Side
from fathom.settings.times import SECOND

type Action = Literal["off", "block", "scale"]
type Outcome = Literal["off", "passed", "blocked", "scaled"]


class ManipulationConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an alert does to the signals that it may have caused.

    Attributes
    ----------
    action
        `off`: nothing; `block`: no such signal is traded while the alert lives; `scale`: its confidence is multiplied
        by 1 - the alert's, which matters where the confidence is read: by the risk limits `confidence_scaling` and
        `min_confidence`, by `least_weight`, and in the vote of an ensemble.
    live_secs
        How long an alert lives after it came.
    least_confidence
        Alerts under this are left out.
    least_weight
        With `scale`: a signal whose confidence falls under this is blocked.
    any_side
        Whether alerts without a side (quote stuffing) count against both sides.

    Examples
    --------
    >>> ManipulationConfig(action="block").live_secs
    10.0
    """

    action: Action = "off"
    live_secs: Annotated[float, Meta(gt=0)] = 10.0
    least_confidence: Annotated[float, Meta(ge=0, le=1)] = 0.5
    least_weight: Annotated[float, Meta(ge=0, le=1)] = 0.0
    any_side: bool = False


class Alert(NamedTuple):
    """What the filter needs of an alert: side of the fake orders (`NONE`: no side), when it came (ns), and its name.

    Examples
    --------
    >>> Alert("BUY", 0, 0.9, "SPOOFING", "4e9dcb86c327").side
    'BUY'
    """

    side: str
    ts_ns: int
    confidence: float
    kind: str
    trace_id: str


class Verdict(NamedTuple):
    """What the filter says of a signal.

    Attributes
    ----------
    outcome
        `off`, `passed`, `blocked` or `scaled`.
    weight
        The confidence that is left.
    reason
        In words.
    trace_id
        Of the alert that decided; empty where none did.

    Examples
    --------
    >>> Verdict("passed", 0.6, "no live alert on its side", "").weight
    0.6
    """

    outcome: Outcome
    weight: float
    reason: str
    trace_id: str


class ManipulationFilter:
    """Remember alerts while they live, and judge signals by them.

    Fake bids (side `BUY`) push the price up: they speak for buy signals, and so they count against those.

    Parameters
    ----------
    config
        What alerts do.

    Examples
    --------
    >>> watch = ManipulationFilter(ManipulationConfig(action="block", live_secs=10.0))
    >>> watch.note(Alert("BUY", 0, 0.9, "SPOOFING", "4e9dcb86c327"))
    >>> watch.judge("BUY", 0.6, now_ns=4_000_000_000)
    Verdict(outcome='blocked', weight=0.0, reason='SPOOFING on its side 4.0 s ago, confidence 0.90',
    trace_id='4e9dcb86c327')
    >>> watch.judge("SELL", 0.6, now_ns=4_000_000_000).outcome, watch.judge("BUY", 0.6, now_ns=10_000_000_001).outcome
    ('passed', 'passed')
    """

    def __init__(self, config: ManipulationConfig) -> None:
        self.config = config
        self.alerts: list[Alert] = []

    def note(self, alert: Alert) -> None:
        """Take note of an alert."""
        self._forget(alert.ts_ns)
        self.alerts.append(alert)

    def judge(self, side: Side, weight: float, *, now_ns: int) -> Verdict:
        """Return what the live alerts mean for a signal.

        Parameters
        ----------
        side
            Of the signal.
        weight
            Its confidence so far, 0 to 1.
        now_ns
            The time.
        """
        config = self.config
        if config.action == "off":
            return Verdict("off", weight, "", "")
        self._forget(now_ns)
        against = [
            alert
            for alert in self.alerts
            if alert.confidence >= config.least_confidence
            and (alert.side == side or (config.any_side and alert.side == "NONE"))
        ]
        if not against:
            return Verdict("passed", weight, "no live alert on its side", "")
        worst = max(against, key=lambda alert: (alert.confidence, alert.ts_ns))
        ago = (now_ns - worst.ts_ns) / SECOND
        reason = f"{worst.kind} on its side {ago:.1f} s ago, confidence {worst.confidence:.2f}"
        if config.action == "block":
            return Verdict("blocked", 0.0, reason, worst.trace_id)
        scaled = weight * (1.0 - worst.confidence)
        if scaled < config.least_weight:
            reason += f"; weight {scaled:.2f} under {config.least_weight:.2f}"
            return Verdict("blocked", 0.0, reason, worst.trace_id)
        return Verdict("scaled", scaled, f"{reason}; weight {weight:.2f} to {scaled:.2f}", worst.trace_id)

    def _forget(self, now_ns: int) -> None:
        oldest = now_ns - round(self.config.live_secs * SECOND)
        self.alerts = [alert for alert in self.alerts if alert.ts_ns >= oldest]
