"""Panel 14: how far short trainings rank as trainings from scratch do, and what each stage of the run has cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from reports.drawing.figure_style import axis, layout
from reports.drawing.palette import LIGHT
from reports.fidelity.run_trust import RunTrust, run_trust
from reports.panels.panel import PANELS, Panel
from reports.phrases import duration
from reports.run.catalog import Catalog
from reports.run.run import RunRecord
from reports.run.stage_costs import StageCost, stage_costs

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["TrustInfo", "trust_figure", "trust_info"]

NAMES = {
    "parent": "parent",
    "library": "library",
    "supernet": "supernet",
    "search": "search",
    "trust": "trust: some from scratch",
    "random": "random search, to compare with",
    "one_epoch": "one epoch for all, to compare with",
    "one_epoch_top": "the top of these, to compare with",
}
# So many times as much as the search's own best to worst is left around the marks.
SPACE = 0.08


@dataclass(frozen=True, slots=True)
class TrustInfo:
    """What the panel shows.

    Args:
        strategy: `search.strategy`.
        short: Whether candidates began with another network's weights.
        found: How far the ranking is to be trusted; `None` where nothing was trained from scratch to say so.
        wanted: How many were to be trained from scratch.
        costs: What each stage has cost.
        places: By id, the place of a candidate in the catalog.
    """

    strategy: str
    short: bool
    found: RunTrust | None
    wanted: int
    costs: tuple[StageCost, ...]
    places: Mapping[str, int]

    def stage(self, cost: StageCost) -> str:
        """Return a stage's name as a person reads it."""
        return NAMES.get(cost.name, cost.name)

    def time(self, cost: StageCost) -> str:
        """Return a stage's device-seconds as a person reads them."""
        return duration(cost.device_seconds)

    @property
    def unknown(self) -> str:
        """Why nothing is known, in a sentence; empty where something is."""
        if self.found is not None:
            return ""
        if not self.short:
            return "The candidates of this search were trained from scratch themselves."
        if not self.wanted:
            return "Whether these trainings rank as from scratch was not measured: `strategy.trust` is 0."
        return (
            "Whether these trainings rank as from scratch is not measured yet: that comes after the search, where the "
            "run has time left."
        )

    @property
    def who(self) -> str:
        """Who was trained both ways, in a sentence."""
        if self.found is None:
            return ""
        front = sum(pair.on_front for pair in self.found.pairs)
        rest = len(self.found.pairs) - front
        spread = f"{front} on the front, spread over the cost" if front else ""
        drawn = f"{rest} drawn at random from the rest" if rest else ""
        return f"{' and '.join(filter(None, (spread, drawn)))}"

    @property
    def share(self) -> str:
        """What the trust has cost of everything, in words; empty without any."""
        whole = sum(cost.device_seconds for cost in self.costs)
        mine = sum(cost.device_seconds for cost in self.costs if cost.name == "trust")
        return f"{100 * mine / whole:.0f} %" if mine and whole else ""


def trust_info(run: RunRecord, catalog: Catalog) -> TrustInfo | None:
    """Return how far the ranking is to be trusted, and what each stage cost; `None` of a search from scratch alone."""
    if not run.begins_with_weights:
        return None
    settings: Any = run.config.get("strategy")
    wanted = settings.get("trust") if isinstance(settings, dict) else None
    places = {entry.id: index for index, entry in enumerate(catalog.entries)}
    parts = [part for part in (run.table, run.contests) if len(part)]
    costs = stage_costs(pd.concat(parts), run.devices) if parts else ()
    return TrustInfo(run.strategy, run.short, run_trust(run), wanted if isinstance(wanted, int) else 0, costs, places)


def trust_figure(info: TrustInfo) -> Figure:
    """Return a mark for every network that was trained both ways: short across, from scratch up."""
    from plotly.graph_objects import Figure

    figure = Figure()
    if info.found is None or not info.found.pairs:
        return figure
    pairs, measure = info.found.pairs, info.found.measure
    groups = (
        ("at random", [one for one in pairs if not one.on_front and not one.pick], "search", "circle", 9),
        ("on the front", [one for one in pairs if one.on_front and not one.pick], "front", "diamond", 10),
        ("the search's pick", [one for one in pairs if one.pick], "baseline", "star", 14),
    )
    for name, members, color, symbol, size in groups:
        if members:
            figure.add_scatter(
                x=[one.short for one in members],
                y=[one.scratch for one in members],
                mode="markers",
                name=name,
                marker={"color": LIGHT[color], "symbol": symbol, "size": size},
                text=[one.id for one in members],
                customdata=[info.places.get(one.id) for one in members],
                meta=name,
            )
    x, y = axis(measure), axis(measure)
    x["title"] = x["title"] | {"text": f"short training: {x['title']['text']}"}
    y["title"] = y["title"] | {"text": f"from scratch: {y['title']['text']}"}
    figure.update_layout(**layout(x | _range([one.short for one in pairs]), y | _range([one.scratch for one in pairs])))
    return figure


def _range(values: list[float]) -> dict[str, Any]:
    low, high = min(values), max(values)
    margin = SPACE * (high - low) or abs(high) * SPACE or 1.0
    return {"range": [low - margin, high + margin]}


PANELS.register("trust")(Panel(14, "Trust in short trainings", trust_info, figure=trust_figure, short="Trust"))
