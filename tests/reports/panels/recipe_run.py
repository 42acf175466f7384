"""A run that searched a learning rate and augmentations, with a planted truth."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

import spaces
from spaces import JointSpace, Range, Values
from tests.reports.conftest import record

__all__ = ["SEARCHED", "recipe_records"]

LOW, HIGH = 0.02, 0.5
SEARCHED: dict[str, Any] = {
    "train.lr": {"low": LOW, "high": HIGH, "log": True},
    "train.augment": [[], ["flip", "crop"], ["mixup"]],
}
SLOW = ("aff", "iaff")


def recipe_records(count: int = 60, *, change: bool = True, seed: int = 0) -> list[dict[str, Any]]:
    """Return rows of the table: attention needs a high learning rate where there is a change, all others a low one."""
    space = spaces.create("resnet", depth=14, width=8, in_channels=1, input_size=(8, 8))
    rate = Range("train.lr", LOW, HIGH, log=True)
    joint, rng = (
        JointSpace(space, [rate, Values("train.augment", SEARCHED["train.augment"])]),
        np.random.default_rng(seed),
    )
    baselines, rows = joint.baselines(draws=3), []
    for number in range(count):
        one = baselines[number] if number < len(baselines) else joint.sample(rng)
        hyperparameters = dict(one.hyperparameters)
        place = rate.place(hyperparameters["train.lr"])
        counts = Counter(choice.name for _, choice in one.architecture.choices)
        peaks = sum(n * (0.8 if change and name in SLOW else 0.2) for name, n in counts.items()) / counts.total()
        quality = 0.95 - 0.15 * (place - peaks) ** 2 + (0 if change else 0.03 * counts["iaff"] / counts.total())
        quality += float(rng.normal(0, 0.004))
        values = {name: ", ".join(v) or "none" if isinstance(v, tuple) else v for name, v in hyperparameters.items()}
        assert math.isfinite(quality)
        row = record(number, one.architecture, space, rng, id=one.id, accuracy=quality, curve=[quality] * 8, **values)
        rows.append(row | {"kind": "baseline" if number < len(baselines) else "search"})
    return rows
