"""What detectors said in a run, on its execution page."""

from pathlib import Path
from typing import Any

import numpy as np

from fathom.backtests.account.performance import load
from fathom.backtests.reports.detection_sections import (
    MOST_ALERTS,
    MOST_MARKS,
    alert_marks,
    alert_sections,
    regime_bands,
)
from fathom.backtests.reports.execution_page import execution_html
from fathom.backtests.setup.run_files import RunFiles, write_kept_table
from fathom.data_catalog.messages.detections import Detection, ManipulationAlert, RegimeChange
from fathom.data_catalog.messages.findings import messages_table
from tests.makers import alerts
from tests.makers.reading_pages import charts, loads, read
from tests.makers.synthetic_run import SECOND, START, make_run

BTC, ETH = "BTC.X", "ETH.X"
NAN = float("nan")


def alert(name: str, second: float, **fields: Any) -> ManipulationAlert:
    usual = {"confidence": 0.75, "price_low": 99.5, "price_high": 99.5, "size": 3.0, "distance_ticks": 5} | fields
    return alerts.alert(name, START + round(second * SECOND), **usual)


def regime(name: str, second: int, regime: str, **fields: Any) -> RegimeChange:
    plain: dict[str, Any] = {"previous": "", "confidence": 0.7, "pause": False, "is_flat": False, "flat_strength": NAN}
    ts_ns = START + second * SECOND
    return RegimeChange(instrument_id=name, ts_event=ts_ns, ts_init=ts_ns, regime=regime, **plain | fields)  # type: ignore[arg-type]


def made(folder: Path, **messages: list[Any]) -> RunFiles:
    files = make_run(folder, span_secs=344, grid_secs=1, trips=4, instruments=(BTC, ETH))
    kinds: dict[str, type[Detection]] = {"alerts": ManipulationAlert, "regimes": RegimeChange}
    for name, found in messages.items():
        write_kept_table(folder, name, messages_table(kinds[name], found))
    return files


ALERTS = [
    alert(BTC, 10),
    alert(BTC, 11, series=2),
    alert(BTC, 20, side="SELL", kind="LAYERING", price_low=100.5, price_high=103.0, levels=6),
    alert(BTC, 30, side="NONE", kind="QUOTE_STUFFING", price_low=0.0, price_high=0.0, levels=88),
    alert(ETH, 40, confidence=0.9),
]
REGIMES = [
    regime(BTC, 50, "range"),
    regime(BTC, 100, "crash", pause=True),
    regime(BTC, 110, "volatile", is_flat=True),
    regime(BTC, 210, "crash"),
]


def test_marks_are_the_first_alerts_of_each_series_at_their_price(tmp_path: Path) -> None:
    run = load(made(tmp_path / "run", alerts=ALERTS))
    marks = {one.name: one for one in alert_marks(run, BTC)}
    assert sorted(marks) == ["Layering, fake asks", "Quote stuffing", "Spoofing, fake bids"]
    spoofing = marks["Spoofing, fake bids"]
    assert (spoofing.times_ns.tolist(), spoofing.values.tolist()) == ([START + 10 * SECOND], [99.5])
    assert spoofing.up
    assert not marks["Layering, fake asks"].up
    assert marks["Layering, fake asks"].values.tolist() == [100.5]  # the price nearest to the touch
    prices = run.prices[BTC]
    at = int(np.searchsorted(prices["ts"], START + 30 * SECOND, "right")) - 1
    assert marks["Quote stuffing"].text[0][1] == "size 3, 88 changes in the burst"
    assert marks["Quote stuffing"].values.tolist() == [prices["mark"][at]]
    assert [one.times_ns.tolist() for one in alert_marks(run, ETH)] == [[START + 40 * SECOND]]


def test_bands_last_until_the_next_change_or_the_end(tmp_path: Path) -> None:
    run = load(made(tmp_path / "run", regimes=REGIMES))
    bands = {band.name: band for band in regime_bands(run, BTC)}
    assert sorted(bands) == ["crash", "volatile"]
    seconds = {name: ((band.from_ns - START) // SECOND, (band.to_ns - START) // SECOND) for name, band in bands.items()}
    assert [part.tolist() for part in seconds["crash"]] == [[100, 210], [110, 344]]
    assert [part.tolist() for part in seconds["volatile"]] == [[110], [210]]
    assert regime_bands(run, ETH) == []


def test_the_page_counts_what_was_kept(tmp_path: Path) -> None:
    files = made(tmp_path / "run", alerts=ALERTS, regimes=REGIMES)
    page = execution_html(load(files))
    assert loads(page) == []
    text = " ".join(read(page).text)
    assert "Layering, fake asks" in text
    assert "trace" in page
    assert "4 changes; paused 3.4 % and flat 34.0 % of the time" in text  # 10 and 100 of 294 s
    drawn = charts(page)
    assert any(chart.get("bands") for chart in drawn.values())
    assert any(mark["name"] == "Quote stuffing" for chart in drawn.values() for mark in chart["marks"])


def test_a_run_without_detectors_says_nothing_of_them(tmp_path: Path) -> None:
    run = load(make_run(tmp_path / "run", span_secs=344, grid_secs=1, trips=4, instruments=(BTC, ETH)))
    assert run.kept == {}
    assert alert_sections(run) == []
    assert alert_marks(run, BTC) == []
    assert "bands" not in execution_html(run).split("<script type")[1]


def test_detectors_that_found_nothing_say_so(tmp_path: Path) -> None:
    run = load(made(tmp_path / "run", alerts=[], regimes=[]))
    assert [section.anchor for section in alert_sections(run)] == ["detections"]
    assert "raised no alert" in alert_sections(run)[0].body
    assert alert_marks(run, BTC) == []


def test_too_many_alerts_are_thinned_to_the_surest(tmp_path: Path) -> None:
    many = [alert(BTC, 1 + at / 20, confidence=(at % 997) / 1000) for at in range(4_000)]
    run = load(made(tmp_path / "run", alerts=many))
    (marks,) = alert_marks(run, BTC)
    assert marks.times_ns.size == MOST_MARKS // 2
    assert np.all(np.diff(marks.times_ns) > 0)
    body = alert_sections(run)[0].body
    assert body.count("<tr>") == 2 + 1 + MOST_ALERTS  # two heads, one kind
