"""Every detector stands under the laws."""

import detectors
from tests.makers.detector_registry import DETECTORS


def test_every_detector_is_registered() -> None:
    public = {name for name in detectors.__all__ if hasattr(getattr(detectors, name), "restore")}
    assert public - {"BarDetector"} == set(DETECTORS), (
        "tests/makers/detector_registry.py lists every detector, so that the laws hold for it"
    )


def test_every_detector_can_be_driven_saved_and_restored() -> None:
    for name, registered in DETECTORS.items():
        detector = registered.make(0)
        assert type(detector) is getattr(detectors, name)
        assert callable(detector.update)
        detector.restore(detector.snapshot())
