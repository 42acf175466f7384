"""What a runtime says it was verified with is what is installed for its tests."""

from pathlib import Path

import pytest

from reports.runtimes import RUNTIMES

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", RUNTIMES.names())
def test_the_version_verified_is_the_one_that_is_pinned(name: str) -> None:
    pins = dict(
        line.split("==")
        for file in ("constraints.txt", "constraints-runtimes.txt")
        for line in (ROOT / file).read_text().splitlines()
        if "==" in line and not line.startswith("#")
    )
    runtime = RUNTIMES[name]
    assert runtime.verified == pins[runtime.packages[0]]
