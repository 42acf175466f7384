"""Retrained networks with known effects: their scores are drawn, the true gain is what a test gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import spaces
from fusion_ops import FusionChoice
from reports.arm import Arm, Part, Role
from spaces import Architecture, SearchSpace

IMAGES = 1000
OPERATORS = {"sum": None, "aff": 4, "iaff": 4}

MakeArm = Callable[..., Arm]


@pytest.fixture(scope="session")
def small_space() -> SearchSpace:
    return spaces.create("resnet", depth=8, width=4, in_channels=1, input_size=(8, 8))


@pytest.fixture(scope="session")
def network(small_space: SearchSpace) -> Callable[[str], Architecture]:
    """Return a maker of networks: `iaff`, or an operator for each point."""

    def make(operators: str) -> Architecture:
        named = operators.split()
        named = named * len(small_space.points) if len(named) == 1 else named
        choices = [
            (point.name, FusionChoice(op, OPERATORS[op])) for point, op in zip(small_space.points, named, strict=True)
        ]
        return Architecture(small_space.ref, tuple(choices))

    return make


def drawn(mean: float, seeds: int, spread: float, salt: int, images: int = IMAGES) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return scores of exactly this mean: images have a level in common, trainings differ by `spread` in theirs."""
    level = np.random.default_rng(0).normal(0, 0.1, images)
    rng = np.random.default_rng(salt)
    scores = level + rng.normal(0, 0.02, (seeds, images)) + spread * np.linspace(-1, 1, seeds)[:, None]
    return np.asarray(scores - scores.mean() + mean)


@pytest.fixture
def arm(network: Callable[[str], Architecture], small_space: SearchSpace) -> MakeArm:
    """Return a maker of retrained networks: parts as `role` or `role:of`, test measure, validation measure."""

    def make(
        operators: str, parts: str, test: float, validation: float | None = None, *, seeds: int = 5,
        recipe: str = "default", spread: float = 0.0005, wider: int = 0, **settings: Any,
    ) -> Arm:  # fmt: skip
        architecture = network(operators)
        cost = small_space.cost(architecture)
        name = f"{architecture.id[:-2]}{wider:02d}" if wider else architecture.id
        salt = abs(hash_of(f"{name} {recipe}"))
        centre = test if validation is None else validation
        return Arm(
            id=name,
            architecture=architecture,
            parts=tuple(_part(text) for text in parts.split()),
            recipe=recipe,
            seeds=tuple(range(100, 100 + seeds)),
            scores=drawn(test, seeds, spread, salt, settings.pop("images", IMAGES)),
            validation=tuple(float(value) for value in centre + 0.001 * np.linspace(-1, 1, seeds)),
            searched=settings.pop("searched", None),
            params=cost.params + 100 * wider,
            flops=cost.flops + 1000 * wider,
            **settings,
        )

    return make


def hash_of(text: str) -> int:
    """Return a number of a text that is the same in every process."""
    return sum((index + 1) * ord(letter) for index, letter in enumerate(text))


def _part(text: str) -> Part:
    role, _, of = text.partition(":")
    roles: dict[str, Role] = {
        "finalist": "finalist", "original": "original", "uniform": "uniform", "ablation": "ablation",
        "matched_params": "matched_params", "matched_flops": "matched_flops",
    }  # fmt: skip
    return Part(roles[role], of)


@pytest.fixture
def study(arm: MakeArm, network: Callable[[str], Architecture]) -> Callable[..., Sequence[Arm]]:
    """Return a maker of whole studies of one finalist, `sum sum iaff`, by its gain over each other network."""

    def make(over_sum: float, over_params: float | None = None, over_flops: float | None = None, *,
             recipe: str = "default", level: float = 0.9, **settings: Any) -> list[Arm]:  # fmt: skip
        finalist = network("sum sum iaff").id
        made = [
            arm("sum sum iaff", "finalist", level, recipe=recipe, searched=level + 0.01, **settings),
            arm("sum", "original uniform:sum", level - over_sum, recipe=recipe, searched=level - 0.01, **settings),
            arm("aff", "uniform:aff", level - 0.004, recipe=recipe, **settings),
        ]
        for wider, (role, gain) in enumerate((("matched_params", over_params), ("matched_flops", over_flops)), 1):
            if gain is not None:
                made.append(arm("sum", f"{role}:{finalist}", level - gain, recipe=recipe, wider=wider, **settings))
        return made

    return make
