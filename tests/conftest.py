"""The order of the tests: whole runs first, so that two processes end at about the same time."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slow tests first; the order is otherwise kept."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
