"""Panel 11: whether the best operator changes with a hyperparameter, and each operator at its best recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.candidates.candidate import RANDOM
from reports.candidates.hyperparameters import settings_in_words
from reports.drawing.palette import OperatorStyle, operator_styles
from reports.marginal.recipes import Along, BestRecipe, Outcome, Recipes
from reports.marginal.run_recipes import counted, main_operator, recipes_of_run, searched
from reports.measures import Measure
from reports.panels.panel import PANELS, Panel
from reports.run.catalog import Catalog, Entry
from reports.run.run import RunRecord
from reports.views.recipe_chart import Mark, picked, recipe_chart
from reports.views.recipe_words import (
    answer,
    chance_word,
    level_word,
    likely_word,
    quality_word,
    question,
    range_word,
    setting_word,
)
from spaces.hyperparameter import Searched

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["BestRow", "RankCell", "RecipeView", "RecipesInfo", "recipes_data", "recipes_info"]

COMPARED = 3
LISTED = 9


@dataclass(frozen=True, slots=True)
class RankCell:
    """An operator at a level: its quality, the 95 % interval, and the probability that it is the best, in words."""

    operator: str
    quality: str
    interval: str
    chance: str


@dataclass(frozen=True, slots=True)
class RecipeView:
    """What is shown of a hyperparameter.

    Args:
        name: Its key.
        setting: It as a sentence has it.
        question: What is asked.
        answer: The answer, in which backticks mark code.
        outcome: The answer for scripts.
        compared: Levels at which operators are ranked: low, middle and high, of categories all.
        ranking: A row for each rank, of a cell for each of these levels.
        listed: Levels of the table beside the chart.
        values: A row for each operator, of a cell for each of these levels.
        figure: The chart.
    """

    name: str
    setting: str
    question: str
    answer: str
    outcome: Outcome
    compared: tuple[str, ...]
    ranking: tuple[tuple[RankCell, ...], ...]
    listed: tuple[str, ...]
    values: tuple[tuple[RankCell, ...], ...]
    figure: Figure


@dataclass(frozen=True, slots=True)
class BestRow:
    """An operator at its best recipe.

    Args:
        operator: The operator.
        settings: For each hyperparameter the best value, and the values that may be the best.
        quality: The expected quality of its uniform network.
        interval: Its 95 % interval.
        entry: The best of the candidates that have it at most of their points; `None` where there is none.
        seen: The quality of that candidate.
        trained: Its hyperparameters.
    """

    operator: str
    settings: tuple[tuple[str, str], ...]
    quality: str
    interval: str
    entry: Entry | None
    seen: str
    trained: str


@dataclass(frozen=True, slots=True)
class RecipesInfo:
    """What the panel shows.

    Args:
        measure: The quality.
        size: Number of candidates.
        problem: Why nothing can be said; empty where something can.
        views: Each hyperparameter.
        best: Each operator at its best recipe, the best first.
        styles: The look of each operator.
    """

    measure: Measure
    size: int
    problem: str
    views: tuple[RecipeView, ...]
    best: tuple[BestRow, ...]
    styles: dict[str, OperatorStyle]


def recipes_info(run: RunRecord, catalog: Catalog) -> RecipesInfo | None:
    """Return what candidates say of hyperparameters; `None` where none were searched."""
    known = searched(run)
    if not known:
        return None
    found = recipes_of_run(run, catalog)
    # What was drawn to compare the search with is not on the page.
    entries = [entry for entry in counted(run, catalog) if entry.series != RANDOM]
    styles = operator_styles(catalog.operators)
    by_name = {one.name: one for one in known}
    return RecipesInfo(
        measure=catalog.quality,
        size=found.size,
        problem=found.problem,
        views=tuple(
            _view(along, found, catalog, styles, _marks(by_name[along.factor.name], entries, catalog))
            for along in found.along
        ),
        best=tuple(_row(best, found.along, catalog.quality, entries) for best in found.best),
        styles=styles,
    )


def recipes_data(info: RecipesInfo) -> dict[str, Any]:
    """Return the charts for the script."""
    return {"figures": [view.figure.to_plotly_json() for view in info.views]}


def _view(
    along: Along, found: Recipes, catalog: Catalog, styles: dict[str, OperatorStyle], marks: Sequence[Mark]
) -> RecipeView:
    levels, operators = along.factor.levels, range(len(found.operators))
    compared = picked(len(levels), COMPARED) if along.factor.ordered else list(range(len(levels)))
    listed = picked(len(levels), LISTED) if along.factor.ordered else compared
    orders = [sorted(operators, key=lambda one: -along.mean[one, level]) for level in compared]
    return RecipeView(
        name=along.factor.name,
        setting=setting_word(along.factor.name),
        question=question(along),
        answer=answer(along, found),
        outcome=along.outcome,
        compared=tuple(level_word(levels[level]) for level in compared),
        ranking=tuple(
            tuple(
                _cell(along, found, catalog.quality, order[rank], level)
                for order, level in zip(orders, compared, strict=True)
            )
            for rank in operators
        ),
        listed=tuple(level_word(levels[level]) for level in listed),
        values=tuple(tuple(_cell(along, found, catalog.quality, one, level) for level in listed) for one in operators),
        figure=recipe_chart(along, found.operators, catalog.quality, styles, marks),
    )


def _cell(along: Along, found: Recipes, measure: Measure, operator: int, level: int) -> RankCell:
    return RankCell(
        operator=found.operators[operator],
        quality=quality_word(measure, along.mean[operator, level]),
        interval=range_word(measure, along.low[operator, level], along.high[operator, level]),
        chance=chance_word(along.best[operator, level]),
    )


def _row(best: BestRecipe, along: Sequence[Along], measure: Measure, entries: Sequence[Entry]) -> BestRow:
    own = [entry for entry in entries if main_operator(entry) == best.operator]
    entry = min(own, key=lambda one: measure.loss(one.values[measure.name]), default=None)
    return BestRow(
        operator=best.operator,
        settings=tuple(
            (level_word(one.factor.levels[level]), likely_word(one, likely))
            for one, level, likely in zip(along, best.levels, best.likely, strict=True)
        ),
        quality=quality_word(measure, best.mean),
        interval=range_word(measure, best.low, best.high),
        entry=entry,
        seen=measure.format(entry.values[measure.name]) if entry is not None else "",
        trained=settings_in_words(entry.hyperparameters) if entry is not None else "",
    )


def _marks(one: Searched, entries: Sequence[Entry], catalog: Catalog) -> list[Mark]:
    """Return the candidates along a hyperparameter."""
    places = {entry.id: place for place, entry in enumerate(catalog.entries)}
    found = []
    for entry in entries:
        value, quality = entry.hyperparameters[one.name], entry.values[catalog.quality.name]
        level = one.level(value)
        if level is not None and quality is not None:
            at = one.place(value) if one.ordered else float(level)
            found.append((places[entry.id], at, main_operator(entry), quality))
    return found


PANELS.register("recipes")(Panel(11, "Operators and their recipes", recipes_info, data=recipes_data, short="Recipes"))
