"""The search config: a YAML file, checked strictly, line by line.

`SearchConfig` is imported when it is first used: parts of it are needed by what it is checked with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.config.search_config import SearchConfig

__all__ = ["SearchConfig"]


def __getattr__(name: str) -> Any:
    if name != "SearchConfig":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from search.config.search_config import SearchConfig

    return SearchConfig
