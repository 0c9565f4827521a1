"""Training settings: what a file may say, and what it is told where it errs."""

from pathlib import Path

import pytest

from fathom.ml.training.config import TrainingConfig
from fathom.settings.errors import SettingsError
from fathom.settings.toml import read

WHOLE = 'name = "x"\n[data]\narrays = "a"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WHOLE + "[label]\nfee_bps = -3\n", "label.fee_bps: Expected float >= 0.0, was -3 (int)."),
        (
            WHOLE + '[label]\nkind = "barier"\n',
            "label: Expected the name of a label, was 'barier'. Did you mean 'barrier'? "
            'Your own code: "module:Name".',
        ),
        (WHOLE + "[[nets]]\nname = 3\n", "nets[0].name: Expected str, was 3 (int)."),
        (WHOLE + "[fit.loss]\ndirection = -1.0\n", "fit.loss.direction: Expected float >= 0.0, was -1.0 (float)."),
        (WHOLE + '[[nets]]\nname = "a"\n[[nets]]\nname = "a"\n', "Expected each net once in nets, was one twice."),
        ('name = "x"\n[data]\n', "data: Expected one of features, table and arrays, was none."),
        (
            WHOLE + 'catalog = "c"\n',
            "data: Expected catalog only beside features, was beside arrays.",
        ),
    ],
)  # fmt: skip
def test_an_error_names_file_place_and_remedy(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read(TrainingConfig, path)
    assert str(caught.value) == f"{path}: {expected}"


def test_changes_go_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(WHOLE + '[[nets]]\nname = "compact"\n')
    changes = ("label.horizon_secs=60", "nets.0.name=fusion", "data.arrays=other")
    config = read(TrainingConfig, path, changes)
    assert (config.label.horizon_secs, config.nets[0].name, config.data.arrays) == (
        60.0,
        "fusion",
        str(Path.cwd() / "other"),
    )
    assert config.hash != read(TrainingConfig, path).hash


def test_every_configuration_of_the_project_is_valid(project: Path) -> None:
    names = {path.stem: path for path in (project / "configs" / "training").glob("*.toml")}
    for name in ("null", "edge", "bitstamp-24h", "perp-ticks"):
        config = read(TrainingConfig, names[name])
        assert config.name == name
        assert config.data.features is not None
        assert Path(config.data.features).is_file()
