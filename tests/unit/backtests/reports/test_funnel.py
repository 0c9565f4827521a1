"""The funnel: counts of each step, reasons grouped without their numbers, and the costs of what was traded."""

from pathlib import Path

import numpy as np
import pytest

from fathom.backtests import run
from fathom.backtests.account.performance import Columns, Performance, columns, load, select
from fathom.backtests.reports.funnel import elected, funnel_sections, reached, why_not
from fathom.backtests.setup.run_files import RunFiles
from fathom.strategies.trading.journal import Decision, Stage, decision_table
from tests.makers.small_market import make_market
from tests.makers.validated_run import tiny, validated_config


def decision(stage: Stage, ended: str = "", reason: str = "", **more: float) -> Decision:
    row = Decision(ts=1, instrument="A.B", strategy="Mine-B", stage=stage, side="BUY", ended=ended, reason=reason)
    for name, value in more.items():
        setattr(row, name, value)
    return row


def of(*rows: Decision) -> Columns:
    return columns(decision_table(list(rows)))


def test_a_signal_counts_in_every_step_it_came_to() -> None:
    signals = of(decision("signal", "policy"), decision("cleared", "risk"), decision("closed"), decision("filled"))
    assert [count for _, count in reached(signals)] == [4, 3, 3, 2, 2, 2, 1]


def test_reasons_are_counted_without_their_numbers() -> None:
    signals = of(
        decision("signal", "validation", "blended 0.41 under 0.50"),
        decision("signal", "validation", "blended 0.42 under 0.50"),
        decision("cleared", "risk", "held"),
        decision("closed", "", "target"),
    )
    assert why_not(signals) == [
        ("Validation", "blended # under #", 2, "blended 0.41 under 0.50"),
        ("Risk gate", "held", 1, "held"),
    ]


def test_an_election_counts_once_and_goes_on_as_what_was_elected() -> None:
    rows = [
        decision("cleared", "vote", "BUY with 0.59: undecided"),
        decision("cleared", "vote", "BUY with 0.60: elected Mine-B-3"),
        decision("closed", "", "target"),
    ]
    for number, row in enumerate(rows, 1):
        row.signal_id = f"Mine-B-{number}"
    merged = elected(of(*rows))
    assert merged["signal_id"].tolist() == ["Mine-B-1", "Mine-B-2"]
    assert [count for _, count in reached(merged)] == [2, 2, 2, 1, 1, 1, 1]
    assert [(by, count) for by, _, count, _ in why_not(merged)] == [("Vote of the ensemble", 1)]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Performance:
    folder = tmp_path_factory.mktemp("funnel")
    market = make_market(folder / "market", seconds=70.0).path
    model = tiny(folder / "up", bias=(0.0, 2.0, 0.0))
    config = validated_config(folder, market, f'model = "{model}"\nblending = {{ threshold = 0.6 }}')
    return load(RunFiles(run([config], out=folder / "runs").path))


def test_the_page_shows_the_funnel_of_the_run(played: Performance) -> None:
    sections = {section.anchor: section for section in funnel_sections(played)}
    assert set(sections) == {"funnel", "quality"}
    assert "blended 0.547 under 0.600" in sections["funnel"].body
    assert "Scripted-BTCUSDT-1" in sections["quality"].body
    assert "Scripted-BTCUSDT-2" not in sections["quality"].body  # refused


def test_slippage_against_the_decision_is_that_of_the_fills(played: Performance) -> None:
    decisions = played.kept["decisions"]
    first = select(decisions, decisions["stage"] == "closed")
    fills = select(played.fills, (played.fills["role"] == "ENTRY"))
    mean = np.sum(fills["price"] * fills["quantity"]) / np.sum(fills["quantity"])
    wanted = (mean - first["decision_price"][0]) / first["decision_price"][0] * 1e4
    assert first["slippage_bps"][0] == pytest.approx(wanted, rel=1e-9)
    assert first["arrival_mid"][0] == pytest.approx(fills["arrival_mid"][0])


def test_a_run_without_journals_has_no_funnel(played: Performance, tmp_path: Path) -> None:
    kept = dict(played.kept)
    del kept["decisions"]
    from dataclasses import replace

    assert funnel_sections(replace(played, kept=kept)) == []
