"""CSV files that say something of each image: its group, or the part that it belongs to.

A line is an image and a value. An image is called by its path relative to `data.path`, by its file name where no other
image has that, or by its index where images are no files: `12`, or `test/12` where the set has several parts. A first
line that names no image is taken for a heading.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fusion_ops.errors import DataError, nearest

__all__ = ["by_image", "indices_by_name"]

COLUMNS = 2
SHOWN_NAMES = 3


def by_image(path: Path, key: str, names: Sequence[str]) -> dict[int, tuple[str, int]]:
    """Return the value of each image that a file names, and the line where it stands, by the image's index.

    Args:
        path: The file.
        key: The config key that names the file, for messages.
        names: Names of all images.

    Raises:
        DataError: The file cannot be read, a line is malformed, or an image is unknown or named twice; with the line.
    """
    known, found = indices_by_name(names), dict[int, tuple[str, int]]()
    for line, (name, value) in _rows(path, key):
        indices = known.get(name, ())
        if not indices and not found and line == 1:
            continue
        where = f"`data.{key}`: {path}:{line}"
        if not indices:
            hint = nearest(name, known) or f"; known are {_some(names)}"
            raise DataError(f"{where}: the set has no image `{name}`{hint}.")
        if len(indices) > 1:
            raise DataError(
                f"{where}: {len(indices)} images are called `{name}`; write the path, such as `{names[indices[0]]}`."
            )
        if indices[0] in found:
            raise DataError(f"{where}: image `{name}` stands in line {found[indices[0]][1]}, too; keep one of them.")
        found[indices[0]] = (value, line)
    return found


def indices_by_name(names: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
    """Return which images a name means: its path or index, or the file name alone, where that is no other's path."""
    exact = {name: (index,) for index, name in enumerate(names)}
    short: dict[str, tuple[int, ...]] = {}
    for index, name in enumerate(names):
        file = name.rpartition("/")[2]
        if file not in exact:
            short[file] = (*short.get(file, ()), index)
    return short | exact


def _rows(path: Path, key: str) -> Iterator[tuple[int, tuple[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for row in reader:
                cells = [cell.strip() for cell in row]
                if not any(cells):
                    continue
                if len(cells) != COLUMNS or not all(cells):
                    raise DataError(
                        f"`data.{key}`: {path}:{reader.line_num}: a line is an image and a value, with a comma between;"
                        f" got `{','.join(row)}`."
                    )
                yield reader.line_num, (cells[0], cells[1])
    except OSError as error:
        raise DataError(f"`data.{key}`: {path} cannot be read ({error.strerror}).") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"`data.{key}`: {path} is no CSV file in UTF-8 ({error}).") from None


def _some(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:SHOWN_NAMES]) + (", …" if len(names) > SHOWN_NAMES else "")
