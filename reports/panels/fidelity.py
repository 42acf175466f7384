"""Panel 13: how far an early epoch tells the end, and of which operators it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.drawing.figure_style import TITLE, layout
from reports.drawing.palette import LIGHT
from reports.fidelity import Crossing, Endings, Regret, Tau, crossings, endings, fair_floor, kendall, regret
from reports.measures import ABSENT, Measure
from reports.panels.panel import PANELS, Panel
from reports.phrases import decrease, signed_points, signed_range
from reports.run.catalog import Catalog
from reports.run.run import RunRecord
from reports.run.rungs import rungs

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["FidelityInfo", "Rung", "fidelity_figure", "fidelity_info"]

LEAST = 10
KEPT = (1, 3)
LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Rung:
    """How far an early epoch tells the end.

    Args:
        epoch: The epoch.
        tau: Kendall's τ between the quality there and at the end; `None` where it cannot be calculated.
        regrets: By how many of the best ones there are trained on, how much worse the best of them ends than the best
            of all; `None` where nothing is known.
    """

    epoch: int
    tau: Tau | None
    regrets: Mapping[int, Regret | None]


@dataclass(frozen=True, slots=True)
class FidelityInfo:
    """What the panel shows.

    Args:
        measure: The measure of quality.
        epochs: Epochs of a whole training.
        found: The trainings with a known end.
        rungs: Every epoch at which a training may be stopped; none without enough evidence.
        lacking: Why there is not enough evidence, in a sentence; empty where there is.
        operators: The biases by operator, one for each rung that has any.
        unsaid: Why nothing is said of operators; empty where something is.
        warnings: What is unfair to which operator.
    """

    measure: Measure
    epochs: int
    found: Endings
    rungs: tuple[Rung, ...]
    lacking: str
    operators: Mapping[str, tuple[Crossing, ...]]
    unsaid: str
    warnings: tuple[str, ...]

    @property
    def kept(self) -> tuple[int, ...]:
        """Of how many of the early best the regret is given."""
        return KEPT

    @property
    def early(self) -> tuple[int, ...]:
        """The epochs that operators have a bias at."""
        return tuple(bias.epoch for bias in next(iter(self.operators.values()), ()))

    @property
    def summary(self) -> str:
        """What the first and the last rung say, in a sentence; empty without evidence."""
        told = [rung for rung in self.rungs if rung.tau is not None]
        if not told:
            return ""
        parts = [f"{_tau(rung.tau)} after epoch {rung.epoch}" for rung in (told[0], *told[1:][-1:])]
        return f"Kendall's τ with the end of the training is {' and '.join(parts)}; 1 is the same order, 0 chance."

    @property
    def basis(self) -> str:
        """Whom the numbers are of, and how that biases them."""
        who = f"From all {self.found.count:,} candidates that were trained to the end, whatever budgets are set."
        if not self.found.stopped:
            return f"{who} Nothing else was stopped."
        if self.found.weighed:
            return (
                f"{who} {self.found.audited} of them were to be stopped and ran on as a check: they stand for the "
                f"{self.found.stopped:,} that were stopped, so that the figures are of all candidates. The regret "
                "misses what stopped candidates would have reached."
            )
        return (
            f"{who} They are survivors: the ends of {self.found.stopped:,} that were stopped are not known. What "
            "looked bad early is missing, which makes τ too low, as a rule, and the regret too low, as late "
            "bloomers are gone."
        )

    def shown(self, found: Regret | None) -> tuple[str, str]:
        """Return a regret, and its interval; empty where it has none."""
        if found is None:
            return ABSENT, ""
        bounds = (found.low, found.high)
        interval = signed_range(self.measure, bounds).removesuffix(" points")
        return signed_points(self.measure, found.value, bounds).replace("+", ""), interval.replace("+", "")

    @property
    def by_chance(self) -> str:
        """What picking at random loses, in a sentence; empty where no regret is known."""
        known = {most: one for rung in self.rungs for most, one in rung.regrets.items() if one is not None}
        said = [f"{signed_points(self.measure, one.chance).replace('+', '')} of {most}" for most, one in known.items()]
        if not said:
            return ""
        return (
            f"Picking at random would lose {' and '.join(said)}, on average: a regret whose interval holds both that "
            "and 0 is not enough evidence. Intervals are of 95 %, by bootstrap over the candidates."
        )

    def span(self, bias: Crossing) -> str:
        """Return a bias with its interval."""
        bounds = (bias.low, bias.high)
        return f"{signed_points(self.measure, bias.bias, bounds)} ({signed_range(self.measure, bounds)})"


def fidelity_info(run: RunRecord, catalog: Catalog) -> FidelityInfo:
    """Return how far each rung tells the end."""
    epochs = run.epochs or max((entry.epochs for entry in catalog.entries), default=0)
    found = endings(run, max(epochs, 1))
    early = rungs(epochs)[:-1] if epochs else ()
    lacking = _lacking(found, early)
    biases = {} if lacking else crossings(found, early)
    return FidelityInfo(
        measure=run.quality,
        epochs=epochs,
        found=found,
        rungs=() if lacking else tuple(_rung(found, epoch) for epoch in early),
        lacking=lacking,
        operators=_by_operator(biases),
        unsaid="" if biases else _unsaid(found),
        warnings=tuple(_warnings(run.quality, biases, epochs)),
    )


def fidelity_figure(info: FidelityInfo) -> Figure:
    """Return τ by epoch with its intervals."""
    from plotly.graph_objects import Figure

    figure = Figure()
    told = [(rung.epoch, rung.tau) for rung in info.rungs if rung.tau is not None]
    figure.add_scatter(
        x=[str(epoch) for epoch, _ in told],
        y=[round(tau.value, 4) for _, tau in told],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [round(tau.high - tau.value, 4) for _, tau in told],
            "arrayminus": [round(tau.value - tau.low, 4) for _, tau in told],
            "color": LIGHT["accent"],
            "thickness": 1.5,
            "width": 6,
        },
        mode="lines+markers",
        name="Kendall's τ with the end, 95 % interval",
        line={"color": LIGHT["accent"], "width": 2},
        marker={"color": LIGHT["accent"], "size": 9},
        meta="tau",
    )
    low = min((tau.low for _, tau in told), default=0.0)
    x = {"title": {"text": "early epoch", **TITLE}, "type": "category"}
    y = {
        "title": {"text": "Kendall's τ with the end", **TITLE},
        "tickformat": ".1f",
        "range": [min(low, 0) - 0.03, 1.03],
    }
    figure.update_layout(**layout(x, y), showlegend=False)
    return figure


def _rung(found: Endings, epoch: int) -> Rung:
    early = found.at(epoch)
    regrets = {most: regret(early, found.final, most, found.weights) for most in KEPT}
    return Rung(epoch, kendall(early, found.final, found.weights), regrets)


def _lacking(found: Endings, early: Sequence[int]) -> str:
    if not early:
        return "Trainings of one epoch have no early epoch."
    if found.count < LEAST:
        trained = "1 candidate was" if found.count == 1 else f"{found.count} candidates were"
        return f"Not enough evidence: {trained} trained to the end; it takes {LEAST}."
    return ""


def _unsaid(found: Endings) -> str:
    return (
        "Not enough evidence on single operators: it takes 20 candidates that were trained to the end, 3 for each "
        f"operator and 6 more, and operators in 5 of them each that do not always stand together; there are "
        f"{found.count} candidates and {len(found.operators)} operators."
    )


def _by_operator(biases: Mapping[int, Sequence[Crossing]]) -> dict[str, tuple[Crossing, ...]]:
    names = dict.fromkeys(bias.operator for found in biases.values() for bias in found)
    return {
        name: tuple(bias for epoch in sorted(biases) for bias in biases[epoch] if bias.operator == name)
        for name in sorted(names)
    }


def _warnings(measure: Measure, biases: Mapping[int, Sequence[Crossing]], epochs: int) -> list[str]:
    """Return a sentence for every operator that is late beyond noise; all that is looked at counts (Bonferroni)."""
    level = LEVEL / max(sum(len(found) for found in biases.values()), 1)
    out = []
    for name, found in _by_operator(biases).items():
        late = [bias for bias in found if bias.late(level)]
        if not late:
            continue
        worst = max(late, key=lambda bias: bias.bias)
        floor = fair_floor(biases, name, epochs)
        gain, spread = signed_points(measure, worst.bias), signed_range(measure, (worst.low, worst.high))
        fair = f"Stops from epoch {floor} on are fair: `search.min_epochs: {floor}`"
        whole = "Only whole trainings are fair to it: `search.pruner: none`"
        out.append(
            f"Curves of `{name}` cross late: a network with it at every point ends {gain} "
            f"(95 %: {spread}) above the average one that stands equal after epoch {worst.epoch}{decrease(measure)}. "
            f"Early stops are unfair to it. {whole if floor == epochs else fair}."
        )
    return out


def _tau(tau: Tau | None) -> str:
    return "–" if tau is None else f"{tau.value:.2f} ({tau.low:.2f} to {tau.high:.2f})".replace("-", "−")


PANELS.register("fidelity")(Panel(13, "Fidelity", fidelity_info, figure=fidelity_figure))
