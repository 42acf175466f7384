"""Who takes part in a retraining: finalists of the search, and what they have to beat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from fusion_ops import FusionChoice
from reports.candidates import table
from reports.measures import quality_of
from reports.phrases import uniform_operator
from reports.retrained.participant import CONTROLS, NoControl, Participant, merged
from reports.tables.ranking import rank
from search.study.bounds import broken, exact
from search.study.ledger import Ledger
from spaces import Architecture, SearchSpace
from spaces.widening import matched_concat, matched_sum

__all__ = ["ablations", "choose_participants", "finalists", "original"]

REDUCTION = 4
BASELINES = ("random", "one_epoch_top")


def choose_participants(ledger: Ledger, top: int) -> tuple[tuple[Participant, ...], tuple[NoControl, ...]]:
    """Return who takes part, each network once with all of its roles, and which finalists have no control of sums.

    Finalists, the network as the user has it, the best uniform network of each operator, controls of the finalists'
    parameters and FLOPs, and the best of each baseline of the search that was trained.

    Args:
        ledger: The candidates of a search that has ended.
        top: How many finalists.
    """
    ranked = rank(table.frame(ledger.records(), ledger.objectives), ledger.objectives)
    space = ledger.space
    as_it_was = original(space)
    best = finalists(ranked, top, ledger.objectives, besides=as_it_was)
    chosen = [
        *(Participant(architecture, (("finalist", ""),)) for architecture in best),
        Participant(as_it_was, (("original", ""),)),
        *_uniform(ledger, ranked),
    ]
    no_controls = []
    for architecture in best:
        for measure in CONTROLS:
            control, missing = _control(space, architecture, measure)
            chosen += [control] if control else []
            no_controls += [missing] if missing else []
    return merged((*chosen, *_baselines(ledger))), tuple(no_controls)


def original(space: SearchSpace) -> Architecture:
    """Return the network as the user has it: what its points do there, `sum` in all hosts but traced ones."""
    return Architecture(space.ref, tuple((point.name, point.original) for point in space.points))


def finalists(ranked: pd.DataFrame, top: int, objectives: Sequence[str], besides: Architecture) -> list[Architecture]:
    """Return the best of the front, its knee, evenly what lies between, then what lies beyond, then what is behind it.

    Args:
        ranked: The complete candidates, as `reports.rank` returns them.
        top: At most how many.
        objectives: Names of the objectives.
        besides: What is no finalist, as it takes part anyway.
    """
    column, sign = quality_of(objectives).column, quality_of(objectives).sign
    rows = ranked[ranked["id"] != besides.id].sort_values(column, key=lambda values: sign * values, kind="stable")
    front = rows[rows["rank"] == 1].reset_index(drop=True)
    behind = rows[rows["rank"] > 1].sort_values("rank", kind="stable")
    bend = next(iter(front.index[front["knee"]]), len(front) - 1)
    order = [*_spread(bend, top), *range(bend + 1, len(front))]
    texts = [*front.iloc[order]["architecture"], *behind["architecture"]]
    return [Architecture.from_json(text) for text in texts[:top]]


def ablations(space: SearchSpace, winner: Architecture) -> tuple[Participant, ...]:
    """Return the winner with one point at a time set back to what it was, for each that was changed."""
    return tuple(
        Participant(_with(winner, point.name, point.original), (("ablation", point.name),))
        for point in space.points
        if winner[point.name] != point.original
    )


def _spread(bend: int, top: int) -> list[int]:
    """Return places on the front from the best, 0, to the knee: these two first, then evenly between them."""
    if bend < 0:
        return []
    ends = list(dict.fromkeys((0, bend)))
    inner = max(min(top, bend + 1) - len(ends), 0)
    between = dict.fromkeys(round(bend * step / (inner + 1)) for step in range(1, inner + 1))
    return [*ends, *(place for place in between if place not in ends)]


def _uniform(ledger: Ledger, ranked: pd.DataFrame) -> Iterator[Participant]:
    """Yield the best uniform network of each operator; one that was not trained stands for an operator without."""
    column, sign = quality_of(ledger.objectives).column, quality_of(ledger.objectives).sign
    best: dict[str, Architecture] = {}
    for text in ranked.sort_values(column, key=lambda values: sign * values, kind="stable")["architecture"]:
        architecture = Architecture.from_json(text)
        operator = uniform_operator(architecture)
        if operator is not None:
            best.setdefault(operator, architecture)
    for architecture in ledger.space.baselines(REDUCTION):
        operator = architecture.choices[0][1].name
        cost = ledger.space.cost(architecture).measures()
        if operator in best or not broken(exact(ledger.constraints), cost):
            yield Participant(best.get(operator, architecture), (("uniform", operator),))


def _control(space: SearchSpace, finalist: Architecture, measure: str) -> tuple[Participant | None, NoControl | None]:
    """Return the network of sums that costs as much as a finalist; where there is none, the next best and why."""
    target, role = space.cost(finalist).measures()[measure], (CONTROLS[measure], finalist.id)
    found = matched_sum(space, target, measure)
    if not isinstance(found, str):
        return Participant(found[1], (role,)), None
    instead = matched_concat(space, target, measure)
    if isinstance(instead, str):
        return None, NoControl(finalist.id, measure, f"{found} {instead}")
    if instead == finalist:
        return None, NoControl(finalist.id, measure, f"{found} `concat` in place of sums is the finalist itself.")
    why = f"{found} `concat` in place of sums takes its place, at the same cost or more."
    return Participant(instead, (role,)), NoControl(finalist.id, measure, why, instead.id)


def _baselines(ledger: Ledger) -> Iterator[Participant]:
    """Yield the best network of each baseline of the search that was trained in full."""
    for series in BASELINES:
        trained = [one for one in ledger.all() if one.series == series and one.state in ("complete", "duplicate")]
        measured = [one for one in trained if one.feasible and one.curve]
        if measured:
            best = min(measured, key=lambda one: (ledger.loss(one), one.number))
            yield Participant(best.architecture, (("baseline", series),))


def _with(architecture: Architecture, point: str, choice: FusionChoice) -> Architecture:
    choices = ((name, choice if name == point else known) for name, known in architecture.choices)
    return Architecture(architecture.space, tuple(choices))
