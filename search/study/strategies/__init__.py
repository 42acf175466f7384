"""What a run trains before, in and after its search, and with which weights: strategies by name."""

from search.study.strategies.inherit import Inherit
from search.study.strategies.library import Library
from search.study.strategies.strategy import STRATEGIES, Scratch, Strategy, Surroundings
from search.study.strategies.supernet import Supernet
from search.study.strategies.trust import Trust

__all__ = ["STRATEGIES", "Inherit", "Library", "Scratch", "Strategy", "Supernet", "Surroundings", "Trust"]
