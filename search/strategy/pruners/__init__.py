"""When a training is stopped early, on one objective or several."""

from search.strategy.pruners.by_name import PRUNERS, check_pruner, create_pruner
from search.strategy.pruners.pareto import ParetoPruner
from search.strategy.pruners.reporting import report, should_prune

__all__ = ["PRUNERS", "ParetoPruner", "check_pruner", "create_pruner", "report", "should_prune"]
