"""Columns are told apart by their names as text: tables of other tools call them by numbers or pairs, too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from fusion_ops.errors import DataError

__all__ = ["named_again", "named_as_text"]


def named_as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose columns have texts for names.

    Raises:
        DataError: It is no table, or two columns have one name, or names that are one text.
    """
    if not isinstance(table, pd.DataFrame):
        raise DataError(f"a table of candidates is a pandas.DataFrame; got {type(table).__name__}.")
    labels, names = list(table.columns), [str(label) for label in table.columns]
    places: dict[str, list[Any]] = {}
    for label, name in zip(labels, names, strict=True):
        places.setdefault(name, []).append(label)
    for name, same in places.items():
        if len(set(map(repr, same))) > 1:
            got = " and ".join(dict.fromkeys(map(repr, same)))
            raise DataError(f"columns are told apart by their names as text; got {got}. Rename one.")
        if len(same) > 1:
            raise DataError(f"a table has every column once; got `{name}` {len(same)} times. Rename or drop one.")
    return table if labels == names else table.set_axis(names, axis=1)


def named_again(names: Iterable[str], table: pd.DataFrame) -> list[Any]:
    """Return columns as a table calls them; what it has not keeps its name."""
    own: Mapping[str, Any] = {str(label): label for label in table.columns}
    return [own.get(name, name) for name in names]
