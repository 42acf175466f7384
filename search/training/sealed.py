"""Files that say whether they are still what was written: the SHA-256 of the rest stands in the first line."""

from __future__ import annotations

import hashlib

__all__ = ["DamagedStateError", "sealed", "unsealed"]


class DamagedStateError(Exception):
    """A file is not what was written."""


def sealed(content: bytes) -> bytes:
    """Return what is written."""
    return _digest(content) + b"\n" + content


def unsealed(written: bytes) -> bytes:
    """Return the content of what `sealed` returned.

    Raises:
        DamagedStateError: It is not that.
    """
    expected, _, content = written.partition(b"\n")
    found = _digest(content)
    if found != expected:
        shown = expected[:16].decode("ascii", "backslashreplace")
        raise DamagedStateError(f"SHA-256 {shown}… expected, {found[:16].decode()}…")
    return content


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
