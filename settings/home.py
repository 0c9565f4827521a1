"""The one folder that everything is written into unless a user names another place."""

import os
from pathlib import Path


def output(kind: str) -> Path:
    """Return the place of one kind of output, in `$FATHOM_HOME` or else in `fathom-out` of the current folder.

    The kinds are: runs, walk-forward, tuning, models, mlruns, tables, detections, archive, catalog and demo.

    Examples
    --------
    >>> output("runs").name
    'runs'
    """
    return Path(os.environ.get("FATHOM_HOME") or "fathom-out") / kind
