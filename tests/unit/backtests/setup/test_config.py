"""Configuration files: merging, defaults, and errors that name file, path, expectation and nearest name."""

import tomllib
from pathlib import Path

import pytest

from fathom.backtests.setup.config import fitting_interval, load
from fathom.settings.errors import SettingsError
from fathom.settings.toml import dump_toml

BASE = """
name = "base"
[data]
catalog = "catalog"
instruments = ["BTCUSDT-LINEAR.BYBIT", "ETHUSDT-LINEAR.BYBIT"]
[venue.fees]
maker = 0.0002
taker = 0.00055
[[strategies]]
name = "supertrend"
[strategies.parameters]
atr_period = 7
"""


def write(folder: Path, text: str, name: str = "base.toml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_a_small_file_gets_every_default(tmp_path: Path) -> None:
    resolved = load([write(tmp_path, BASE)])
    assert resolved.config.venue.latency.base_ms == 20.0
    assert resolved.strategies[0].parameters.atr_period == 7
    assert resolved.strategies[0].parameters.multiplier == 3.0
    assert resolved.strategies[0].instruments == ["BTCUSDT-LINEAR.BYBIT", "ETHUSDT-LINEAR.BYBIT"]


def test_the_resolved_text_is_a_configuration_with_the_same_text(tmp_path: Path) -> None:
    first = load([write(tmp_path, BASE)], ["data.start=2024-08-08T23:55:00.500Z"])
    again = load([write(tmp_path, first.text, "again.toml")])
    assert again.text == first.text
    assert again.digest == first.digest
    assert "base_ms = 20.0" in first.text
    assert "volume_window = 20" in first.text


def test_a_later_file_overrides_key_by_key_and_replaces_arrays(tmp_path: Path) -> None:
    overlay = """
[venue]
leverage = 3.0
[venue.fees]
maker = -0.0001
[[strategies]]
name = "supertrend"
instruments = ["ETHUSDT-LINEAR.BYBIT"]
"""
    resolved = load([write(tmp_path, BASE), write(tmp_path, overlay, "overlay.toml")])
    assert (resolved.config.venue.fees.maker, resolved.config.venue.fees.taker) == (-0.0001, 0.00055)
    assert resolved.config.venue.leverage == 3.0
    assert resolved.strategies[0].parameters.atr_period == 10  # the first file's strategies are gone
    assert resolved.strategies[0].instruments == ["ETHUSDT-LINEAR.BYBIT"]


def test_an_assignment_overrides_the_files(tmp_path: Path) -> None:
    resolved = load([write(tmp_path, BASE)], ["strategies.0.parameters.atr_period=21", "data.catalog=other/place"])
    assert resolved.strategies[0].parameters.atr_period == 21
    assert resolved.config.data.catalog == str(Path.cwd() / "other" / "place")


WRONG = [
    ("venue.fees.makr = 0.1", "venue.fees.makr: Expected one of: maker, taker. Did you mean 'maker'?"),
    (
        "venu.leverage = 3",
        "venu: Expected one of: name, data, venue, seed, bars_delay_ms, actors, strategies, funding, report, risk",
    ),
    ("venue.fees.maker = 'x'", "venue.fees.maker: Expected float, was 'x' (str)."),
    ("venue.fees.maker = 0.5", "venue.fees.maker: Expected float <= 0.1, was 0.5 (float)."),
    ("venue.leverage = 0", "venue.leverage: Expected float >= 1.0, was 0 (int)."),
    ("venue.starting_balance = '5'", "venue: Expected venue.starting_balance such as '100000 USDT', was '5'."),
    (
        "data.types = ['book', 'trade']",
        "data.types[1]: Expected one of: book, trades, bars; was 'trade'. Did you ",
    ),
    ("data.types = ['bars']", "data: Expected data.bars together with the type 'bars', and only then."),
    ("data.start = '2024-08-08T00:00:00'", "data.start: Expected datetime with a timezone component, was '2024"),
    ("data.instruments = []", "data.instruments: Expected array of length >= 1, was an array of 0."),
    ("data.instruments = ['A.X', 'B.Y']", "data: Expected data.instruments of one venue, was X, Y."),
    (
        "funding.source = 'katalog'",
        "funding.source: Expected one of: none, catalog, constant; was 'katalog'. Did you",
    ),
    (
        "report.equity_interval = '1 s'",
        "report: Expected a duration such as 1s, 5m or 1h30m (units: ms, s, m, h, d)",
    ),
    (
        "report.benchmark = 'BTC'",
        "report.benchmark: Expected an instrument of data.instruments (BTCUSDT-LINEAR.BYB",
    ),
    (
        "strategies.0.name = 'supertrnd'",
        "strategies[0].name: Expected the name of a strategy, was 'supertrnd'. Did ",
    ),
    ("strategies.0.parameters.atr = 3", "strategies[0].parameters.atr: Expected one of: direction, entry, "),
    ("strategies.0.parameters.atr_period = 1", "strategies[0].parameters.atr_period: Expected int >= 2, was 1 (int)."),
    ("strategies.0.parameters.bars = '5 s'", "strategies[0].parameters: Expected bars such as '5-SECOND-LAST-INTERNA"),
    (
        "strategies.0.parameters.bars = '1-MINUTE-MID-INTERNAL'",
        "strategies[0].parameters: Expected volume_window = 0",
    ),
    ("strategies.0.parameters.entry = 'stop'", "strategies[0].parameters.entry: Expected one of: market, limit; was '"),
    ("strategies.0.instruments = ['SOL']", "strategies[0].instruments[0]: Expected an instrument of data.instruments"),
    (
        "actors = [{ name = 'feature' }]",
        "actors[0].name: Expected the name of an actor, was 'feature'. Did you mean 'f",
    ),
    (
        "actors = [{ name = 'features', parameters = { recrd = true } }]",
        "actors[0].parameters.recrd: Expected one of: ",
    ),
    ("name = 'a/b'", "name: Expected str matching regex '^[A-Za-z0-9][A-Za-z0-9._-]*$', was 'a/b' (str)."),
]


@pytest.mark.parametrize(("setting", "message"), WRONG, ids=[setting for setting, _ in WRONG])
def test_a_wrong_setting_names_file_path_expectation_and_nearest_name(
    tmp_path: Path, setting: str, message: str
) -> None:
    key, _, value = setting.partition(" = ")
    with pytest.raises(SettingsError) as raised:
        load([write(tmp_path, BASE)], [f"{key}={value}"])
    assert f"--set {key}={value}: {message}" in str(raised.value)


def test_the_error_names_the_file_that_set_the_value(tmp_path: Path) -> None:
    overlay = write(tmp_path, "[venue]\nleverage = 'high'\n", "overlay.toml")
    with pytest.raises(SettingsError) as raised:
        load([write(tmp_path, BASE), overlay])
    assert str(raised.value) == f"{overlay}: venue.leverage: Expected float, was 'high' (str)."
    with pytest.raises(SettingsError) as raised:
        load([write(tmp_path, BASE.replace("maker", "makr")), write(tmp_path, "seed = 3\n", "seed.toml")])
    assert str(raised.value).startswith(f"{tmp_path / 'base.toml'}: venue.fees.makr: Expected one of: maker, taker.")


def test_a_missing_value_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"venue.fees.taker: Expected a value, was only maker\."):
        load([write(tmp_path, BASE.replace("taker = 0.00055", ""))])
    with pytest.raises(
        SettingsError, match=r"bsae\.toml: Expected a TOML file, was none\. Did you mean '.*base\.toml'\?"
    ):
        load([tmp_path / "bsae.toml"])
    with pytest.raises(SettingsError, match=r"base\.toml: Expected a TOML file: .*line 2"):
        load([write(tmp_path, "name = 'x'\nseed = = 3\n")])


@pytest.mark.parametrize("assignment", ["seed", "=3", "strategies.4.name=x", "data.instruments.x=y"])
def test_an_assignment_that_makes_no_sense_is_refused(tmp_path: Path, assignment: str) -> None:
    with pytest.raises(SettingsError, match=r"^--set .*: Expected "):
        load([write(tmp_path, BASE)], [assignment])


def test_toml_text_reads_back_equal() -> None:
    content = {
        "name": 'quote " and \\ and é',
        "numbers": [1, 2.5, -0.1, 1e-12],
        "flag": True,
        "table": {"inner": {"deep": "x"}, "empty": {}},
        "rows": [{"a": 1, "t": {"b": [True, False]}}, {"a": 2}],
        "odd key": 1,
    }
    assert tomllib.loads(dump_toml(content)) == content


def test_every_shipped_configuration_is_valid(project: Path) -> None:
    files = [
        file for file in sorted((project / "configs" / "backtest").glob("*.toml")) if "instrument" not in file.stem
    ]
    whole = [file for file in files if "data" in tomllib.loads(file.read_text())]
    assert len(whole) >= 4
    for file in whole:
        assert load([file]).config.name == file.stem
        load([file, project / "configs" / "system" / "supertrend.toml"])
        load([file, project / "configs" / "system" / "risk.toml"])
        load([project / "configs" / "system" / "venue.toml", file])
    for overlay in set(files) - set(whole):  # laid over the configuration with whose name theirs begins
        (base,) = [file for file in whole if overlay.stem.startswith(f"{file.stem}-")]
        assert load([base, overlay]).config.name == overlay.stem


def test_the_risk_section_is_read_shown_and_laid_over(project: Path, tmp_path: Path) -> None:
    assert load([write(tmp_path, BASE)]).config.risk is None
    limited = load([write(tmp_path, BASE), project / "configs" / "system" / "risk.toml"])
    assert limited.config.risk is not None
    assert limited.config.risk.protections.stoploss_guard is not None
    assert load([write(tmp_path, limited.text, "again.toml")]).text == limited.text
    own = load([write(tmp_path, BASE)], ["strategies.0.parameters.risk.max_notional=500", "risk.check_ms=250"])
    assert own.strategies[0].parameters.risk.max_notional == 500.0
    assert own.config.risk is not None
    assert (own.config.risk.check_ms, own.config.risk.max_drawdown) == (250, 0.15)
    with pytest.raises(SettingsError, match=r"risk\.max_drawdwn: Expected one of: .*Did you mean 'max_drawdown'\?"):
        load([write(tmp_path, BASE)], ["risk.max_drawdwn=0.1"])


def test_an_actor_gets_the_instruments_of_the_data(tmp_path: Path) -> None:
    resolved = load([write(tmp_path, BASE + '[[actors]]\nname = "features"\n')])
    assert list(resolved.actors[0].parameters.instruments) == resolved.config.data.instruments
    assert load([write(tmp_path, resolved.text, "again.toml")]).text == resolved.text


def test_the_grid_fits_the_span() -> None:
    spans = {344: "1s", 10_000: "1s", 10_001: "5s", 86_400: "10s", 86_400 * 365: "1h", 86_400 * 36_500: "1d"}
    assert {secs: fitting_interval(secs * 10**9) for secs in spans} == spans
