"""What works where: marginal effects of operators at points and the points' importance, from all candidates at once."""

from reports.marginal.cells import Cell, Effects, Line, effects_of
from reports.marginal.shares import Importance, Share, importance_of
from reports.marginal.table import effects, importance

__all__ = ["Cell", "Effects", "Importance", "Line", "Share", "effects", "effects_of", "importance", "importance_of"]
