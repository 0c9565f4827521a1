"""The configuration of a feature table: what it refuses, it names."""

from pathlib import Path

import pytest

from fathom.ml.tables.config import TableConfig
from fathom.settings.errors import SettingsError
from fathom.settings.toml import read

PLAIN = 'catalog = "c"\ninstruments = ["A-LINEAR.BYBIT"]\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "features.toml"
    path.write_text(text)
    return path


def test_the_example_is_valid(project: Path) -> None:
    config = read(TableConfig, project / "configs" / "training" / "features.toml", ["features.grid_ms=500"])
    assert config.instruments == ("BTCUSDT-LINEAR.BYBIT", "ETHUSDT-LINEAR.BYBIT")
    assert config.features.grid_ms == 500


def test_times_are_nanoseconds(tmp_path: Path) -> None:
    text = f"{PLAIN}start = 2024-08-08T23:54:16.501001Z\nend = 2024-08-09T02:00:00+02:00\n"
    config = read(TableConfig, written(tmp_path, text))
    assert (config.start_ns, config.end_ns) == (1_723_161_256_501_001_000, 1_723_161_600_000_000_000)


def test_changes_replace_what_the_file_says(tmp_path: Path) -> None:
    changes = ["catalog=other", "features.features=stationary", "features.depth = 200", 'instruments=["B.BYBIT"]']
    config = read(TableConfig, written(tmp_path, PLAIN), changes)
    assert (config.catalog, config.features.features, config.features.depth) == (
        str(Path.cwd() / "other"),
        "stationary",
        200,
    )
    assert config.instruments == ("B.BYBIT",)


@pytest.mark.parametrize(
    ("text", "changes", "told"),
    [
        (f"{PLAIN}[features]\ngrid_ms = 0\n", [], "features: Expected grid_ms above 0, was 0."),
        (f"{PLAIN}start = 2024-08-08T00:00:00\n", [], "Expected start with a time zone, was 2024-08-08T00:00:00"),
        (f"{PLAIN}start = 2024-08-09T00:00:00Z\nend = 2024-08-08T00:00:00Z\n", [], "Expected start before end"),
        ('catalog = "c"\ninstruments = []\n', [], "instruments: Expected array of length >= 1"),
        ('catalog = "c"\ninstruments = ["A", "A"]\n', [], "Expected each instrument once"),
        (f'{PLAIN}bar_type = "1-MINUTE-LAST-EXTERNAL"\n', [], 'Expected bar_type with features.bars = "outside"'),
        (f'{PLAIN}[features]\nbars = "outside"\n', [], "and only then; was None"),
        (PLAIN, ["features.groups=[]"], "Expected groups to be distinct and not empty"),
        (PLAIN, ["micro_price_until=2024-08-08T00:00:00Z", 'features.groups=["candles"]'], "Expected the group order"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, changes: list[str], told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        read(TableConfig, path, changes)
    assert told in str(caught.value)
    assert changes or str(caught.value).startswith(str(path))


def test_the_defaults_are_every_feature_of_everything() -> None:
    config = TableConfig(catalog="c", instruments=("A",))
    assert config.features.features == "all"
    assert (config.start_ns, config.end_ns, config.micro_price_until_ns) == (None, None, None)
