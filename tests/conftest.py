"""The order of the tests, whole runs first, so that all processes end at about the same time; what they leave."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reports.measures import MEASURES


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slow tests first; the order is otherwise kept."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def measures() -> Iterator[None]:
    """Forget the user-defined objectives that a test has declared in this process."""
    before = dict(MEASURES._entries)
    yield
    MEASURES._entries.clear()
    MEASURES._entries.update(before)
