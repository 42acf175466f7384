"""Whether a network of all architectures has room, before anything starts."""

from __future__ import annotations

from fusion_ops.errors import ConfigError
from search.config import SearchConfig
from search.config.strategy import SUPERNET
from search.study.strategies.supernet_outlook import Outlook, outlook
from search.training.data import Dataset
from search.training.supernet.pace import seconds_an_epoch
from spaces import SearchSpace

__all__ = ["require_supernet", "supernet_in_words"]


def supernet_in_words(config: SearchConfig, space: SearchSpace, dataset: Dataset) -> str:
    """Return what the supernet of a run takes, in words; empty where its strategy has none."""
    found = _outlook(config, space, dataset)
    return "" if found is None else found.words(seconds_an_epoch(space, config.train, _images(dataset)))


def require_supernet(config: SearchConfig, space: SearchSpace, dataset: Dataset) -> None:
    """Check that the supernet's weights, gradients and momentum are within `strategy.supernet_gb`.

    Raises:
        ConfigError: They are not.
    """
    found, most = _outlook(config, space, dataset), config.strategy.supernet_gb
    if found is not None and found.gigabytes > most:
        raise ConfigError(
            f"the supernet of this space has {found.params:,} parameters, which with gradients and momentum take "
            f"{found.memory}, more than `strategy.supernet_gb: {most:g}`. Raise that where the workers have so much, "
            "or leave out some of `space.ops` or `space.reductions`."
        )


def _outlook(config: SearchConfig, space: SearchSpace, dataset: Dataset) -> Outlook | None:
    if config.search.strategy != SUPERNET:
        return None
    return outlook(space, config.train, config.strategy, _images(dataset))


def _images(dataset: Dataset) -> tuple[int, int]:
    return len(dataset.train), len(dataset.validation)
