"""Training settings: what a file may say, and what it is told where it errs."""

from pathlib import Path

import pytest

from fathom.ml.errors import TrainingConfigError
from fathom.ml.training.config import load_training_config

WHOLE = 'name = "x"\n[data]\narrays = "a"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WHOLE + "[label]\nhorizn_secs = 3\n", "label: Unknown name 'horizn_secs'. Did you mean 'horizon_secs'?"),
        (WHOLE + "[label]\nfee_bps = -3\n", "label.fee_bps: Expected float >= 0.0, was -3."),
        (
            WHOLE + '[label]\nkind = "barier"\n',
            "label.kind: Expected one of: fixed, barrier; was 'barier'. Did you mean 'barrier'?",
        ),
        (WHOLE + "[[nets]]\nname = 3\n", "nets[0].name: Expected str, was 3."),
        (WHOLE + "[fit.loss]\ndirection = -1.0\n", "fit.loss.direction: Expected float >= 0.0, was -1.0."),
        (WHOLE + '[[nets]]\nname = "a"\n[[nets]]\nname = "a"\n', "Expected each net once in nets, was one twice."),
        ('name = "x"\n[data]\n', "data: Expected one of features, table and arrays, was none."),
        (
            WHOLE + 'catalog = "c"\n',
            "data: Expected catalog only beside features, was beside arrays.",
        ),
        ('name = "x"\n', "Object missing required field `data`."),
        ("name = ", "Expected TOML, was something else: Invalid value (at end of document)."),
    ],
)  # fmt: skip
def test_an_error_names_file_place_and_remedy(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(TrainingConfigError) as caught:
        load_training_config(path)
    assert str(caught.value) == f"{path}: {expected}"


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingConfigError, match="Expected a readable TOML file, was No such file"):
        load_training_config(tmp_path / "none.toml")


def test_changes_go_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(WHOLE + '[[nets]]\nname = "compact"\n')
    changes = ("label.horizon_secs=60", "nets.0.name=fusion", "data.arrays=other")
    config = load_training_config(path, changes)
    assert (config.label.horizon_secs, config.nets[0].name, config.data.arrays) == (60.0, "fusion", "other")
    assert config.hash != load_training_config(path).hash
    for change, problem in (
        ("label", "Expected KEY=VALUE"),
        ("nets.1.name=x", "Expected an index below 1, was '1'"),
        ("name.x=1", "Expected a table before 'x', was a value"),
    ):
        with pytest.raises(TrainingConfigError, match=problem):
            load_training_config(path, (change,))


def test_every_configuration_of_the_project_is_valid(project: Path) -> None:
    names = {path.stem: path for path in (project / "configs" / "training").glob("*.toml")}
    for name in ("null", "edge", "bitstamp-24h", "perp-ticks"):
        config = load_training_config(names[name])
        assert config.name == name
        assert config.data.features is not None
        assert (project / config.data.features).is_file()
