"""When a training is stopped early, on one objective or several."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fusion_ops.registry import Registry

__all__ = ["PRUNERS", "Curve", "KeepAll", "ParetoPruner", "Pruner", "rungs"]


@dataclass(frozen=True, slots=True)
class Curve:
    """What a pruner knows of one candidate.

    Args:
        id: The architecture's id.
        quality: Validation quality after each epoch so far, greater is better.
        costs: Its exact costs that are objectives, smaller is better; known before training.
    """

    id: str
    quality: tuple[float, ...]
    costs: tuple[float, ...]


class Pruner(ABC):
    """Decides at a rung whether a candidate is trained on."""

    @abstractmethod
    def verdict(self, candidate: Curve, completed: Sequence[Curve]) -> str | None:
        """Return why the candidate is stopped now, or `None` to let it go on.

        Args:
            candidate: The candidate, up to the rung that it has reached.
            completed: Every candidate that was trained to the end.
        """


class KeepAll(Pruner):
    """Stops nothing."""

    def verdict(self, candidate: Curve, completed: Sequence[Curve]) -> str | None:
        """Return `None`."""
        return None


class ParetoPruner(Pruner):
    """Stops what cannot be expected to add to the front of the completed candidates.

    At a rung of e epochs the final quality of the completed candidates is regressed on their quality after
    the same e epochs. The candidate's expected final quality, plus `deviations` standard errors of that
    prediction, is what it may still reach. It is stopped when a completed candidate has at least that
    quality at no more of any cost: then even its optimistic end is dominated. Costs are exact, so a small
    network is compared with networks that are as small.

    Args:
        deviations: Standard errors granted to the candidate.
        peers: Completed candidates needed before anything is stopped, at least 3.
    """

    def __init__(self, deviations: float = 1.0, peers: int = 5) -> None:
        self._deviations = deviations
        self._peers = max(peers, 3)

    def verdict(self, candidate: Curve, completed: Sequence[Curve]) -> str | None:
        """Return why the candidate is stopped now, or `None` to let it go on."""
        epoch = len(candidate.quality)
        peers = [peer for peer in completed if len(peer.quality) > epoch]
        if not epoch or len(peers) < self._peers:
            return None
        expected, error = _prediction(
            np.array([peer.quality[epoch - 1] for peer in peers]),
            np.array([max(peer.quality) for peer in peers]),
            candidate.quality[-1],
        )
        reach = max(expected + self._deviations * error, max(candidate.quality))
        for peer in peers:
            cheaper = all(mine >= theirs for mine, theirs in zip(candidate.costs, peer.costs, strict=True))
            if cheaper and max(peer.quality) >= reach:
                return (
                    f"expected {expected:.4f} ± {error:.4f} at epoch {epoch}; "
                    f"{peer.id} has {max(peer.quality):.4f} at no more cost"
                )
        return None


def _prediction(x: np.ndarray, y: np.ndarray, at: float) -> tuple[float, float]:
    """Return the least-squares prediction of y at `at` and its standard error for one new observation."""
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / spread) if spread > 0 else 0.0
    slope = max(slope, 0.0)
    residuals = y - y.mean() - slope * (x - x.mean())
    variance = float((residuals**2).sum()) / (len(x) - 2)
    leverage = (at - x.mean()) ** 2 / spread if spread > 0 else 0.0
    error = float(np.sqrt(variance * (1 + 1 / len(x) + leverage)))
    return float(y.mean() + slope * (at - x.mean())), error


PRUNERS: Registry[Callable[[], Pruner]] = Registry("pruner")
PRUNERS.register("auto")(ParetoPruner)
PRUNERS.register("pareto")(ParetoPruner)
PRUNERS.register("none")(KeepAll)


def rungs(epochs: int) -> tuple[int, ...]:
    """Return the epochs at which a training of `epochs` epochs reports and may be stopped.

    They halve from the end: 16 epochs report after 1, 2, 4, 8 and 16.
    """
    steps = {epochs}
    while epochs > 1:
        epochs = (epochs + 1) // 2
        steps.add(epochs)
    return tuple(sorted(steps))
