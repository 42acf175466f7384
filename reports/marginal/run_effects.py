"""What the candidates of a run say of operators at points, for each quality that was measured."""

from __future__ import annotations

import numpy as np

from reports.candidates.candidate import RANDOM
from reports.candidates.table import RANKED_KINDS
from reports.marginal.cells import Effects, effects_of
from reports.marginal.decisions import decisions
from reports.marginal.run_recipes import recipe_columns
from reports.measures import Measure
from reports.run.catalog import Catalog, Entry
from reports.run.run import RunRecord

__all__ = ["beside_of", "effects_of_run", "qualities"]


def qualities(catalog: Catalog) -> tuple[Measure, ...]:
    """Return the measures of quality that some complete candidate has; that of the run first."""
    known = [
        measure
        for measure in catalog.measures
        if measure.quality and any(_has(one, measure) for one in catalog.entries)
    ]
    return (catalog.quality, *(measure for measure in known if measure is not catalog.quality))


def beside_of(run: RunRecord) -> tuple[str, ...]:
    """Return the hyperparameters that the search chose beside operators."""
    chosen = run.config.get("hyperparameters")
    return tuple(str(name) for name in chosen or () if name in run.table.columns)


def effects_of_run(run: RunRecord, catalog: Catalog, quality: Measure) -> Effects:
    """Return the effects on a quality, of all complete candidates of the search, its baselines and what was drawn.

    They are worked out once for a catalog.
    """
    return catalog.once(f"effects on {quality.name}", lambda: _effects(run, catalog, quality))


def _effects(run: RunRecord, catalog: Catalog, quality: Measure) -> Effects:
    entries = [entry for entry in (*catalog.entries, *catalog.drawn) if _has(entry, quality)]
    values = np.array([entry.values[quality.name] for entry in entries], np.float64)
    names, chosen = decisions([entry.architecture for entry in entries])
    return effects_of(
        names or list(catalog.points),
        chosen,
        -quality.sign * values,
        sign=-quality.sign,
        beside=recipe_columns(run, entries),
    )


def _has(entry: Entry, quality: Measure) -> bool:
    counts = entry.kind in RANKED_KINDS or entry.series == RANDOM
    return entry.state == "complete" and counts and entry.values.get(quality.name) is not None
