"""Learning curves: where they are looked at, and what their start says of their end. Pruners and `auto` use it."""

from search.curves.forecast import Forecast, fit, jitter
from search.curves.looks import looks

__all__ = ["Forecast", "fit", "jitter", "looks"]
