"""From a system to a live node of the engine: the same actors and strategies as in a backtest, on live clients."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
from nautilus_trader.adapters.bybit import (
    BybitDataClientConfig,
    BybitDataClientFactory,
    BybitExecutionClientConfig,
    BybitExecutionClientFactory,
    BybitProductType,
)
from nautilus_trader.common import Environment, LoggerConfig, LogLevel
from nautilus_trader.live import (
    LiveDataEngineConfig,
    LiveExecutionEngineConfig,
    LiveNode,
    LiveRiskEngineConfig,
)
from nautilus_trader.model import AccountId, TraderId

from fathom.actors.holder import Holder
from fathom.actors.market_stream import MarketStream
from fathom.data_catalog.replay.rows_of_objects import SharedRows
from fathom.live.errors import LiveError
from fathom.live.setup.rehearsal_config import Plan
from fathom.strategies import system
from fathom.strategies.risk.book import RiskBook
from fathom.strategies.trading.config import SignalStrategyConfig
from fathom.strategies.trading.pacer import ORDERS_PER_SEC, Pacer

ACCOUNT: Final = AccountId("BYBIT-001")
ORDERS_LIVE: Final = 8
"""Order commands a second of our own pace: below the venue's, which also counts what we do not see."""
WATCHED: Final = "this session only watches"
"""Why a node that may not trade refuses a signal."""

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_URLS: Final = ("http", "ws_public", "ws_private", "ws_trade")


class Built(NamedTuple):
    """A node that is ready to run, and the parts of it that are ours."""

    node: LiveNode
    actors: list[Any]
    strategies: list[Any]
    book: RiskBook


def data_engine(bars_delay_ms: float) -> LiveDataEngineConfig:
    """Return the settings of the data engine that make bars and quotes those of a backtest.

    Quotes come from the book, as there; bars wait as long for their last trade; a bar that began before the node did is
    none.
    """
    return LiveDataEngineConfig(
        emit_quotes_from_book=True,
        time_bars_build_delay=round(1_000 * bars_delay_ms),
        time_bars_skip_first_non_full_bar=True,
    )


def execution_engine() -> LiveExecutionEngineConfig:
    """Return the settings of the execution engine: all in one object, since a second one overwrites the first."""
    return LiveExecutionEngineConfig(
        reconciliation=True,
        reconciliation_lookback_mins=60,
        inflight_check_threshold_ms=2_000,
        inflight_check_retries=3,
        open_check_interval_secs=5.0,
    )


def build(
    plan: Plan,
    urls: Mapping[str, str],
    key: str,
    secret: str,
    *,
    taker_fee: float,
    trade: bool = True,
    log_level: str = "ERROR",
) -> Built:
    """Build the node of a plan.

    Parameters
    ----------
    plan
        What it runs.
    urls
        `http`, `ws_public`, `ws_private` and `ws_trade` of the venue.
    key, secret
        Of the account.
    taker_fee
        Of the account, as a fraction: sizes count it, as those of a backtest do.
    trade
        Without it the node has no execution client, and so no way to the account: it can send no order, whatever a
        strategy asks for. The limits refuse every signal.
    log_level
        Of the engine's log on standard output.

    Raises
    ------
    LiveError
        A URL leads to another machine: nothing but a rehearsal is built yet.
    """
    for name in _URLS:
        if urlsplit(urls[name]).hostname not in _LOOPBACK:
            raise LiveError(f"Expected the {name} of a rehearsal on this machine, was {urls[name]}.")
    products = [BybitProductType.LINEAR]
    data = BybitDataClientConfig(
        product_types=products,
        base_url_http=urls["http"],
        base_url_ws_public=urls["ws_public"],
        base_url_ws_private=urls["ws_private"],
    )
    execution = BybitExecutionClientConfig(
        product_types=products,
        api_key=key,
        api_secret=secret,
        base_url_http=urls["http"],
        base_url_ws_private=urls["ws_private"],
        base_url_ws_trade=urls["ws_trade"],
        account_id=ACCOUNT,
    )
    pace = f"{ORDERS_PER_SEC}/00:00:01"
    builder = (
        LiveNode.builder(plan.system.name, TraderId("FATHOM-001"), Environment.LIVE)
        .with_logging(LoggerConfig(stdout_level=getattr(LogLevel, log_level), print_config=False, bypass_logging=False))
        .with_data_engine_config(data_engine(plan.system.bars_delay_ms))
        .with_exec_engine_config(execution_engine())
        .with_risk_engine_config(LiveRiskEngineConfig(max_order_submit_rate=pace, max_order_modify_rate=pace))
        .with_timeout_connection(20)
        .with_delay_post_stop_secs(2)
        .add_data_client(None, BybitDataClientFactory(), data)
    )
    if trade:
        builder = builder.add_exec_client(None, BybitExecutionClientFactory(), execution)
    built = _filled(builder.build(), plan, taker_fee)
    if not trade:
        built.book.stop_all(0, "manual", WATCHED)
    return built


def claiming(parameters: Any) -> Any:
    """Return the parameters of a strategy that takes up what the venue holds in its instrument.

    After a crash, the venue reports orders and a position that nobody here knows. A strategy that does not claim them
    trades against them: the venue nets both, and each side believes in a position that is not there.
    """
    if isinstance(parameters, SignalStrategyConfig):
        return msgspec.structs.replace(parameters, claim_external=True)
    return parameters


def _filled(node: LiveNode, plan: Plan, taker_fee: float) -> Built:
    node.add_actor(Holder("Holder-001", plan.system.data.instruments, plan.depth))
    names: set[str] = set()
    actors = [system.build_actor(actor.entry, actor.parameters, names) for actor in plan.components.actors]
    rows = SharedRows()
    for actor in actors:
        if isinstance(actor, MarketStream):
            actor.share(rows)
        node.add_actor(actor)
    book, pacer = RiskBook(plan.system.risk, taker_fee=taker_fee), Pacer(ORDERS_LIVE)
    taken: set[str] = set()
    strategies: list[Any] = []
    for strategy in plan.components.strategies:
        parameters = claiming(strategy.parameters)
        strategies += system.build(strategy.entry, parameters, strategy.instruments, taken, book, pacer)
    for each in strategies:
        each.book_depth = plan.depth
        node.add_strategy(each)
    return Built(node, actors, strategies, book)
