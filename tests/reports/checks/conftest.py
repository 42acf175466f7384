"""Planted tables, and what a check finds in a run of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reports
from reports.checks import Check
from spaces import SearchSpace
from tests.reports.conftest import record

__all__ = ["Found", "Rows", "additive", "ended"]

Rows = list[dict[str, Any]]
Found = Callable[..., Check]


@pytest.fixture
def planted(space: SearchSpace) -> Callable[..., Rows]:
    """Return a maker of records: the uniform networks, then mixed ones, all complete, with these final qualities."""

    def make(qualities: Sequence[float], uniform: Sequence[float] = (0.90, 0.90, 0.90), **known: Any) -> Rows:
        rng = np.random.default_rng(0)
        networks = [*space.baselines()[: len(uniform)], *(space.sample(rng) for _ in qualities)]
        kinds = ["baseline"] * len(uniform) + ["search"] * len(qualities)
        return [
            record(number, network, space, rng, kind=kind) | ended(value) | known
            for number, (network, kind, value) in enumerate(zip(networks, kinds, [*uniform, *qualities], strict=True))
        ]

    return make


def ended(value: float, late: float = 0.0) -> dict[str, Any]:
    """Return the columns of a candidate that ended at a quality, of which it gained `late` in its last two epochs."""
    curve = [value - 0.2, value - 0.1, *[value - late] * 4, value, value]
    return {"accuracy": value, "loss": 1 - value, "curve": curve, "epochs": 8, "state": "complete", "reason": ""}


@pytest.fixture
def found(make_run: Callable[..., Path]) -> Found:
    """Return what one check of a run finds; `validation` is the size of its validation set."""

    def find(check: str, rows: Rows, validation: int = 288, **settings: Any) -> Check:
        path = make_run(rows, name=f"run-{check}", **settings)
        config = path / "config.yaml"
        config.write_text(config.read_text().replace("validation: 288", f"validation: {validation}"))
        return next(one for one in reports.health(path) if one.name == check)

    return find


def additive(space: SearchSpace, noise: float, effect: float, count: int = 60) -> Rows:
    """Return random networks whose quality is a sum over their points, and noise."""
    rng = np.random.default_rng(3)
    merit = {name: value for value, name in enumerate(["sum", "concat", "sk", "aff", "iaff"])}
    rows = []
    for number in range(count):
        network = space.sample(rng)
        gain = sum(merit[choice.op] for _, choice in network.choices) / len(network.choices)
        rows.append(record(number, network, space, rng) | ended(0.8 + effect * gain + float(rng.normal(0, noise))))
    return rows
