"""Settings: the same slip gets the same answer in every kind of configuration, and paths are relative to their file."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fathom.backtests.experiments.scorecard_config import load_scorecard
from fathom.backtests.setup.config import load
from fathom.data_catalog.simulation.loading import load_scenario
from fathom.ml.tables.config import TableConfig
from fathom.ml.training.config import TrainingConfig
from fathom.ml.training.tune_config import load_tune_config
from fathom.settings.errors import SettingsError
from fathom.settings.toml import read, shipped
from fathom.studies.detection.config import DetectionConfig

BACKTEST = """
name = "x"
strategies = [{ name = "supertrend" }]
[data]
catalog = "catalog"
instruments = ["BTCUSDT-LINEAR.BYBIT"]
[venue.fees]
maker = 0.0002
taker = 0.00055
"""
TRAINING = """
name = "x"
[data]
features = "features.toml"
[[nets]]
name = "compact"
"""
SCORECARD = """
name = "x"
base = ["base.toml"]
[[markets]]
name = "edge"
scenario = "edge.toml"
seeds = [1]
[[strategies]]
name = "momentum"
"""
TUNING = """
name = "x"
training = "training.toml"
[space."fit.learning_rate"]
low = 0.001
high = 0.01
"""
CATALOG = 'catalog = "c"\ninstruments = ["A"]\n'


class Kind(NamedTuple):
    """A kind of configuration, and a place in it for each slip."""

    load: Callable[[Path, Sequence[str]], Any]
    text: str
    number: str
    misspelt: str
    required: str
    array: str  # of one element; empty where the kind has none


KINDS = {
    "backtest": Kind(
        lambda file, changes: load([file], changes), BACKTEST, "venue.leverage", "venue.leverge", "name", "strategies"
    ),
    "training": Kind(
        lambda file, changes: read(TrainingConfig, file, changes),
        TRAINING,
        "label.horizon_secs",
        "label.horizon_sec",
        "name",
        "nets",
    ),
    "tuning": Kind(load_tune_config, TUNING, "trials", "trails", "name", ""),
    "features": Kind(
        lambda file, changes: read(TableConfig, file, changes),
        CATALOG,
        "features.grid_ms",
        "features.gridms",
        "catalog",
        "instruments",
    ),
    "detection": Kind(
        lambda file, changes: read(DetectionConfig, file, changes),
        CATALOG,
        "watch.bar_ms",
        "watch.bar_mss",
        "catalog",
        "instruments",
    ),
    "scenario": Kind(
        load_scenario,
        'scenario = "x"\n[[instruments]]\nsymbol = "A"\n',
        "feed.depth",
        "feed.dpth",
        "scenario",
        "instruments",
    ),
    "scorecard": Kind(
        lambda file, changes: load_scorecard([file], changes), SCORECARD, "bucket_secs", "bucket_sec", "base", "markets"
    ),
}
"""Every kind of configuration that a command reads."""


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "training.toml").write_text(TRAINING)
    return tmp_path / "x.toml"


def refusal(kind: Kind, file: Path, text: str, *changes: str) -> str:
    file.write_text(text)
    with pytest.raises(SettingsError) as raised:
        kind.load(file, changes)
    return str(raised.value)


def test_what_is_right_is_read(kind: Kind, file: Path) -> None:
    file.write_text(kind.text)
    kind.load(file, [f"{kind.number}=7"])


def test_an_unknown_name_is_told_with_its_source_and_the_nearest(kind: Kind, file: Path) -> None:
    message = refusal(kind, file, kind.text, f"{kind.misspelt}=5")
    assert message.startswith(f"--set {kind.misspelt}=5: {kind.misspelt}: Expected one of: ")
    assert message.endswith(f" Did you mean '{kind.number.rpartition('.')[2]}'?")
    message = refusal(kind, file, f"{kind.misspelt} = 5\n{kind.text}")
    assert message.startswith(f"{file}: {kind.misspelt}: Expected one of: ")


def test_a_text_in_the_place_of_a_number_is_shown(kind: Kind, file: Path) -> None:
    message = refusal(kind, file, kind.text, f"{kind.number}=many")
    assert message.startswith(f"--set {kind.number}=many: {kind.number}: Expected ")
    assert message.endswith(", was 'many' (str).")


def test_an_index_that_is_none_is_refused(kind: Kind, file: Path) -> None:
    for index in ("9", "first") if kind.array else ():
        change = f"{kind.array}.{index}=1"
        expected = f"--set {change}: Expected an index below 1 into {kind.array}, was '{index}'."
        assert refusal(kind, file, kind.text, change) == expected


def test_a_change_that_is_none_is_refused(kind: Kind, file: Path) -> None:
    for change in ("seed", "=3", "a..b=3"):
        expected = f"--set {change}: Expected KEY=VALUE, such as venue.leverage=5."
        assert refusal(kind, file, kind.text, change) == expected
    change = f"{kind.number}.x=1"
    expected = f"--set {change}: Expected a table or an array at {kind.number}, was 1."
    assert refusal(kind, file, kind.text, f"{kind.number}=1", change) == expected


def test_what_is_absent_is_named(kind: Kind, file: Path) -> None:
    lines = [line for line in kind.text.splitlines() if not line.startswith(f"{kind.required} =")]
    message = refusal(kind, file, "\n".join(lines))
    assert message.startswith(f"{file}: {kind.required}: Expected a value, was only ")


def test_a_file_that_is_none_or_no_toml_is_named(kind: Kind, file: Path) -> None:
    assert refusal(kind, file, "name = ").startswith(f"{file}: Expected a TOML file: ")
    with pytest.raises(SettingsError) as raised:
        kind.load(file.with_name("y.toml"), [])
    hint = f"Did you mean '{file}'?"
    assert str(raised.value) == f"{file.with_name('y.toml')}: Expected a TOML file, was none. {hint}"


def test_a_path_is_relative_to_the_file_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "configs" / "x.toml").write_text(BACKTEST)
    (tmp_path / "configs" / "t.toml").write_text(TRAINING.replace("features.toml", "../tables/f.toml"))
    (tmp_path / "s.toml").write_text(SCORECARD)
    monkeypatch.chdir(tmp_path / "here")
    assert load(["../configs/x.toml"]).config.data.catalog == str(tmp_path / "configs" / "catalog")
    assert load(["../configs/x.toml"], ["data.catalog=c"]).config.data.catalog == str(tmp_path / "here" / "c")
    training = read(TrainingConfig, "../configs/t.toml", ["ledger=l"])
    assert training.data.features == str(tmp_path / "tables" / "f.toml")
    assert training.ledger == str(tmp_path / "here" / "l")
    scorecard = load_scorecard(["../s.toml"])
    assert scorecard.base == [str(tmp_path / "base.toml")]
    assert scorecard.markets[0].scenario == str(tmp_path / "edge.toml")


def test_a_path_of_an_actor_is_relative_too_and_a_url_is_none(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(BACKTEST)
    (tmp_path / "actors").mkdir()

    def parameters(name: str, text: str) -> Any:
        (tmp_path / "actors" / "a.toml").write_text(f'[[actors]]\nname = "{name}"\n[actors.parameters]\n{text}')
        return load([tmp_path / "x.toml", tmp_path / "actors" / "a.toml"]).actors[0].parameters

    features = parameters("features", 'micro_price = { "BTCUSDT-LINEAR.BYBIT" = "m.json" }')
    assert features.micro_price == {"BTCUSDT-LINEAR.BYBIT": str(tmp_path / "actors" / "m.json")}
    assert features.rows_from == str(tmp_path / "catalog")
    assert parameters("validation", 'model = "../models/a"').model == str(tmp_path / "models" / "a")
    assert parameters("validation", 'server = "http://127.0.0.1:1"').server == "http://127.0.0.1:1"


def test_a_stored_configuration_says_the_same_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.toml").write_text(BACKTEST)
    (tmp_path / "run").mkdir()
    first = load([tmp_path / "x.toml"])
    (tmp_path / "run" / "config.toml").write_text(first.text)
    monkeypatch.chdir(tmp_path / "run")
    assert load(["config.toml"]).text == first.text


def test_the_digest_is_that_of_the_same_project_in_another_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.toml").write_text(BACKTEST)
        monkeypatch.chdir(tmp_path / name)
        digests.add(load(["x.toml"]).digest)
    assert len(digests) == 1


def test_what_ships_with_fathom_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("configs/training/demo.toml", "training/demo.toml"):
        assert read(TrainingConfig, name).name == "demo"
    features = read(TrainingConfig, "training/demo.toml").data.features
    assert features == str(shipped("training/demo-features.toml"))
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "demo.toml").write_text(TRAINING)
    assert read(TrainingConfig, "training/demo.toml").name == "x"  # the user's own goes first


def test_a_key_may_be_quoted(tmp_path: Path) -> None:
    (tmp_path / "training.toml").write_text(TRAINING)
    (tmp_path / "tune.toml").write_text(TUNING)
    config = load_tune_config(tmp_path / "tune.toml", ['space."fit.learning_rate".high=0.1'])
    assert config.space["fit.learning_rate"].high == 0.1
    with pytest.raises(SettingsError, match=r"space\.fit\.learning_rate\.low: Expected int \| float \| null, was 'x'"):
        load_tune_config(tmp_path / "tune.toml", ['space."fit.learning_rate".low=x'])
