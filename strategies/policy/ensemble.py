"""The ensemble: members vote with their validated signals, weighted, and a clear vote becomes one signal."""

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.messages.signals import Signal
from fathom.market.kernel import kernel
from fathom.strategies.policy.policy import Floats

DIRECTION: Final = 0
CONFIDENCE: Final = 1
RISK: Final = 2
REWARD: Final = 3
VOTE: Final = 4
"""Columns of the state: one row a member; `RISK` and `REWARD` are the distances of its stop and target."""

_QUORUM, _MIN_MARGIN, _MIN_SHARE, _VETO = range(4)


@kernel
def step(
    votes: Floats,
    stamps: NDArray[np.int64],
    weights: Floats,
    window_ns: int,
    params: Floats,
    member: int,
    vote: Floats,
    ts: int,
    out: Floats,
) -> int:
    """Take the vote of a member at `ts`; return 1 or -1 if it decides the election, else 0.

    A member has one vote, its last; it counts until `window_ns` after it was cast. An election that decides clears all
    votes, and writes confidence, risk, reward and the number of winners into `out`.
    """
    for column in range(VOTE):
        votes[member, column] = vote[column]
    stamps[member] = ts
    up = down = whole = 0.0
    n_up = n_down = 0
    for m in range(len(votes)):
        whole += weights[m]
        if votes[m, DIRECTION] == 0.0 or weights[m] <= 0.0:
            continue
        if ts - stamps[m] > window_ns:
            votes[m, DIRECTION] = 0.0
        elif votes[m, DIRECTION] > 0.0:
            up += weights[m] * votes[m, CONFIDENCE]
            n_up += 1
        else:
            down += weights[m] * votes[m, CONFIDENCE]
            n_down += 1
    out[:] = 0.0
    side = 1.0 if up > down else -1.0 if down > up else 0.0
    won, lost = max(up, down), min(up, down)
    winners = n_up if side > 0.0 else n_down
    if side == 0.0 or winners < params[_QUORUM] or won < params[_MIN_SHARE] * whole:
        return 0
    margin = (won - lost) / (won + lost)
    if margin < params[_MIN_MARGIN] or (params[_VETO] > 0.0 and winners < n_up + n_down):
        return 0
    held = risk = reward = 0.0
    for m in range(len(votes)):
        if votes[m, DIRECTION] == side and weights[m] > 0.0:
            share = weights[m] * votes[m, CONFIDENCE]
            held += weights[m]
            risk += share * votes[m, RISK]
            reward += share * votes[m, REWARD]
    out[0], out[1], out[2], out[3] = margin * won / held, risk / won, reward / won, winners
    votes[:, DIRECTION] = 0.0
    return int(side)


@kernel
def run(
    votes: Floats,
    stamps: NDArray[np.int64],
    weights: Floats,
    window_ns: int,
    params: Floats,
    members: NDArray[np.int64],
    cast: Floats,
    times: NDArray[np.int64],
    out: Floats,
) -> None:
    """Take votes in order, one `step` each; write rows of side, confidence, risk, reward, winners."""
    for i in range(len(members)):
        out[i, 0] = step(votes, stamps, weights, window_ns, params, members[i], cast[i], times[i], out[i, 1:])


class Election(NamedTuple):
    """A vote that decided.

    Parameters
    ----------
    signal : Signal
        What the ensemble says.
    confidence : float
        Mean confidence of the winners by weight, times the margin; 0 to 1.
    voters : tuple of str
        Names of the winners.

    Examples
    --------
    >>> signal = Signal(instrument_id="A.B", side="BUY", strength=0.5, entry=100.0, stop=99.0, target=102.0,
    ...                 horizon_secs=0.0, ts_init=0, source="ensemble")
    >>> Election(signal, 0.5, ("momentum",)).voters
    ('momentum',)
    """

    signal: Signal
    confidence: float
    voters: tuple[str, ...]


class EnsembleVote:
    """Collect the validated signals of the members, and say when they elect a trade.

    With W the sum of weight times confidence over the votes of a side that were cast within `window_secs`, the side
    with the larger W wins if

    - at least `quorum` members voted for it, and its W is at least `min_share` of the weights of all members, silent
      ones included;
    - (W - W') / (W + W') is at least `min_margin`, W' being that of the other side; with `conflict = "veto"` nobody may
      have voted for the other side at all.

    Stop and target lie at the mean distances of the winners' (by weight times confidence) from the price of the vote
    that decided. A decided election clears all votes.

    Parameters
    ----------
    weights
        Member -> weight, not negative, one of them positive. `learn_weights` makes them.
    window_secs
        For how long a vote counts.
    quorum, min_share, min_margin, conflict
        See above.

    Examples
    --------
    >>> vote = EnsembleVote({"momentum": 1.0, "supertrend": 1.0, "sar_wave": 1.0}, window_secs=60.0, quorum=2,
    ...                     min_share=0.3, min_margin=0.5, conflict="majority")
    >>> def says(source, seconds, risk):
    ...     return Signal(instrument_id="A.B", side="BUY", strength=0.8, entry=100.0, stop=100.0 - risk, target=104.0,
    ...                   horizon_secs=0.0, ts_init=int(seconds * 1e9), source=source)
    >>> vote.cast(says("momentum", 0, 1.0), 0.6)
    >>> election = vote.cast(says("supertrend", 10, 3.0), 0.6)
    >>> election.signal.side, election.signal.stop, round(election.confidence, 2), election.voters
    ('BUY', 98.0, 0.6, ('momentum', 'supertrend'))
    """

    def __init__(
        self,
        weights: Mapping[str, float],
        *,
        window_secs: float,
        quorum: int,
        min_share: float,
        min_margin: float,
        conflict: Literal["majority", "veto"],
    ) -> None:
        values = list(weights.values())
        if not values or min(values) < 0.0 or not max(values) > 0.0:
            raise ValueError(f"Expected weights of members, none negative, one positive; was {dict(weights)}.")
        if quorum > sum(value > 0.0 for value in values):
            raise ValueError(f"Expected a quorum of at most the members with a weight, was {quorum} of {len(values)}.")
        self.members = tuple(weights)
        self.window_ns = round(window_secs * 1e9)
        self._weights = np.array(values, dtype=np.float64)
        self._params = np.array([quorum, min_margin, min_share, conflict == "veto"], dtype=np.float64)
        self._votes = np.zeros((len(values), VOTE))
        self._stamps = np.zeros(len(values), np.int64)
        self._out = np.zeros(4)

    @property
    def weights(self) -> dict[str, float]:
        """Member -> weight."""
        return dict(zip(self.members, self._weights.tolist(), strict=True))

    def cast(self, signal: Signal, confidence: float, ts: int | None = None) -> Election | None:
        """Take the vote of the member that `signal.source` names.

        Parameters
        ----------
        signal
            Its signal.
        confidence
            After validation, 0 to 1; the strength where nothing validates.
        ts
            When it was validated (ns); the signal's time by default.

        Returns
        -------
        Election or None
            None while nothing is decided.
        """
        member = self.members.index(signal.source)
        vote = np.array([signal.direction, confidence, signal.risk, abs(signal.target - signal.entry)])
        now = signal.ts_init if ts is None else ts
        before = self._votes[:, DIRECTION].copy()
        side = int(
            step(self._votes, self._stamps, self._weights, self.window_ns, self._params, member, vote, now, self._out)
        )
        if side == 0:
            return None
        before[member] = signal.direction
        live = now - self._stamps <= self.window_ns
        voters = tuple(
            name
            for name, its_side, counts, weight in zip(self.members, before, live, self._weights, strict=True)
            if its_side == side and counts and weight > 0.0
        )
        share, risk, reward = self._out[:3].tolist()
        elected = Signal(
            instrument_id=signal.instrument_id,
            side="BUY" if side > 0 else "SELL",
            strength=min(1.0, share),
            entry=signal.entry,
            stop=signal.entry - side * risk,
            target=signal.entry + side * reward,
            horizon_secs=signal.horizon_secs,
            ts_init=now,
            source="ensemble",
        )
        return Election(elected, min(1.0, share), voters)

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return a copy of the votes."""
        return {"votes": self._votes.copy(), "stamps": self._stamps.copy()}

    def restore(self, snapshot: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a `snapshot` of an ensemble with the same members.

        Raises
        ------
        ValueError
            The number of members differs.
        """
        if snapshot["votes"].shape != self._votes.shape:
            raise ValueError(
                f"Expected the votes of {len(self.members)} members, was {len(snapshot['votes'])}. Start afresh."
            )
        self._votes[:] = snapshot["votes"]
        self._stamps[:] = snapshot["stamps"]
