"""One of several processes at work in a study: `python -m fathom.ml.training.tuning_worker CONFIG FOLDER TRIALS
NUMBER`.
"""

import sys

import msgspec

from fathom.data_catalog.errors import CatalogError
from fathom.ml.errors import TrainingError
from fathom.ml.training.tune_config import load_tune_config
from fathom.ml.training.tuning import tune


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
