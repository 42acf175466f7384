"""Reading files out of a `.tar.gz` without unpacking it: links, `..` and bombs are refused by name."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from fusion_ops.errors import DataError

__all__ = ["read_members"]

MOST_MEMBERS = 1_000
MOST_BYTES = 2**30


def read_members(path: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Return the content of the named members of a `.tar.gz`.

    Args:
        path: The archive.
        names: Names of the members.

    Raises:
        DataError: It is no such archive, truncated or corrupt; a member is missing, a link, or lies outside; it
            has more than 1,000 members or 1 GiB.
    """
    wanted, found, total = set(names), {}, 0
    try:
        with tarfile.open(path, mode="r|gz") as archive:
            for count, member in enumerate(archive, start=1):
                total += member.size
                _check(path, member, count, total)
                file = archive.extractfile(member) if member.name in wanted else None
                if file is not None:
                    found[member.name] = file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is no whole .tar.gz archive ({error}); get it anew.") from None
    missing = sorted(wanted - set(found))
    if missing:
        raise DataError(f"{path} has no member `{missing[0]}`; is it another archive?")
    return found


def _check(path: Path, member: tarfile.TarInfo, count: int, total: int) -> None:
    name = PurePosixPath(member.name)
    if not member.isfile() and not member.isdir():
        raise DataError(f"{path}: member `{member.name}` is a link or a device; only files and folders are read.")
    if name.is_absolute() or ".." in name.parts:
        raise DataError(f"{path}: member `{member.name}` lies outside of the archive's folder.")
    if count > MOST_MEMBERS or total > MOST_BYTES:
        raise DataError(
            f"{path}: with member `{member.name}` there are {count:,} members of {total:,} bytes; at most "
            f"{MOST_MEMBERS:,} and {MOST_BYTES:,} are read."
        )
