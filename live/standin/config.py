"""What a stand-in is made of: the recording it replays, its pace, its accounts and its faults."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from fathom.settings.toml import ConfigPath

type NotNegative = Annotated[float, Meta(ge=0)]
type Named = Annotated[str, Meta(min_length=1)]
type Amount = Annotated[str, Meta(pattern=r"^\d+(\.\d+)?$")]
type Fraction = Annotated[str, Meta(pattern=r"^-?0(\.\d+)?$")]


class AccountConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One account of the exchange and its API key.

    Parameters
    ----------
    key, secret : str
        The pair with which requests are signed.
    uid : int
    balance : str
        USDT at the start.
    read_only : bool
        The key may not trade.
    ips : list of str
        The addresses to which the key is bound; as `query-api` tells, "*" for none.
    dcp : bool
        The account may use disconnected-cancel-all, as institutions may.
    """

    key: Named = "rehearsal-key"
    secret: Named = "rehearsal-secret"
    uid: int = 1001
    balance: Amount = "10000"
    read_only: bool = False
    ips: list[str] = msgspec.field(default_factory=lambda: ["127.0.0.1"])
    dcp: bool = False


class FaultConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault of the schedule.

    Parameters
    ----------
    at : float
        Seconds of exchange time after the start of the replay.
    fault : str
        Its kind, as `fathom.live.standin.faults` lists them.
    args : dict
        What this kind needs to know.
    """

    at: NotNegative
    fault: str
    args: dict[str, Any] = {}


class StandInConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stand-in exchange.

    Parameters
    ----------
    catalog : str
        The catalog that is replayed.
    instruments : str, optional
        Bybit's `instruments-info` response (JSON) for the contracts' rules; by default the catalog's definitions.
    symbols : list of str
        Symbols of the catalog; empty for all.
    speed : float
        Recorded seconds in a second; 0 lets the market stand still until `StandIn.advance`.
    stamps : {"wall", "recorded"}
        Messages carry the time of the wall clock, or that of the recording.
    skip_secs : float
        Seconds of the recording that are history when the replay begins: candles and trades know them.
    start_on_connect : bool
        The replay waits for the first subscription to a book.
    repeat : bool
        At the end the recording starts again.
    cadence : {"venue", "recorded"}
        A book topic is sent as often as the venue sends it, or at each recorded message.
    host, port
        Port 0 takes a free one.
    seed : int
        Of ids and of faults.
    leverage : int
    maker_fee, taker_fee, funding_rate : str
        As fractions; a fee that the catalog's instrument states comes first.
    latency_ms : float
        From the arrival of an order command to the match.
    limits : bool
        Rate limits per account and address hold.
    accounts, faults : list
    """

    catalog: ConfigPath
    instruments: ConfigPath = ""
    symbols: list[str] = []
    speed: NotNegative = 1.0
    stamps: Literal["wall", "recorded"] = "wall"
    skip_secs: NotNegative = 0.0
    start_on_connect: bool = False
    repeat: bool = False
    cadence: Literal["venue", "recorded"] = "venue"
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    seed: int = 0
    leverage: Annotated[int, Meta(ge=1, le=100)] = 10
    maker_fee: Fraction = "0.0002"
    taker_fee: Fraction = "0.00055"
    funding_rate: Fraction = "0.0001"
    latency_ms: NotNegative = 0.0
    limits: bool = True
    accounts: list[AccountConfig] = msgspec.field(default_factory=lambda: [AccountConfig()])
    faults: list[FaultConfig] = []

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other."""
        if self.speed == 0 and self.stamps == "wall":
            raise ValueError(
                "Expected stamps = 'recorded' with speed = 0, was 'wall': the wall clock does not stand still"
            )
        if self.speed == 0 and self.latency_ms > 0:
            raise ValueError(
                "Expected latency_ms = 0 with speed = 0, was above: a market that stands still has no time"
            )
        keys = [account.key for account in self.accounts]
        if not keys or len(set(keys)) < len(keys) or len({account.uid for account in self.accounts}) < len(keys):
            raise ValueError(f"Expected one or more accounts, each with a key and a uid of its own, were {keys}")
