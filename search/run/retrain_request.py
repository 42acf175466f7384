"""What is asked of a retraining: read from arguments, and added to what was asked of it before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fusion_ops.errors import ConfigError
from reports.retrained.record import DEFAULT_RECIPE, RetrainRecord
from search.config.document import Document, shown
from search.config.recipe import SECTION, read_recipe, recipe_document, recipe_name

__all__ = ["SEEDS", "RetrainRequest", "limits_of", "parse_seeds"]

LEAST_SEEDS, MOST_SEEDS, MOST_FINALISTS = 2, 1000, 1000
# Least and most, where nothing is asked for.
SEEDS = (3, 12)
FINALISTS = 3
NO_BUDGET = "none"
HOUR = 3600.0
_SEEDS = re.compile(r"(\d{1,9})(?:\.\.(\d{1,9}))?")
_BUDGET = re.compile(r"(\d{1,12})\s*epochs?|(\d{1,9}(?:\.\d{1,9})?)\s*h")


@dataclass(frozen=True, slots=True)
class RetrainRequest:
    """What a call of `retrain` asks for; what it leaves open is as before, or as by default.

    Args:
        top: Finalists.
        seeds: Least and most seeds of a network.
        recipes: By name, the documents of further recipes.
        budget: `400epochs`, `2h`, or `none`.
        ablate: Whether each point of the winner is set back, too.
    """

    top: int | None = None
    seeds: tuple[int, int] | None = None
    recipes: Mapping[str, Document] | None = None
    budget: str | None = None
    ablate: bool = False

    @classmethod
    def checked(
        cls,
        top: int | None,
        seeds: tuple[int, int] | None,
        recipes: Sequence[str | Path],
        budget: str | None,
        *,
        ablate: bool,
    ) -> RetrainRequest:
        """Return the request that these arguments make.

        Raises:
            ConfigError: One of them is wrong.
        """
        if top is not None and not (_is_whole(top) and 1 <= top <= MOST_FINALISTS):
            raise ConfigError(f"`--top` must be from 1 to {MOST_FINALISTS:,} finalists; got {top!r}.")
        if seeds is not None:
            if not (isinstance(seeds, tuple | list) and len(seeds) == 2 and all(map(_is_whole, seeds))):
                raise ConfigError(
                    f"`seeds` are a whole number, or the least and the most: 5, or (3, 12); got {seeds!r}."
                )
            _check_seeds(*seeds)
        limits_of(budget)
        return cls(top, seeds, _documents(recipes), budget, ablate)

    def over(self, known: RetrainRecord | None) -> RetrainRecord:
        """Return what is asked for now: recipes and ablations are added, all else is replaced where it is given.

        Raises:
            ConfigError: A recipe has the name of another one that was asked for before.
        """
        before = known or RetrainRecord(top=FINALISTS, seeds=SEEDS)
        added = {name: document.values[SECTION] for name, document in (self.recipes or {}).items()}
        for name, changes in added.items():
            if (was := before.recipes.get(name, changes)) != changes:
                raise ConfigError(
                    f"recipe `{name}` of this run is {_keys(was)}, not {_keys(changes)}; give the file another name."
                )
        budget = before.budget if self.budget is None else None if self.budget == NO_BUDGET else self.budget
        seeds = self.seeds or before.seeds
        # Only what was really retrained has been looked at.
        least, most = seeds if known is None else known.looked or known.seeds
        return replace(
            before,
            top=self.top or before.top,
            seeds=seeds,
            looked=(min(least, seeds[0]), max(most, seeds[1])),
            recipes={**before.recipes, **added},
            budget=budget,
            ablate=self.ablate or before.ablate,
        )

    def documents(self, record: RetrainRecord) -> dict[str, Document]:
        """Return the documents of all recipes but the run's own: from their files now, or as they are remembered."""
        given = self.recipes or {}
        remembered = {name: recipe_document(name, changes) for name, changes in record.recipes.items()}
        return {name: given.get(name, document) for name, document in remembered.items() if name != DEFAULT_RECIPE}


def parse_seeds(text: str) -> tuple[int, int]:
    """Return least and most seeds of `5` or `3..12`.

    Raises:
        ConfigError: The text is neither, or there are too few.
    """
    found = _SEEDS.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"`--seeds` is a number of seeds, or the least and the most: 5, or 3..12; got {shown(text)}.")
    least = int(found[1])
    most = int(found[2] or least)
    _check_seeds(least, most)
    return least, most


def limits_of(budget: str | None) -> tuple[int | None, float | None]:
    """Return the most epochs and the most seconds of a budget; `None` where it does not limit them.

    Raises:
        ConfigError: It is no budget.
    """
    if budget is None or budget == NO_BUDGET:
        return None, None
    found = _BUDGET.fullmatch(budget.strip())
    epochs, hours = (int(found[1] or 0), float(found[2] or 0)) if found else (0, 0.0)
    if not epochs and not hours:
        raise ConfigError(f"`--budget` is a number of epochs or hours, 400epochs or 2h, or none; got {shown(budget)}.")
    return (epochs or None), (hours * HOUR or None)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_seeds(least: int, most: int) -> None:
    if least < LEAST_SEEDS:
        raise ConfigError(
            f"`--seeds` must be at least {LEAST_SEEDS}, as fewer say nothing of chance; got {least}. Write 5, or 3..12."
        )
    if not least <= most <= MOST_SEEDS:
        raise ConfigError(
            f"`--seeds` has the least first, then the most, up to {MOST_SEEDS:,}; got {least}..{most}. Write 3..12."
        )


def _documents(recipes: Sequence[str | Path]) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for path in recipes:
        name = recipe_name(path)
        if name in found:
            raise ConfigError(f"{path}: two recipes are called `{name}`; give one of the files another name.")
        found[name] = read_recipe(path)
    return found


def _keys(changes: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in changes.items()) or "the run's own training"
