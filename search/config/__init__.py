"""The search config: a YAML file, checked strictly, line by line."""

from search.config.search_config import SearchConfig

__all__ = ["SearchConfig"]
