"""What a liquidation leaves: the venue takes no more than the account holds; its insurance fund bears the rest."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.backtests.engine.records import Records
from fathom.settings.times import iso

type Floats = NDArray[np.float64]
type Times = NDArray[np.int64]


class Liquidation(NamedTuple):
    """The end of an account.

    Attributes
    ----------
    ts
        Time of the last execution of the first liquidation, ns.
    instruments
        Whose positions were closed.
    shortfall
        What the account would owe: the insurance fund bears it, and the balance is zero from then on.
    """

    ts: int
    instruments: tuple[str, ...]
    shortfall: float

    def note(self, currency: str) -> str:
        """Return what happened, as a sentence for the run's notes."""
        rest = f" The loss exceeded the account by {self.shortfall:,.2f} {currency}, which the insurance fund bears."
        return (
            f"The account was liquidated at {iso(self.ts)} ({', '.join(self.instruments)}): the equity was below the "
            f"maintenance margin.{rest if self.shortfall else ''}"
        )


def liquidation_of(records: Records) -> Liquidation | None:
    """Return the liquidation of a run; None if there was none."""
    fills = [fill for fill in records.fills if fill.order.role == "LIQUIDATION"]
    if not fills:
        return None
    ts = fills[-1].ts_event
    balance = next((total for at, total in reversed(records.balances) if at <= ts), 0.0)
    instruments = tuple(sorted({fill.order.instrument_id for fill in fills}))
    return Liquidation(ts, instruments, max(0.0, -balance))


def insured(times_ns: Times, equity: Floats, liquidation: Liquidation | None) -> Floats:
    """Return what the insurance fund bears at each time, so that the account never owes.

    Parameters
    ----------
    times_ns, equity
        The grid, and the equity without the fund.
    liquidation
        None where the venue liquidates nobody: then the account may owe, and nothing is borne.
    """
    if liquidation is None:
        return np.zeros(times_ns.size)
    return np.where(times_ns < liquidation.ts, np.maximum(0.0, -equity), liquidation.shortfall)
