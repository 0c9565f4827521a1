"""What a walk-forward is, by its settings and data, so that a folder is never continued with others."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from fathom.ml.errors import TrainingError
from fathom.ml.samples.datasets import Arrays
from fathom.ml.training.config import TrainingConfig
from fathom.ml.training.fit_config import NetConfig
from fathom.settings.whole_files import write_whole

_FORMAT: Final = 1
_IDENTITY: Final = "identity.json"


def identify(config: TrainingConfig, arrays: Arrays, out: Path) -> None:
    """Write down what a folder is for, or compare.

    Raises
    ------
    TrainingError
        The folder holds a run of other settings or data; the message names them.
    """
    own: dict[str, Any] = {"format": _FORMAT, "dataset": arrays.facts.hash, "settings": _settings(config)}
    own["baseline_rows"] = config.evaluation.baseline_rows
    own["nets"] = {net.name: net.parameters for net in config.nets}
    path = out / _IDENTITY
    if not path.is_file():
        write_whole(path, msgspec.json.format(msgspec.json.encode(own, order="sorted"), indent=1))
        return
    held = msgspec.json.decode(path.read_bytes())
    # A net more or less is no other run, a net with other settings is.
    nets = own.pop("nets")
    held_nets = held.pop("nets")
    other = [f"nets.{name}" for name in nets if name in held_nets and held_nets[name] != nets[name]]
    other += list(_unlike(held, msgspec.json.decode(msgspec.json.encode(own)), ""))
    if other:
        raise TrainingError(
            f"Expected the run of these settings and data in {out}, was one with other {', '.join(other)}: "
            "name another folder, or remove it."
        )
    if nets.keys() - held_nets.keys():
        whole = {**held, "nets": held_nets | nets}
        write_whole(path, msgspec.json.format(msgspec.json.encode(whole, order="sorted"), indent=1))


def _unlike(held: Any, own: Any, path: str) -> Iterator[str]:
    if isinstance(held, Mapping) and isinstance(own, Mapping):
        for name in sorted({*held, *own}):
            yield from _unlike(held.get(name), own.get(name), f"{path}.{name}".lstrip("."))
    elif held != own:
        yield path.removeprefix("settings.")


def trial(config: TrainingConfig, net: NetConfig) -> tuple[str, str, str, dict[str, Any]]:
    """Return kind, key, name and settings of a net of a walk-forward, for `TrialLedger.record`."""
    settings = {"model": net.name, "parameters": dict(net.parameters), **_settings(config)}
    key = sha256(msgspec.json.encode(settings, order="sorted")).hexdigest()[:16]
    return "walk-forward", key, f"{config.name} {net.name}", settings


def _settings(config: TrainingConfig) -> dict[str, Any]:
    # Where things lie does not matter, nor does how results are judged or how often progress is saved.
    plain: dict[str, Any] = msgspec.to_builtins(config)
    for name in ("ledger", "evaluation", "nets", "name"):
        del plain[name]
    for name in ("features", "catalog", "table", "arrays", "cache"):
        del plain["data"][name]
    for name in ("snapshot_secs", "device", "threads", "precision"):
        del plain["fit"][name]
    return plain
