"""`--print-config`: every value of a configuration, with its meaning, as a file that reads the same."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from fathom.commands import config_text
from fathom.commands.config_text import structs_in
from fathom.commands.main import main
from fathom.strategies.registry import ACTORS, STRATEGIES, find
from tests.unit.commands.test_tree import LEAVES, options_of

SETS = ["--set", "data.catalog=c"]
CASES = {
    "backtest run": ["configs/backtest/perp-ticks.toml", "configs/backtest/perp-ticks-stack.toml"],
    "backtest ablate": ["configs/backtest/demo.toml"],
    "backtest lookahead": ["configs/backtest/demo.toml"],
    "backtest scorecard": ["configs/scorecard/simulated.toml"],
    "data simulate": ["configs/simulation/edge.toml"],
    "detect run": ["configs/detection/perp-ticks.toml"],
    "features build": ["configs/training/features.toml"],
    "live plan": ["configs/backtest/demo.toml"],
    "live rehearse": ["configs/live/rehearsal.toml"],
    "train run": ["configs/training/edge.toml"],
    "train walk-forward": ["configs/training/edge.toml"],
    "train tune": ["configs/tuning/edge.toml"],
}
WITHOUT_FILE = {
    "data download bybit": ["BTCUSDT", "--from", "2024-12-01", "--to", "2024-12-01"],
    "detect benchmark": [],
    "detect regimes": ["."],
}


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(main, [*arguments, "--print-config"])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("name", CASES)
def test_what_is_printed_reads_the_same(
    name: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = shown(*name.split(), *(str(project / file) for file in CASES[name]))
    file = tmp_path / "printed.toml"
    file.write_text(text)
    again = shown(*name.split(), str(file))
    assert tomllib.loads(again) == tomllib.loads(text)
    assert json.loads(shown(*name.split(), str(file), "--json"))[
        "name" if "backtest" in name or "live" in name else next(iter(tomllib.loads(text)))
    ]
    assert list(tmp_path.iterdir()) == [file]


def test_changes_and_meanings_are_in_it(project: Path) -> None:
    text = shown("train", "run", str(project / "configs/training/edge.toml"), "--set", "label.horizon_secs=45")
    assert tomllib.loads(text)["label"]["horizon_secs"] == 45.0
    assert "# Of everything that is random.\nseed = " in text
    assert "# Share of the training" in text or "# " in text.partition("[fit]")[2]


def kinds_below(kind: type[msgspec.Struct]) -> set[type[msgspec.Struct]]:
    inner = [each for field in msgspec.structs.fields(kind) for each in structs_in(field.type)]
    return {kind}.union(*map(kinds_below, inner))


def structs_of(value: Any) -> list[msgspec.Struct]:
    if isinstance(value, msgspec.Struct):
        return [value, *structs_of(msgspec.structs.asdict(value))]
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return [struct for part in parts for struct in structs_of(part)]


def without_meaning(kinds: set[type[msgspec.Struct]]) -> list[str]:
    fields = [(kind, field.name) for kind in kinds for field in msgspec.structs.fields(kind)]
    return sorted(f"{kind.__name__}.{name}" for kind, name in fields if not config_text.meanings(kind).get(name))


@pytest.mark.parametrize("name", LEAVES)
def test_every_value_of_every_command_has_a_meaning(
    name: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "--print-config" not in options_of(LEAVES[name]):
        assert name not in CASES | WITHOUT_FILE
        return
    monkeypatch.chdir(tmp_path)
    shown_values: list[Any] = []
    monkeypatch.setattr(config_text, "plain", lambda *values: shown_values.extend(values))
    files = [str(project / file) for file in CASES.get(name, ())]
    shown(*name.split(), *files, *WITHOUT_FILE.get(name, ()))
    kinds = {kind for struct in structs_of(shown_values) for kind in kinds_below(type(struct))}
    assert kinds
    assert without_meaning(kinds) == []


@pytest.mark.parametrize(
    ("kind", "name"), [("strategy", name) for name in STRATEGIES] + [("actor", name) for name in ACTORS]
)
def test_every_parameter_of_a_strategy_or_an_actor_has_a_meaning(kind: str, name: str) -> None:
    assert without_meaning(kinds_below(find(name, kind).config)) == []


def test_the_detectors_alone(project: Path) -> None:
    text = shown("detect", "benchmark", "--set", "layering.min_levels=5")
    assert tomllib.loads(text)["layering"]["min_levels"] == 5
