"""What the attention of a trained candidate does: how its weights vary over the validation images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from fusion_ops import Spread, recorded_weights
from reports.exporting.documents import select
from reports.exporting.pick import picked, require_weights
from reports.exporting.simplify import Evaluate
from reports.exporting.weights import load_weights
from reports.run.run import load_run
from search.run.run import validation
from spaces import Architecture, SearchSpace
from spaces.operator_paths import build_with_paths

__all__ = ["attention", "attention_of", "described"]


def attention(run_dir: str | Path, pick: str = "best") -> dict[str, tuple[Spread, ...]]:
    """Return how the weights of a candidate's operators vary over the run's validation images.

    Args:
        run_dir: The run directory.
        pick: `best`, `knee`, or the id of a complete candidate.

    Returns:
        By name of the fusion point, where its operator weighs its inputs: the spread of the weight of each input.

    Raises:
        RunError: The run or the candidate cannot be used; the message says why.
    """
    run = load_run(run_dir)
    row = picked(run, pick)
    selection = select(run, row)
    if selection.retrained is None:
        require_weights(run, row["id"])
    return attention_of(selection.space, selection.architecture, selection.weights, validation(run_dir))


def attention_of(
    space: SearchSpace, architecture: Architecture, weights: Path, evaluate: Evaluate
) -> dict[str, tuple[Spread, ...]]:
    """Return how the weights of a network's operators vary over the images that `evaluate` runs it on, by point.

    Args:
        space: The network's space.
        architecture: Its architecture.
        weights: Its weights, a safetensors file.
        evaluate: Runs a network on the images, as `validation` returns it.

    Raises:
        RunError: The weights are missing, damaged or another network's.
    """
    built = build_with_paths(space, architecture)
    network: nn.Module = built.network.eval()
    load_weights(network, weights)
    with recorded_weights(network) as record:
        evaluate(network)
    return built.by_point(record.spreads())


def described(spreads: dict[str, tuple[Spread, ...]]) -> list[dict[str, Any]]:
    """Return the spreads as JSON-ready values, an entry for each input of each point."""
    return [
        {
            "point": point,
            "input": index,
            "mean": spread.mean,
            "std": spread.std,
            "varying": spread.varying,
            "shares": spread.shares(),
        }
        for point, inputs in spreads.items()
        for index, spread in enumerate(inputs)
    ]
