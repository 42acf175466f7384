"""A run that searched a learning rate, augmentations, and width and depth of its host network."""

from __future__ import annotations

from typing import Any

import numpy as np

import spaces
from spaces import JointSpace, Range, Values
from tests.reports.conftest import record

__all__ = ["HYPERPARAMETERS", "joint_records", "joint_space"]

HYPERPARAMETERS: dict[str, Any] = {
    "train.lr": {"low": 0.02, "high": 0.5, "log": True},
    "train.augment": [[], ["flip", "crop"]],
    "space.width": [8, 12],
    "space.depth": [14, 8],
}


def joint_space() -> JointSpace:
    space = spaces.create("resnet", depth=14, width=8, in_channels=1, input_size=(8, 8))
    lists = [Values(name, given) for name, given in HYPERPARAMETERS.items() if isinstance(given, list)]
    return JointSpace(space, [Range("train.lr", 0.02, 0.5, log=True), *lists], {"space.width": 8, "space.depth": 14})


def joint_records(count: int = 40) -> list[dict[str, Any]]:
    """Return rows of the table: uniform networks with three settings each, then random candidates."""
    joint, rng = joint_space(), np.random.default_rng(4)
    rows, baselines = [], joint.baselines(draws=3)
    for number in range(count):
        one = baselines[number] if number < len(baselines) else joint.sample(rng)
        state = "pruned" if number % 7 == 6 else "complete"
        values = {name: ", ".join(v) or "none" if isinstance(v, tuple) else v for name, v in one.hyperparameters}
        rows.append(
            record(
                number,
                one.architecture,
                joint.of(one.architecture),
                rng,
                id=one.id,
                state=state,
                kind="baseline" if number < len(baselines) else "search",
                **values,
            )
        )
    return rows
