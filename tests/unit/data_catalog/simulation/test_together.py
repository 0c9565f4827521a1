"""Two equal simulations into one catalog at once: the second waits, and finds the work done."""

import threading
from pathlib import Path

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.simulation.production import simulate
from tests.unit.data_catalog.simulation.test_production import CONFIG, content


def test_the_second_waits_and_finds_it_done(tmp_path: Path) -> None:
    begun, results = threading.Event(), {}

    def first() -> None:
        results["first"] = simulate(CONFIG, Catalog(tmp_path), 3, lambda *_: begun.set())

    def second() -> None:
        begun.wait(60.0)
        results["second"] = simulate(CONFIG, Catalog(tmp_path), 3)

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [made.already for made in results["first"]] == [False]
    assert [made.already for made in results["second"]] == [True]
    alone = tmp_path / "alone"
    simulate(CONFIG, Catalog(alone), 3)
    data = {name: held for name, held in content(tmp_path).items() if name.startswith("data/")}
    assert data == {name: held for name, held in content(alone).items() if name.startswith("data/")}
