"""A small catalog and a stand-in that serves it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fathom.live.standin import AccountConfig, StandIn, StandInConfig
from tests.makers.small_market import make_market

ACCOUNTS = [AccountConfig(dcp=True), AccountConfig(key="reader", secret="reads", uid=1002, read_only=True)]


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a catalog of 40 s of two symbols."""
    folder = tmp_path_factory.mktemp("standin") / "catalog"
    make_market(folder, ("BTCUSDT", "ETHUSDT"), seconds=40.0)
    return folder


@pytest.fixture
def held(catalog: Path) -> Iterator[StandIn]:
    """Serve a market that stands still until the test lets time pass."""
    with StandIn(StandInConfig(str(catalog), speed=0, stamps="recorded", accounts=ACCOUNTS, limits=False)) as exchange:
        yield exchange
