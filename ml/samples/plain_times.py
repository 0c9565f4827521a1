"""Times as a user has them, as nanoseconds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def times_ns(times: Any) -> NDArray[np.int64]:
    """Return times in ns since the epoch: from such numbers, datetimes, a pandas index or series, or an Arrow column.

    Examples
    --------
    >>> times_ns(["2024-08-09", "2024-08-09T00:00:01"]).tolist()
    [1723161600000000000, 1723161601000000000]
    >>> times_ns([1, 2]).tolist()
    [1, 2]
    """
    values = np.asarray(times)
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    import pandas as pd

    stamps: NDArray[np.int64] = pd.DatetimeIndex(pd.to_datetime(values, utc=True, format="ISO8601")).as_unit("ns").asi8
    return stamps
