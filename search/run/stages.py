"""How a run trains what is no candidate of its search: the stages of its strategy."""

from __future__ import annotations

from reports.candidates.candidate import LIBRARY, PARENT, SUPERNET, TRUST, VERIFY
from search.config import SearchConfig
from search.config.strategy import library_train, supernet_train
from search.study.bounds import exact
from search.training.stage import Stage, SupernetPlan
from spaces import SearchSpace

__all__ = ["stages"]


def stages(config: SearchConfig, space: SearchSpace) -> dict[str, Stage]:
    """Return how the trainings of each series go, by its name.

    Args:
        config: The config.
        space: The search space.
    """
    train, settings = config.train, config.strategy
    as_it_is = settings.parent_epochs == 0
    parent = train.model_copy(update={"epochs": settings.parent_epochs}) if settings.parent_epochs else train
    supernet = SupernetPlan(
        selection=space.selection,
        sampling=settings.supernet_sampling,
        operators=settings.supernet_operator_lr,
        calibration=settings.supernet_calibration,
        scored=settings.supernet_scored,
        bounds=exact(config.constraints),
    )
    return {
        PARENT: Stage(parent, as_it_is=as_it_is, passed_on=True),
        LIBRARY: Stage(library_train(train, settings), by_image=True),
        SUPERNET: Stage(supernet_train(train, settings), passed_on=True, supernet=supernet),
        TRUST: Stage(train),
        VERIFY: Stage(config.candidate_train),
    }
