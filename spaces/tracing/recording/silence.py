"""Nothing of what is printed, logged or warned of while a network is traced is for the user."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO

__all__ = ["silence"]


@contextmanager
def silence() -> Iterator[None]:
    """Let nothing through until the context ends; loggers that come to be within it are silent, too."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
