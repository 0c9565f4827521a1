"""The actor that holds the books of a system's instruments, whoever else reads them."""

from typing import Self

from nautilus_trader.common import DataActor, DataActorConfig
from nautilus_trader.model import ActorId, BookType, InstrumentId


class Holder(DataActor):
    """Holds the books of the instruments, so that the engine has quotes.

    Without quotes a backtest liquidates nobody, and a live or simulated venue values no position.

    Parameters
    ----------
    actor_id
        Its name.
    instruments
        Ids.
    depth
        Levels a side of the book, as all components ask for it; None for all.
    """

    def __new__(cls, actor_id: str, instruments: list[str], depth: int | None) -> Self:
        return super().__new__(cls, DataActorConfig(actor_id=ActorId(actor_id)))  # type: ignore[call-arg]

    def __init__(self, actor_id: str, instruments: list[str], depth: int | None) -> None:
        super().__init__()
        self.instruments = instruments
        self.depth = depth

    def on_start(self) -> None:
        for name in self.instruments:
            self.subscribe_book_deltas(InstrumentId.from_str(name), BookType.L2_MBP, self.depth, managed=True)
