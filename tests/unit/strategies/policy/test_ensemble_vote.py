"""The ensemble's vote against its definition, rule by rule, and across a restart."""

from typing import Any, Literal

import numpy as np
import pytest

from fathom.data_catalog.messages.signals import Signal
from fathom.market.saved_arrays import pack_all, unpack_all
from fathom.strategies.policy.ensemble import Election, EnsembleVote, run
from tests.twins.naive_policies import Vote, elections

MEMBERS = ("momentum", "sar_wave", "supertrend", "volume_profile")
SECOND = 1_000_000_000


def says(source: str, direction: int, at: float, risk: float = 1.0, reward: float = 2.0) -> Signal:
    return Signal(
        instrument_id="A.B",
        side="BUY" if direction > 0 else "SELL",
        strength=0.5,
        entry=100.0,
        stop=100.0 - direction * risk,
        target=100.0 + direction * reward,
        horizon_secs=0.0,
        ts_init=int(at * SECOND),
        source=source,
    )


def a_vote(**other: Any) -> EnsembleVote:
    settings: dict[str, Any] = {
        "window_secs": 60.0,
        "quorum": 2,
        "min_share": 0.0,
        "min_margin": 0.5,
        "conflict": "majority",
    }
    return EnsembleVote(dict.fromkeys(MEMBERS, 1.0) | other.pop("weights", {}), **settings | other)


def random_votes(seed: int, count: int) -> list[Vote]:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.integers(0, 40, count)) * SECOND + 1_723_161_600 * SECOND + 1
    return [
        Vote(
            int(rng.integers(0, 4)),
            int(rng.choice([-1, 1])),
            round(float(rng.random()), 3),
            round(float(rng.random()) + 0.1, 3),
            round(float(rng.random()) + 0.1, 3),
            int(at),
        )
        for at in times
    ]


@pytest.mark.parametrize("conflict", ["majority", "veto"])
@pytest.mark.parametrize(("quorum", "min_share", "min_margin"), [(1, 0.0, 0.0), (2, 0.1, 0.5), (3, 0.3, 0.2)])
def test_elections_are_those_of_the_definition(
    conflict: Literal["majority", "veto"], quorum: int, min_share: float, min_margin: float
) -> None:
    weights = [1.0, 0.5, 2.0, 0.0 if quorum < 3 else 0.3]
    votes = random_votes(quorum, 800)
    want = elections(
        votes,
        weights,
        window=60 * SECOND,
        quorum=quorum,
        min_share=min_share,
        min_margin=min_margin,
        veto=conflict == "veto",
    )
    vote = a_vote(
        weights=dict(zip(MEMBERS, weights, strict=True)),
        quorum=quorum,
        min_share=min_share,
        min_margin=min_margin,
        conflict=conflict,
    )
    found = 0
    for cast, (side, confidence, risk, reward) in zip(votes, want, strict=True):
        signal = says(MEMBERS[cast.member], cast.direction, 0.0, cast.risk, cast.reward)
        election = vote.cast(signal, cast.confidence, cast.ts)
        assert (election is not None) == (side != 0)
        if election is not None:
            found += 1
            assert election.signal.direction == side
            assert election.confidence == pytest.approx(confidence)
            assert election.signal.risk == pytest.approx(risk)
            assert abs(election.signal.target - 100.0) == pytest.approx(reward)
            assert election.signal.ts_init == cast.ts
            assert len(election.voters) >= quorum
            assert "volume_profile" not in election.voters or weights[3] > 0.0
        if found % 7 == 3:  # a restart at any point
            again = a_vote(
                weights=dict(zip(MEMBERS, weights, strict=True)),
                quorum=quorum,
                min_share=min_share,
                min_margin=min_margin,
                conflict=conflict,
            )
            again.restore(unpack_all(pack_all(vote.snapshot())))
            vote = again
    assert found >= 10


def test_a_run_is_a_loop_of_votes() -> None:
    votes = random_votes(9, 500)
    vote = a_vote()
    out = np.zeros((len(votes), 5))
    run(
        vote._votes,
        vote._stamps,
        np.ones(4),
        60 * SECOND,
        vote._params,
        np.array([v.member for v in votes]),
        np.array([[v.direction, v.confidence, v.risk, v.reward] for v in votes], np.float64),
        np.array([v.ts for v in votes]),
        out,
    )
    other = a_vote()
    for cast, row in zip(votes, out, strict=True):
        election = other.cast(
            says(MEMBERS[cast.member], cast.direction, 0, cast.risk, cast.reward), cast.confidence, cast.ts
        )
        assert (0 if election is None else election.signal.direction) == row[0]
        if election is not None:
            assert (election.confidence, len(election.voters)) == (row[1], row[4])


def result(vote: EnsembleVote, *casts: tuple[str, int, float, float]) -> Election | None:
    last = None
    for source, direction, at, confidence in casts:
        last = vote.cast(says(source, direction, at), confidence)
    return last


def test_one_member_is_no_quorum_and_does_not_count_twice() -> None:
    assert result(a_vote(), ("momentum", 1, 0, 0.9), ("momentum", 1, 1, 0.9)) is None
    assert result(a_vote(quorum=1), ("momentum", 1, 0, 0.9)) is not None


def test_a_vote_outside_the_window_is_forgotten() -> None:
    assert result(a_vote(), ("momentum", 1, 0, 0.9), ("sar_wave", 1, 60, 0.9)) is not None
    assert result(a_vote(), ("momentum", 1, 0, 0.9), ("sar_wave", 1, 60.001, 0.9)) is None


def test_conflicts_need_a_margin_or_forbid_the_trade() -> None:
    casts = (("momentum", -1, 0, 0.2), ("sar_wave", 1, 1, 0.9), ("supertrend", 1, 2, 0.9))
    clear = result(a_vote(), *casts)
    assert clear is not None
    assert clear.confidence == pytest.approx(0.9 * (1.8 - 0.2) / 2.0)
    assert clear.voters == ("sar_wave", "supertrend")
    assert result(a_vote(min_margin=0.9), *casts) is None
    assert result(a_vote(conflict="veto"), *casts) is None


def test_a_share_of_all_members_may_be_asked_for() -> None:
    casts = (("momentum", 1, 0, 0.9), ("sar_wave", 1, 1, 0.9))
    assert result(a_vote(min_share=0.45), *casts) is not None
    assert result(a_vote(min_share=0.46), *casts) is None


def test_an_election_is_held_once() -> None:
    vote = a_vote()
    assert result(vote, ("momentum", 1, 0, 0.9), ("sar_wave", 1, 1, 0.9)) is not None
    assert result(vote, ("supertrend", 1, 2, 0.9)) is None
    assert result(vote, ("volume_profile", 1, 3, 0.9)) is not None


@pytest.mark.parametrize("weights", [{"momentum": -1.0}, dict.fromkeys(MEMBERS, 0.0)])
def test_weights_that_make_no_vote_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Expected weights of members, none negative, one positive"):
        a_vote(weights=weights)


def test_a_quorum_that_cannot_be_met_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected a quorum of at most the members with a weight, was 4"):
        a_vote(weights={"momentum": 0.0}, quorum=4)


def test_votes_of_other_members_are_refused() -> None:
    other = EnsembleVote({"a": 1.0}, window_secs=1.0, quorum=1, min_share=0.0, min_margin=0.0, conflict="majority")
    with pytest.raises(ValueError, match="Expected the votes of 4 members, was 1"):
        a_vote().restore(other.snapshot())
