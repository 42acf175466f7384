"""The config's section `strategy`: how trainings begin, and how long they are then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from search.config.document import Document
from search.training.settings import MOST, Count, Positive, Section, TrainConfig

__all__ = [
    "AUTO",
    "INHERIT",
    "LIBRARY",
    "SCRATCH",
    "STRATEGIES",
    "SUPERNET",
    "StrategySettings",
    "check_strategy",
    "inherited_train",
    "inherits",
    "library_train",
    "picked_strategy",
    "supernet_train",
]

SCRATCH, INHERIT, LIBRARY, SUPERNET = "scratch", "inherit", "library", "supernet"
STRATEGIES = (SCRATCH, INHERIT, LIBRARY, SUPERNET)
# Picks one of them; see `picked_strategy`.
AUTO = "auto"
# A training from a trained network takes a third of one from scratch.
SHORTER = 3
# That of a network of all architectures takes twice as many epochs.
LONGER = 2


class StrategySettings(Section):
    """How trainings go where `search.strategy` has them begin with the weights of a trained network, its parent.

    Args:
        parent_epochs: Epochs of the parent's training; `null` for `train.epochs`. With 0 a network of your own is taken
            as it is, with the weights that its function gives it.
        epochs: Epochs of each candidate that begins with the parent's weights; `null` for a third of `train.epochs`,
            rounded, at least 1.
        lr: Peak learning rate of these, as a share of `train.lr`.
        trust: So many architectures, of the front and at random, are trained from scratch as well after the search, to
            say how far its ranking is to be trusted; 0 for none.
        library_epochs: Of `library`, epochs for which each choice is trained alone in the parent.
        library_seeds: With how many seeds each is; from two on, error bars know of the noise of trainings.
        supernet_start: Of `supernet`, with which weights the network of all architectures begins: with those of a
            trained `parent`, or from `scratch`; `auto` is a parent where `parent_epochs` is 0, else from scratch.
        supernet_epochs: Epochs of its training; `null` for twice `train.epochs`.
        supernet_sampling: Which architectures each of its steps trains: `fair` (one, so drawn that every choice of a
            point is trained equally often) or `sandwich` (the cheapest, the dearest and two of those).
        supernet_operator_lr: Learning rate of its operators, each of which is trained in a part of the steps, as a
            multiple of that of the rest.
        supernet_calibration: Training images from which each architecture has its batch normalisations' statistics.
        supernet_scored: Architectures that are scored, at most; all, where the space has no more.
        supernet_finish: How the candidates of the search are trained: `inherit` (from their weights in the network of
            all architectures) or `scratch`.
        supernet_gb: Most memory of that network's weights, gradients and momentum, in 10⁹ bytes.
    """

    parent_epochs: Annotated[int, Field(ge=0, le=MOST)] | None = None
    epochs: Count | None = None
    lr: Positive = 0.5
    trust: Annotated[int, Field(ge=0, le=MOST)] = 12
    library_epochs: Count = 1
    library_seeds: Count = 2
    supernet_start: Literal["auto", "parent", "scratch"] = "auto"
    supernet_epochs: Count | None = None
    supernet_sampling: Literal["fair", "sandwich"] = "fair"
    supernet_operator_lr: Positive = 1.0
    supernet_calibration: Count = 256
    supernet_scored: Count = 1000
    supernet_finish: Literal["inherit", "scratch"] = "inherit"
    supernet_gb: Positive = 8.0

    @property
    def supernet_has_parent(self) -> bool:
        """Whether the network of all architectures begins with a parent's weights."""
        return self.supernet_start == "parent" or (self.supernet_start == "auto" and self.parent_epochs == 0)


def inherited_train(train: TrainConfig, settings: StrategySettings) -> TrainConfig:
    """Return how candidates are trained that begin with their parent's weights."""
    epochs = settings.epochs or max(1, round(train.epochs / SHORTER))
    return train.model_copy(update={"epochs": epochs, "lr": train.lr * settings.lr, "init": "sum"})


def library_train(train: TrainConfig, settings: StrategySettings) -> TrainConfig:
    """Return how each choice is trained alone in the parent: as candidates are, for `library_epochs`."""
    return inherited_train(train, settings).model_copy(update={"epochs": settings.library_epochs})


def supernet_train(train: TrainConfig, settings: StrategySettings) -> TrainConfig:
    """Return how the network of all architectures is trained."""
    epochs = settings.supernet_epochs or LONGER * train.epochs
    lr = train.lr * (settings.lr if settings.supernet_has_parent else 1.0)
    return train.model_copy(update={"epochs": epochs, "lr": lr, "init": "sum"})


def inherits(name: str, settings: StrategySettings) -> bool:
    """Return whether the candidates of the search begin with weights that others have trained."""
    return name != SCRATCH and not (name == SUPERNET and settings.supernet_finish == "scratch")


def picked_strategy(hyperparameters: Mapping[str, Any]) -> str:
    """Return what `auto` stands for: `inherit`, or `scratch` where hyperparameters are searched beside.

    By what was measured: `benchmarks/strategies.py`, `docs/search.md`.
    """
    return SCRATCH if hyperparameters else INHERIT


def check_strategy(
    name: str, settings: StrategySettings, space: str, hyperparameters: Mapping[str, Any], document: Document
) -> None:
    """Check that a strategy fits the rest of the config.

    Raises:
        ConfigError: Hyperparameters are searched beside, or a network is to be taken as it is that has no weights yet.
    """
    if name == SCRATCH:
        return
    if hyperparameters:
        problem = (
            f"`hyperparameters` are searched with `search.strategy: {SCRATCH}` alone: a short training from a parent's "
            "weights says little of a recipe. Leave one of the two out."
        )
        raise document.error(("search", "strategy"), problem)
    if settings.parent_epochs == 0 and space != "traced":
        problem = (
            "`strategy.parent_epochs: 0` takes a network as it is, with the weights that its function gives it, and "
            f"only a network of your own (`space.name: traced`) has such; `space.name` is `{space}`. Write 1 or more, "
            "or null."
        )
        raise document.error(("strategy", "parent_epochs"), problem)
