"""`nsga2`: Optuna's NSGA-II, with a population for budgets of tens to hundreds of candidates."""

from __future__ import annotations

from optuna.samplers import NSGAIISampler

from search.strategy.samplers.guarded import GuardedSampler
from search.strategy.samplers.registry import SAMPLERS, Problem

__all__: list[str] = []

POPULATION = 20


@SAMPLERS.register("nsga2")
def _nsga2(problem: Problem) -> GuardedSampler:
    return GuardedSampler(problem, NSGAIISampler(population_size=POPULATION, seed=problem.seed))
