"""One of several processes at work in a study: `python -m ml.tuning_worker CONFIG FOLDER TRIALS NUMBER`."""

import sys

import msgspec

from data_catalog.errors import CatalogError
from ml.errors import TrainingError
from ml.tune_config import load_tune_config
from ml.tuning import tune


def main(config: str, folder: str, trials: str, number: str) -> int:
    """Work until the study has its trials; return the exit code."""
    try:
        settings = msgspec.structs.replace(load_tune_config(config), trials=int(trials))
        tune(settings, folder, worker=int(number))
    except (TrainingError, CatalogError, ValueError) as error:
        print(f"worker {number}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
