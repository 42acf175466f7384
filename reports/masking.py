"""Texts without the passwords that stand in them."""

from __future__ import annotations

import re

__all__ = ["masked"]

_PASSWORD = re.compile(r"(://[^/@:\s]*):[^\s]*@")
_PARAMETER = re.compile(r"([?&]\w*password=)[^&#\s]*")


def masked(text: str) -> str:
    """Return text with the passwords of the URLs in it replaced by `***`."""
    return _PARAMETER.sub(r"\1***", _PASSWORD.sub(r"\1:***@", text))
