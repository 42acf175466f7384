"""Who takes part in a retraining: finalists of the search, and what they have to beat."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from fusion_ops import FusionChoice
from reports.candidates import table
from reports.candidates.candidate import Candidate
from reports.measures import quality_of
from reports.phrases import uniform_operator
from reports.retrained.participant import CONTROLS, NoControl, Participant, merged
from reports.tables.ranking import rank
from search.study.bounds import broken, exact
from search.study.ledger import Ledger
from spaces import Architecture, JointSpace, SearchSpace
from spaces.hyperparameter import HOST
from spaces.widening import matched_concat, matched_sum

__all__ = ["ablations", "choose_participants", "finalists"]

REDUCTION, SUM = 4, FusionChoice("sum")
BASELINES = ("random", "one_epoch_top")


def choose_participants(ledger: Ledger, top: int) -> tuple[tuple[Participant, ...], tuple[NoControl, ...]]:
    """Return who takes part, each network once with all of its roles, and which finalists have no control of sums.

    Finalists, the network as the user has it, the best uniform network of each operator, controls of the finalists'
    parameters and FLOPs, and the best of each baseline of the search that was trained. Where hyperparameters are
    searched, each has its own: finalists those that they were found with; the network as it was, and each uniform
    network, the best that the search saw of it, else those that are tried first; controls those of the best network
    of sums, or where none is complete those of their finalist.

    Args:
        ledger: The candidates of a search that has ended.
        top: How many finalists.
    """
    ranked = rank(table.frame(ledger.records(), ledger.objectives), ledger.objectives)
    best = _by_quality(ledger, ranked)
    theirs = {variant.original() for variant in ledger.joint.variants}
    as_it_was = _original(ledger, [one for one in best if one.architecture in theirs])
    besides = {one.id for one in best if one.architecture in theirs}
    numbers = finalists(ranked, top, ledger.objectives, besides)
    chosen_finalists = [_as("finalist", ledger.candidates[number]) for number in numbers]
    sums = next((one for one in best if _is_of_sums(one.architecture)), None)
    chosen, no_controls = [*chosen_finalists, as_it_was, *_uniform(ledger, best)], []
    for finalist in chosen_finalists:
        for measure in CONTROLS:
            control, missing = _control(ledger.joint.of(finalist.architecture), finalist, measure, sums)
            chosen += [control] if control else []
            no_controls += [missing] if missing else []
    return merged((*chosen, *_baselines(ledger))), tuple(no_controls)


def finalists(ranked: pd.DataFrame, top: int, objectives: Sequence[str], besides: Collection[str]) -> list[int]:
    """Return the best of the front, its knee, evenly what lies between, then what lies beyond, then what is behind it.

    Args:
        ranked: The complete candidates, as `reports.rank` returns them.
        top: At most how many.
        objectives: Names of the objectives.
        besides: Ids of what is no finalist: the network as the user has it, which takes part anyway.

    Returns:
        Numbers of candidates.
    """
    column, sign = quality_of(objectives).column, quality_of(objectives).sign
    rows = ranked[~ranked["id"].isin(besides)].sort_values(column, key=lambda values: sign * values, kind="stable")
    front = rows[rows["rank"] == 1].reset_index(drop=True)
    behind = rows[rows["rank"] > 1].sort_values("rank", kind="stable")
    bend = next(iter(front.index[front["knee"]]), len(front) - 1)
    order = [*_spread(bend, top), *range(bend + 1, len(front))]
    return [int(number) for number in (*front.iloc[order]["number"], *behind["number"])][:top]


def ablations(space: JointSpace, winner: Participant) -> tuple[Participant, ...]:
    """Return the winner with one point at a time set back to what it was, for each that was changed."""
    architecture = winner.architecture
    return tuple(
        Participant(
            _with(architecture, point.name, point.original), (("ablation", point.name),), winner.hyperparameters
        )
        for point in space.of(architecture).points
        if architecture[point.name] != point.original
    )


def _by_quality(ledger: Ledger, ranked: pd.DataFrame) -> list[Candidate]:
    """Return the ranked candidates, those of the best quality first."""
    column, sign = quality_of(ledger.objectives).column, quality_of(ledger.objectives).sign
    rows = ranked.sort_values(column, key=lambda values: sign * values, kind="stable")
    return [ledger.candidates[int(number)] for number in rows["number"]]


def _as(role: str, candidate: Candidate, of: str = "") -> Participant:
    return Participant(candidate.architecture, ((role, of),), candidate.hyperparameters)


def _original(ledger: Ledger, trained: Sequence[Candidate]) -> Participant:
    """Return the network as the user has it, as it was best in the search, else as it is tried first.

    Args:
        ledger: The candidates.
        trained: Those of them that are that network, with whatever hyperparameters, the best first.
    """
    if trained:
        return _as("original", trained[0])
    first = ledger.joint.baselines(REDUCTION)[0]
    as_it_is = ledger.joint.of(first.architecture).original()
    return Participant(as_it_is, (("original", ""),), first.values())


def _is_of_sums(architecture: Architecture) -> bool:
    return uniform_operator(architecture) == SUM.name


def _spread(bend: int, top: int) -> list[int]:
    """Return places on the front from the best, 0, to the knee: these two first, then evenly between them."""
    if bend < 0:
        return []
    ends = list(dict.fromkeys((0, bend)))
    inner = max(min(top, bend + 1) - len(ends), 0)
    between = dict.fromkeys(round(bend * step / (inner + 1)) for step in range(1, inner + 1))
    return [*ends, *(place for place in between if place not in ends)]


def _uniform(ledger: Ledger, ranked: Sequence[Candidate]) -> Iterator[Participant]:
    """Yield the best uniform network of each operator; one that was not trained stands for an operator without."""
    best: dict[str, Candidate] = {}
    for one in ranked:
        operator = uniform_operator(one.architecture)
        if operator is not None:
            best.setdefault(operator, one)
    for untrained in ledger.joint.baselines(REDUCTION):
        operator = untrained.architecture.choices[0][1].name
        cost = ledger.joint.cost(untrained.architecture).measures()
        if operator in best:
            yield _as("uniform", best[operator], operator)
        elif not broken(exact(ledger.constraints), cost):
            yield Participant(untrained.architecture, (("uniform", operator),), untrained.values())


def _control(
    space: SearchSpace, finalist: Participant, measure: str, sums: Candidate | None
) -> tuple[Participant | None, NoControl | None]:
    """Return the network of sums that costs as much as a finalist; where there is none, the next best and why.

    Args:
        space: The search space of the finalist's host network.
        finalist: The finalist.
        measure: `params` or `flops`.
        sums: The best network of sums that the search saw, with whose hyperparameters it is trained.
    """
    target, role = space.cost(finalist.architecture).measures()[measure], (CONTROLS[measure], finalist.id)
    trained = finalist.hyperparameters if sums is None else sums.hyperparameters
    found = matched_sum(space, target, measure)
    if not isinstance(found, str):
        return Participant(found[1], (role,), _in_network(found[1], trained)), None
    instead = matched_concat(space, target, measure)
    if isinstance(instead, str):
        return None, NoControl(finalist.id, measure, f"{found} {instead}")
    if instead == finalist.architecture:
        return None, NoControl(finalist.id, measure, f"{found} `concat` in place of sums is the finalist itself.")
    why = f"{found} `concat` in place of sums takes its place, at the same cost or more."
    control = Participant(instead, (role,), _in_network(instead, trained))
    return control, NoControl(finalist.id, measure, why, control.id)


def _in_network(architecture: Architecture, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyperparameters as they are in a network that has settings of its own."""
    settings = dict(architecture.space.settings)
    return {
        name: settings[name.removeprefix(HOST)] if name.startswith(HOST) else value
        for name, value in hyperparameters.items()
    }


def _baselines(ledger: Ledger) -> Iterator[Participant]:
    """Yield the best network of each baseline of the search that was trained in full."""
    for series in BASELINES:
        trained = [one for one in ledger.of_series(series) if one.state in ("complete", "duplicate")]
        measured = [one for one in trained if one.feasible and one.curve]
        if measured:
            best = min(measured, key=lambda one: (ledger.loss(one), one.number))
            yield _as("baseline", best, series)


def _with(architecture: Architecture, point: str, choice: FusionChoice) -> Architecture:
    choices = ((name, choice if name == point else known) for name, known in architecture.choices)
    return Architecture(architecture.space, tuple(choices))
