"""Panel 7: what works where: the effect of each operator at each point, and of each r."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.marginal.cells import Cell, Effects, Line
from reports.marginal.decisions import resampled_point
from reports.marginal.run_effects import beside_of, effects_of_run, qualities
from reports.measures import Measure
from reports.panels.panel import PANELS, Panel
from reports.phrases import signed_points, signed_range
from reports.run.catalog import Catalog
from reports.run.run import RunRecord

__all__ = ["HeatCell", "HeatMap", "HeatRow", "WorksInfo", "WorksView", "view_of", "works_info"]

FEW = 3
"""A cell of fewer candidates is hatched."""
MOST_NAMED = 3
# Share of the colour in the cell of the largest effect: text stays legible on it.
DEEPEST = 46


@dataclass(frozen=True, slots=True)
class HeatCell:
    """A cell of a heat map and of the table beside it.

    Args:
        label: The operator, or r.
        n: Candidates that have it; 0 where it was never tried.
        mean: Their plain mean quality, in words; empty for none.
        effect: The effect in words; empty where it is not known.
        interval: Its 95 % interval in words.
        depth: Share of the colour, in percent; the better, the more.
        verdict: `better`, `worse`, or empty without enough evidence.
    """

    label: str
    n: int
    mean: str = ""
    effect: str = ""
    interval: str = ""
    depth: int = 0
    verdict: str = ""

    @property
    def few(self) -> bool:
        """Whether it has too few candidates to rely on."""
        return 0 < self.n < FEW


@dataclass(frozen=True, slots=True)
class HeatRow:
    """A row of a heat map: points that were not told apart, or an operator.

    Args:
        names: Their names.
        first: Place of the first point, also where it is about its resampler; -1 for an operator.
        evidence: Whether there is enough evidence that it matters which column is chosen.
        cells: One a column of the map.
    """

    names: tuple[str, ...]
    first: int
    evidence: bool
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A heat map.

    Args:
        columns: Names of its columns.
        rows: Its rows.
    """

    columns: tuple[str, ...]
    rows: tuple[HeatRow, ...]


@dataclass(frozen=True, slots=True)
class WorksView:
    """What is shown of one quality.

    Args:
        measure: The quality.
        size: Number of candidates.
        problem: Why there are no effects; empty where there are.
        findings: What there is enough evidence for, a sentence each, in which backticks mark code.
        points: Operator at point.
        resamplers: Resampler at point; without rows where candidates do not differ in it.
        ratios: r of operators; without rows where none has several.
        alike: Pairs of points that nearly always changed together.
        explained: Share of the differences between candidates left out that the rest predicts.
    """

    measure: Measure
    size: int
    problem: str
    findings: tuple[str, ...]
    points: HeatMap
    resamplers: HeatMap
    ratios: HeatMap
    alike: tuple[tuple[str, str, float], ...]
    explained: float


@dataclass(frozen=True, slots=True)
class WorksInfo:
    """What the panel shows.

    Args:
        views: A view of each quality.
        beside: The hyperparameters whose effects were taken out.
        drawn: How many of the candidates were drawn at random.
    """

    views: tuple[WorksView, ...]
    beside: tuple[str, ...]
    drawn: int = 0


def works_info(run: RunRecord, catalog: Catalog) -> WorksInfo:
    """Return the effects of operators at points on every quality."""
    views = tuple(
        view_of(measure, effects_of_run(run, catalog, measure), catalog.points) for measure in qualities(catalog)
    )
    return WorksInfo(views, beside_of(run), len(catalog.drawn))


def view_of(measure: Measure, effects: Effects, points: Sequence[str]) -> WorksView:
    """Return what is shown of one quality; `points` are the names of the fusion points, in the page's order."""
    lines = (*effects.points, *effects.ratios)
    known = [cell.effect for line in lines for cell in line.cells.values() if cell.effect is not None]
    largest = max(map(abs, known), default=0.0)
    places = {name: place for place, name in enumerate(points)}
    ratios = sorted({int(label) for line in effects.ratios for label in line.cells})

    def at_points(own: Sequence[Line]) -> HeatMap:
        columns = [label for label in effects.design.operators if any(label in line.cells for line in own)]
        first = [places[resampled_point(line.names[0]) or line.names[0]] for line in own]
        return _map(measure, own, columns, first, largest)

    return WorksView(
        measure=measure,
        size=effects.size,
        problem=effects.problem,
        findings=_findings(measure, effects),
        points=at_points([line for line in effects.points if resampled_point(line.names[0]) is None]),
        resamplers=at_points([line for line in effects.points if resampled_point(line.names[0]) is not None]),
        ratios=_map(measure, effects.ratios, [str(r) for r in ratios], [-1] * len(effects.ratios), largest),
        alike=effects.alike,
        explained=effects.fitted.explained if effects.fitted is not None else 0.0,
    )


def _map(
    measure: Measure, lines: Sequence[Line], columns: Sequence[str], places: Sequence[int], largest: float
) -> HeatMap:
    rows = tuple(
        HeatRow(
            line.names,
            place,
            line.evidence,
            tuple(_cell(measure, label, line.cells.get(label), largest) for label in columns),
        )
        for line, place in zip(lines, places, strict=True)
    )
    return HeatMap(tuple(columns), rows)


def _cell(measure: Measure, label: str, cell: Cell | None, largest: float) -> HeatCell:
    if cell is None:
        return HeatCell(label, 0)
    mean = measure.format(cell.mean)
    if cell.effect is None or cell.low is None or cell.high is None:
        return HeatCell(label, cell.n, mean)
    depth = round(DEEPEST * (1 + cell.effect / largest) / 2) if largest > 0 else DEEPEST // 2
    verdict = ("better" if cell.effect > 0 else "worse") if cell.evidence else ""
    interval = signed_range(measure, (cell.low, cell.high), (largest,))
    return HeatCell(label, cell.n, mean, _signed(measure, cell.effect, largest), interval, depth, verdict)


def _signed(measure: Measure, effect: float, largest: float) -> str:
    return signed_points(measure, effect, (largest,)).removesuffix(" points")


def _findings(measure: Measure, effects: Effects) -> tuple[str, ...]:
    """Return what is sure: what is better, the largest effects first, then what is worse."""
    sure = [
        (cell.effect, line, cell, line in effects.ratios)
        for line in (*effects.points, *effects.ratios)
        for cell in line.cells.values()
        if cell.evidence and cell.effect is not None
    ]
    sure.sort(key=lambda one: (one[0] < 0, -abs(one[0])))
    return tuple(_finding(measure, line, cell, ratio=ratio) for _, line, cell, ratio in sure[:MOST_NAMED])


def _finding(measure: Measure, line: Line, cell: Cell, *, ratio: bool) -> str:
    """Return a sentence. Names of users hold no backtick here: it would end the code."""
    name, label = (text.replace("`", "'") for text in (line.name, cell.label))
    subject = f"`{name}` with `r={label}`" if ratio else f"`{label}` at `{name}`"
    effect, low, high = cell.effect or 0.0, cell.low or 0.0, cell.high or 0.0
    return f"{subject}: {signed_points(measure, effect)} ({signed_range(measure, (low, high), (effect,))})"


PANELS.register("works")(Panel(9, "What works where", works_info, short="What works"))
