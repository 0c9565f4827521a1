"""One of several processes at work in a study: `python -m fathom.ml.training.tuning_worker CONFIG FOLDER NUMBER
[KEY=VALUE...]`.
"""

import sys

from fathom.ml.training.tune_config import load_tune_config
from fathom.ml.training.tuning import tune
from fathom.settings.errors import FathomError
from fathom.settings.urls import redacted


def main(config: str, folder: str, number: str, *changes: str) -> int:
    """Work until the study has its trials; return the exit code."""
    try:
        tune(load_tune_config(config, changes), folder, worker=int(number))
    except KeyboardInterrupt:
        return 130
    except (FathomError, OSError, ValueError) as error:
        print(redacted(f"worker {number}: {error}"), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
