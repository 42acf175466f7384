"""The report of two to five runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from reports.html.document import plain, rendered, require_assets, write_page
from reports.measures import MEASURES, Measure
from reports.pages.section import client_without_candidates, section
from reports.runs.comparability import caveats
from reports.runs.configs import Repeats, differences, repeats
from reports.runs.fronts import (
    STYLES,
    FrontsInfo,
    attainment_figure,
    attainment_info,
    fronts_figure,
    fronts_info,
)
from reports.runs.picks import best_of, knee_of
from reports.runs.retrained import RetrainedInfo, interval, retrained_info
from reports.runs.side import Side, load_sides, shared_measures
from reports.runs.volumes import volumes_info

__all__ = ["RUNS", "write_runs"]

RUNS: Final = "runs.html"
_PARTS: Final = (
    "runs/compared",
    "runs/fronts",
    "runs/retrained",
    "runs/attainment",
    "runs/volumes",
    "runs/picks",
    "runs/configs",
)


def write_runs(run_dirs: Sequence[str | Path], path: str | Path | None = None, assets: str = "inline") -> Path:
    """Write the report that compares runs, and return its path.

    Args:
        run_dirs: Two to five run directories with the same objectives; they are only read.
        path: The file; by default `runs.html` in the working directory.
        assets: See `write_html`.

    Raises:
        ConfigError: There are fewer or more, one is named twice, or their objectives differ.
        RunError: A folder is no run, or the file cannot be written.
        SpecError: `assets` is something else.
    """
    require_assets(assets)
    sides = load_sides(run_dirs)
    return write_page(Path(RUNS if path is None else path), assets, partial(_page, sides))


def _page(sides: tuple[Side, ...], plotly: Markup, source: str) -> str:
    measures = shared_measures(sides)
    objectives = [MEASURES[name] for name in sides[0].run.objectives]
    return rendered(
        "runs.html",
        _sections(sides, measures),
        ["runs/runs", *_PARTS],
        plotly,
        source,
        sides=sides,
        objectives=objectives,
        client=client_without_candidates(" and ".join(side.name for side in sides), objectives),
        styles={},
    )


def _sections(sides: tuple[Side, ...], measures: Sequence[Measure]) -> list[dict[str, Any]]:
    repeated, costs = repeats(sides), _across(measures, sides[0].run.quality)
    fronts = [fronts_info(sides, measures, x) for x in costs]
    named: dict[str, Any] = {"sides": sides, "measures": measures, "looks": STYLES}
    picks = [(side, best_of(side, measures), knee_of(side, measures)) for side in sides]
    against, again = caveats(sides), retrained_info(sides, measures)
    return [
        section("runs/compared", "What is compared", caveats=against, repeated=_several(repeated), **named),
        section("runs/fronts", "Fronts", data=_variants(fronts, again), fronts=fronts, again=again, **named),
        section("runs/retrained", "Retrained networks", info=again, costs=costs, interval=interval, **named),
        *_attainment(repeated, costs, sides[0].run.quality),
        section("runs/volumes", "Hypervolume", info=volumes_info(sides), caveats=against, **named),
        section("runs/picks", "Best and knee of each", picks=picks, **named),
        section("runs/configs", "What differs between the configs", differences=differences(sides), **named),
    ]


def _attainment(repeated: Sequence[Repeats], costs: Sequence[Measure], quality: Measure) -> list[dict[str, Any]]:
    infos = [attainment_info(repeated, x, quality) for x in costs]
    if not infos or not infos[0].groups:
        return []
    data = {info.x.name: plain(attainment_figure(info)) for info in infos}
    return [section("runs/attainment", "Repeats of one config", data=data, infos=infos)]


def _variants(fronts: Sequence[FrontsInfo], again: RetrainedInfo) -> dict[str, Any]:
    return {info.x.name: plain(fronts_figure(info, again)) for info in fronts}


def _across(measures: Sequence[Measure], quality: Measure) -> tuple[Measure, ...]:
    """Return what the quality is drawn against: the objectives, then the costs that all runs have."""
    others = [measure for measure in measures if measure is not quality]
    return tuple(measure for measure in others if measure.cost or not measure.quality)


def _several(repeated: Sequence[Repeats]) -> list[Repeats]:
    return [group for group in repeated if len(group.sides) > 1]
