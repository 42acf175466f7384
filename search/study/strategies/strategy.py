"""A strategy: in which order a run trains, and with which weights its candidates begin."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fusion_ops.registry import Registry
from reports.candidates.candidate import Candidate
from search.config.strategy import StrategySettings
from search.study.ledger import Ledger
from search.training.files import CandidateFiles
from search.training.settings import TrainConfig
from search.training.stage import Stage

__all__ = ["STRATEGIES", "Scratch", "Strategy", "Surroundings"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What there is beside the candidates while a run trains.

    Args:
        files: The files of candidates.
        train: The config's section `train`.
        images: How many training and validation images there are.
        say: Called with what a person is to read at once.
    """

    files: CandidateFiles
    train: TrainConfig
    images: tuple[int, int]
    say: Callable[[str], None]


class Strategy(ABC):
    """Hands out what a run trains, from its first training to the last one of its search.

    It keeps nothing: from what has ended and what is in training it says what is next, so that it goes on after any
    end of the driver.

    Args:
        ledger: The run's candidates.
        settings: The config's section `strategy`; its defaults if not given.
    """

    def __init__(self, ledger: Ledger, settings: StrategySettings | None = None) -> None:
        self.ledger, self.settings = ledger, settings or StrategySettings()

    def begin(self, around: Surroundings) -> None:
        """Take note of what there is beside the candidates, before the first one is asked for."""
        self.around = around

    @abstractmethod
    def ask(self) -> Candidate | None:
        """Return the next candidate to train, `None` where there is none before another one has ended."""

    @abstractmethod
    def is_left(self) -> bool:
        """Return whether anything is to be trained."""

    def epochs_ahead(self, stages: Mapping[str, Stage]) -> float:
        """Return the epochs that are still to be trained beside the search, given how each series is trained."""
        return 0.0

    @property
    def now(self) -> str:
        """What is being trained at present, as a person reads it; empty for the search itself."""
        return ""


STRATEGIES: Registry[type[Strategy]] = Registry("strategy")


@STRATEGIES.register("scratch")
class Scratch(Strategy):
    """Every candidate is trained from scratch."""

    def ask(self) -> Candidate | None:
        """Return what the search proposes."""
        return self.ledger.ask()

    def is_left(self) -> bool:
        """Return whether the search has anything left."""
        return self.ledger.unfinished()
