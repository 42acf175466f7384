"""What a supernet takes: memory exactly, work in epochs of one network."""

from __future__ import annotations

from dataclasses import dataclass

from reports.phrases import duration
from search.config.strategy import StrategySettings, supernet_train
from search.training.settings import TrainConfig
from search.training.supernet.pace import STEP
from search.training.supernet.paths import PASSES
from spaces import SearchSpace
from spaces.supernet import supernet_params

__all__ = ["Outlook", "outlook"]

# Of each parameter there are the weight, its gradient and its momentum, four bytes each.
COPIES, BYTES = 3, 4
GB = 1e9


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a supernet takes.

    Args:
        params: Its parameters.
        epochs: Epochs of its training.
        passes: How many paths each step trains.
        scored: How many architectures are scored, at most.
        scoring: Epochs of one path that scoring is equal to, in time.
    """

    params: int
    epochs: int
    passes: int
    scored: int
    scoring: float

    @property
    def gigabytes(self) -> float:
        """Memory of weights, gradients and momentum, in 10⁹ bytes."""
        return COPIES * BYTES * self.params / GB

    @property
    def equal_epochs(self) -> float:
        """Epochs of one network that all of it is equal to, in time."""
        return self.epochs * self.passes + self.scoring

    def words(self, pace: float | None = None) -> str:
        """Return it as a sentence, with the time where the seconds of an epoch of one network are known."""
        memory = f"{self.params:,} parameters, {self.memory} with gradients and momentum"
        paths = f" of {self.passes} paths a step" if self.passes > 1 else ""
        work = f"{self.epochs:,} epochs{paths}, then {self.scored:,} architectures scored"
        time = f"as long as about {self.equal_epochs:,.0f} epochs of one network"
        return f"{memory}; {work}: {time}" + ("" if pace is None else f", {duration(self.equal_epochs * pace)}")

    @property
    def memory(self) -> str:
        """The same in words."""
        megabytes = self.gigabytes * 1e3
        return f"{megabytes:,.1f} MB" if megabytes < 1e3 else f"{self.gigabytes:,.2f} GB"


def outlook(space: SearchSpace, train: TrainConfig, settings: StrategySettings, images: tuple[int, int]) -> Outlook:
    """Return what a supernet takes.

    Args:
        space: The space.
        train: The config's section `train`.
        settings: Its section `strategy`.
        images: How many training and validation images there are.
    """
    epochs, scored = supernet_train(train, settings).epochs, min(settings.supernet_scored, space.size())
    shown = images[1] + min(settings.supernet_calibration, images[0])
    passes, scoring = PASSES[settings.supernet_sampling], scored * shown / (STEP * images[0] + images[1])
    return Outlook(supernet_params(space), epochs, passes, scored, scoring)
