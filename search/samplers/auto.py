from __future__ import annotations
from search.samplers.registry import SAMPLERS, Problem
from search.samplers.guarded import GuardedSampler
@SAMPLERS.register("auto")
def _auto(problem: Problem) -> GuardedSampler:
    return SAMPLERS["tpe"](problem)
