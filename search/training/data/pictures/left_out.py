"""Which files of a folder are not read, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from search.training.data.cache import files_in
from search.training.data.notices import Notices
from search.training.data.pictures.decoding import suffixes
from search.training.data.source import CachedSection

__all__ = ["is_picture", "tell_of_left_out"]

SHOWN = 8


def is_picture(path: Path) -> bool:
    """Return whether a file can be decoded, by its ending."""
    return path.suffix.lower() in suffixes()


def tell_of_left_out(section: CachedSection, read: Iterable[Path], notices: Notices, wanted: str = "pictures") -> None:
    """Tell of all files in the folder of a set, and the folders in it, that were not read; hidden ones are nobody's.

    Args:
        section: The `data` section, with the folder; the files that it divides by are read, too.
        read: What was read.
        notices: Where it is told.
        wanted: What is read, in the plural.
    """
    root, used = section.existing(), set(read)
    dividing = {Path(file).expanduser().resolve() for file in section.division_files.values()}
    left = [path for path in files_in(root) if path not in used and path.resolve() not in dividing]
    if wanted != "pictures":
        if left:
            _say(f"files other than {wanted} are left out", left, _kinds(left), notices)
        return
    others = [path for path in left if not is_picture(path)]
    if others:
        _say("files that are no pictures by their ending are left out", others, _kinds(others), notices)
    pictures = [path for path in left if is_picture(path)]
    if pictures:
        kinds = Counter(_place(path, root) for path in pictures)
        _say("pictures outside of the folders that are read are left out", pictures, kinds, notices)


def _kinds(files: Iterable[Path]) -> Counter[str]:
    return Counter(path.suffix.lower() or "without an ending" for path in files)


def _place(path: Path, root: Path) -> str:
    """Return the folder of the root in which a file is; of a file beside others, the root itself."""
    inside = path.relative_to(root).parts
    return f"in {inside[0]}" if len(inside) > 1 else f"in {root.name} itself"


def _say(what: str, files: Sequence[Path], kinds: Counter[str], notices: Notices) -> None:
    ordered = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(count for _, count in ordered[SHOWN:])
    said = ", ".join(f"{count:,} {kind}" for kind, count in ordered[:SHOWN]) + (f", {rest:,} others" if rest else "")
    notices.say(f"{what}: {said}; the first is {files[0]}")
