"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine must fail no test: how long an example takes is not what these tests ask.
settings.register_profile("fathom", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fathom")

PROJECT = Path(__file__).resolve().parent.parent
REAL_DATA = Path(os.environ.get("FATHOM_REAL_DATA", PROJECT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of recorded market data, or skip the test where it is absent."""
    if not (REAL_DATA / "README.md").is_file():
        pytest.skip(f"no recorded market data at {REAL_DATA} (set FATHOM_REAL_DATA)")
    return REAL_DATA


@pytest.fixture(scope="session")
def project() -> Path:
    """Return the root of the project."""
    return PROJECT
