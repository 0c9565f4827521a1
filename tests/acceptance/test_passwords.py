"""Passwords of URLs are in nothing that a run writes or says, and a backtest leaves live vectors alone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from fathom.backtests import run
from fathom.commands.main import main
from fathom.ml.features import FeatureConfig, FeatureSet
from fathom.ml.serving.redis_store import RedisStore
from tests.makers.small_market import BTC, make_market
from tests.makers.validated_run import tiny, validated_config
from tests.servers.redis_server import Server, installed

SECRET = "hunter2"


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_market(tmp_path_factory.mktemp("market"), seconds=40.0).path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    if not installed():
        pytest.skip("redis-server is not installed")
    running = Server(tmp_path, "--requirepass", SECRET)
    yield running
    running.kill()


def holds_secret(folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path.name for path in files if SECRET.encode() in path.read_bytes()]


def test_a_backtest_hides_passwords_and_leaves_live_vectors_alone(market: Path, tmp_path: Path, server: Server) -> None:
    url = f"redis://:{SECRET}@127.0.0.1:{server.port}/0"
    schema = FeatureSet(FeatureConfig(groups=("candles",)), price_increment=0.1, size_increment=0.001).schema
    live = RedisStore(url)
    try:
        live.put(BTC, 5_000_000_000, np.ones(len(schema)), schema)
        assert live.flush(10.0)
        model = tiny(tmp_path / "up", bias=(0.0, 2.0, 0.0))
        config = validated_config(tmp_path, market, f'model = "{model}"', features=f'store = "{url}"')
        made = run([config], out=tmp_path / "runs")
        assert "store" not in " ".join(made.summary.notes)
        latest = live.latest(BTC)
        assert latest is not None
        assert latest.timestamp_ms == 5_000  # not the vector of the backtest
        keys = {key.decode() for key in live._connected().scan_iter()}
    finally:
        live.close()
    backtest = [key for key in keys if not key.startswith("features:live:")]
    assert len(backtest) > 50
    assert all(key.startswith("features:backtest-small-") and f":{BTC}:" in key for key in backtest)
    assert holds_secret(tmp_path / "runs") == holds_secret(market) == []
    text = (made.path / "config.toml").read_text()
    assert f'store = "redis://***@127.0.0.1:{server.port}/0"' in text


def test_nothing_that_a_command_says_or_writes_holds_a_password(market: Path, tmp_path: Path) -> None:
    config = validated_config(
        tmp_path,
        market,
        f'server = "http://user:{SECRET}@127.0.0.1:1"\ndeadline_ms = 20',
        features=f'store = "redis://user:{SECRET}@127.0.0.1:1"',
    )
    commands = (
        ["backtest", "run", str(config), "--out", str(tmp_path / "out"), "--log-level", "debug"],
        ["backtest", "run", str(config), "--out", str(tmp_path / "out"), "--no-pages", "--json"],
        ["backtest", "run", str(config), "--print-config"],
        ["backtest", "run", str(config), "--set", f"venue.leverage=redis://user:{SECRET}@h"],
        ["backtest", "run", str(config), "--set", f"actors.0.parameters.store=ftp://user:{SECRET}@h"],
        ["models", "list", "--store", f"postgresql://user:{SECRET}@127.0.0.1:1/x"],
        ["models", "list", "--store", f"https://user:{SECRET}@127.0.0.1:1"],
        ["data", "download", "bybit", "BTCUSDT", "--from", "2024-12-01", "--to", "2024-12-01",
         "--attempts", "1", "--out", str(tmp_path / "archive"),
         "--trades-url", f"http://user:{SECRET}@127.0.0.1:1", "--books-url", f"http://user:{SECRET}@127.0.0.1:1"],
    )  # fmt: skip
    codes = []
    environment = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "1"}
    for command in commands:
        result = CliRunner().invoke(main, command, env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), command
        assert SECRET not in result.output, command
        codes.append(result.exit_code)
    assert codes == [0, 0, 0, 1, 1, 1, 1, 1]
    (tmp_path / "c.toml").unlink()
    assert holds_secret(tmp_path) == holds_secret(market) == []
