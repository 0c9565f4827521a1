"""`fathom explain`: the story of a signal agrees with the tables of its run."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fathom.backtests import run
from fathom.backtests.reports.explanation import UnknownSignalError, facts_of, parts_of
from fathom.backtests.setup.run_files import RunFiles
from fathom.commands.explain import explain
from tests.makers.scripted import SCRIPTED
from tests.makers.small_market import config_file, make_market
from tests.makers.validated_run import tiny, validated_config


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> RunFiles:
    folder = tmp_path_factory.mktemp("explained")
    market = make_market(folder / "market", seconds=70.0).path
    model = tiny(folder / "up", bias=(0.0, 2.0, 0.0))
    config = validated_config(
        folder, market, f'model = "{model}"\ninference_latency_ms = 7.0\nblending = {{ threshold = 0.6 }}'
    )
    return RunFiles(run([config], out=folder / "runs", pages=False).path)


def told(files: RunFiles, signal_id: str) -> dict[str, dict[str, str]]:
    return {part.title: dict(part.facts) for part in parts_of(facts_of(files, signal_id), "USDT")}


def test_a_trade_is_told_from_its_features_to_its_result(files: RunFiles) -> None:
    story = told(files, "Scripted-BTCUSDT-1")
    names = [title.split(" ")[0] for title in story]
    assert names == ["Signal", "Features", "Prediction", "Validation", "Risk", "Orders", "Result"]
    assert story["Prediction of the champion"]["Says"] == "up with confidence 0.787"
    assert story["Validation"]["Arithmetic"] == "0.5 x 0.700 (strength) + 0.5 x 0.787 (confidence) = 0.743"
    assert story["Validation"]["Verdict"] == "blended 0.743 reaches 0.600"
    trip = files.table("positions").to_pylist()[0]
    assert story["Result"]["Net"] == f"{trip['pnl_net']:+.2f} USDT"
    assert sum(text.startswith("BUY") for text in story["Orders and fills"].values()) == 1
    features = next(facts for title, facts in story.items() if title.startswith("Features"))
    assert "imbalance_5" in features


def test_features_whose_model_is_gone_are_said_to_be_missing(files: RunFiles) -> None:
    model = files.path.parent.parent / "up"
    model.rename(model.with_name("away"))
    try:
        story = told(files, "Scripted-BTCUSDT-1")
    finally:
        model.with_name("away").rename(model)
    assert story["Features"]["Not told"].startswith(f"{model}: Expected the directory of an artifact")
    assert story["Prediction of the champion"]["Says"] == "up with confidence 0.787"


def test_a_refusal_is_told_with_its_arithmetic(files: RunFiles) -> None:
    story = told(files, "Scripted-BTCUSDT-2")
    assert "0.787 / 2, as it disagrees, (confidence) = 0.547" in story["Validation"]["Arithmetic"]
    assert story["Result"] == {"Not traded": "validation: blended 0.547 under 0.600"}
    assert "Orders and fills" not in story


def test_an_unknown_signal_names_the_nearest(files: RunFiles) -> None:
    with pytest.raises(UnknownSignalError, match=r"was 'Scripted-BTCUSD-1'. Did you mean 'Scripted-BTCUSDT-1'?"):
        facts_of(files, "Scripted-BTCUSD-1")


def asked(*arguments: str) -> Result:
    return CliRunner().invoke(explain, list(arguments))


def test_the_command_lists_tells_and_writes_json(files: RunFiles) -> None:
    listed = asked(str(files.path))
    assert listed.exit_code == 0
    assert "Scripted-BTCUSDT-3" in listed.output
    one = asked(str(files.path), "--signal", "Scripted-BTCUSDT-1")
    assert "Prediction of the champion" in one.output
    plain = json.loads(asked(str(files.path), "--signal", "Scripted-BTCUSDT-1", "--json").output)
    assert plain["decision"]["signal_id"] == "Scripted-BTCUSDT-1"
    assert plain["predictions"][0]["direction"] == 1
    wrong = asked(str(files.path), "--signal", "nobody")
    assert wrong.exit_code == 1
    assert "Expected the id of a signal" in wrong.output


def test_a_run_without_a_model_is_told_too(tmp_path: Path) -> None:
    market = make_market(tmp_path / "market", seconds=30.0).path
    config = config_file(
        tmp_path, market, strategy=SCRIPTED, more='signals = [[5, "BUY", 0.5]]\nmanipulation = { action = "block" }'
    )
    files = RunFiles(run([config], out=tmp_path / "runs", pages=False).path)
    story = told(files, "Scripted-BTCUSDT-1")
    assert story["Manipulation filter"]["Verdict"] == "passed: no live alert on its side"
    assert "Validation" not in story
