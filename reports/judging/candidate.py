"""Whom the verdict is about, and whom it is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reports.judging.contenders import contenders
from reports.measures import Measure
from reports.retrained.arm import Arm
from reports.retrained.failures import FailedNetwork

__all__ = [
    "ablations",
    "best_uniform",
    "candidate_id",
    "competitors",
    "control",
    "failed_finalists",
    "finalists",
    "is_finalist",
    "original",
]


def candidate_id(arms: Sequence[Arm], quality: Measure) -> str:
    """Return the id of the network that the verdict is about; empty where there is none.

    That is the finalist with the best validation measure, the mean over seeds and then over recipes. Test images play
    no part in it, so that they are still new to whoever was picked. The original is passed over: it is what all others
    are compared with. Where no other finalist was retrained, the best other uniform network takes the place; `judge`
    says what that is worth.

    Of several finalists only `contenders` count: those of as many recipes as any of them and, where there are such, of
    two seeds under each.
    """
    means = _means(arms)
    return min(means, key=lambda name: quality.loss(means[name]), default="")


def competitors(arms: Sequence[Arm]) -> int:
    """Return how many networks the candidate was picked among, itself included."""
    return len(_means(arms))


def original(arms: Iterable[Arm], recipe: str) -> Arm | None:
    """Return the original network under a recipe."""
    return next((arm for arm in arms if arm.recipe == recipe and arm.plays("original")), None)


def best_uniform(arms: Iterable[Arm], recipe: str, besides: str, quality: Measure) -> Arm | None:
    """Return the uniform network of the best validation measure under a recipe, but for one; it may be the original."""
    there = [arm for arm in arms if arm.recipe == recipe and arm.plays("uniform") and arm.id != besides]
    return min(there, key=lambda arm: quality.loss(arm.validated), default=None)


def control(arms: Iterable[Arm], recipe: str, role: str, finalist: str) -> Arm | None:
    """Return a finalist's control of this role under a recipe."""
    return next((arm for arm in arms if arm.recipe == recipe and arm.plays(role, finalist)), None)


def finalists(arms: Iterable[Arm], recipe: str, besides: str) -> list[Arm]:
    """Return the other finalists under a recipe, but for the original."""
    return [arm for arm in arms if arm.recipe == recipe and arm.id != besides and is_finalist(arm)]


def is_finalist(arm: Arm) -> bool:
    """Return whether a network is a finalist, and not the original."""
    return arm.plays("finalist") and not arm.plays("original")


def failed_finalists(failed: Iterable[FailedNetwork]) -> set[str]:
    """Return the ids of finalists of which trainings failed, but for the original."""
    return {one.id for one in failed if "finalist" in one.roles and "original" not in one.roles}


def ablations(arms: Iterable[Arm], candidate: Arm) -> list[tuple[str, Arm]]:
    """Return the candidate's points that were set back to `sum`, each with the network that this gave."""
    there = [(part.of, arm) for arm in arms for part in arm.parts if part.role == "ablation"]
    return [(point, arm) for point, arm in there if arm.recipe == candidate.recipe and _set_back(candidate, arm, point)]


def _means(arms: Sequence[Arm]) -> dict[str, float]:
    """Return the validation measure of each network that can be the candidate, the mean over recipes."""
    kept = {arm.id for arm in arms if arm.plays("original")}
    by_id: dict[str, list[Arm]] = {}
    for role in ("finalist", "uniform", "original"):
        for arm in arms:
            if arm.plays(role) and (role == "original" or arm.id not in kept):
                by_id.setdefault(arm.id, []).append(arm)
        if by_id:
            break
    able = contenders({name: [len(arm.seeds) for arm in own] for name, own in by_id.items()})
    return {name: sum(arm.validated for arm in by_id[name]) / len(by_id[name]) for name in able}


def _set_back(candidate: Arm, arm: Arm, point: str) -> bool:
    """Return whether a network is the candidate but for one point."""
    if candidate.architecture is None or arm.architecture is None:
        return False
    before, after = dict(candidate.architecture.choices), dict(arm.architecture.choices)
    same = candidate.architecture.space == arm.architecture.space and candidate.hyperparameters == arm.hyperparameters
    return same and {name for name in before if before[name] != after.get(name)} == {point}
