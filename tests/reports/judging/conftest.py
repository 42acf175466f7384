"""Retrained networks with known effects: their scores are drawn, the true gain is what a test gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from safetensors.numpy import save_file

import spaces
from fusion_ops import FusionChoice
from reports.candidates import table as candidates
from reports.retrained.arm import Arm, Part
from reports.retrained.outcomes import outcomes_path
from reports.retrained.participant import ROLES
from reports.retrained.record import RETRAIN_FILE, RetrainRecord
from spaces import Architecture, SearchSpace

IMAGES = 1000
OPERATORS = {"sum": None, "aff": 4, "iaff": 4}

MakeArm = Callable[..., Arm]
Network = Callable[[str], Architecture]


@pytest.fixture(scope="session")
def small_space() -> SearchSpace:
    return space_of(width=4)


def space_of(*, width: int) -> SearchSpace:
    return spaces.create("resnet", depth=8, width=width, in_channels=1, input_size=(8, 8))


@pytest.fixture(scope="session")
def network(small_space: SearchSpace) -> Network:
    """Return a maker of networks: `iaff`, or an operator for each point."""

    def make(operators: str) -> Architecture:
        named = operators.split()
        named = named * len(small_space.points) if len(named) == 1 else named
        choices = [
            (point.name, FusionChoice(op, OPERATORS[op])) for point, op in zip(small_space.points, named, strict=True)
        ]
        return Architecture(small_space.ref, tuple(choices))

    return make


def drawn(
    mean: float, seeds: int, spread: float, salt: int, images: int = IMAGES
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return scores of exactly this mean: images have a level in common, trainings differ by `spread` in theirs."""
    level = np.random.default_rng(0).normal(0, 0.1, images)
    rng = np.random.default_rng(salt)
    scores = level + rng.normal(0, 0.02, (seeds, images)) + spread * np.linspace(-1, 1, seeds)[:, None]
    return np.asarray(scores - scores.mean() + mean)


@pytest.fixture
def arm(network: Network, small_space: SearchSpace) -> MakeArm:
    """Return a maker of retrained networks: parts as `role` or `role:of`, test measure, validation measure."""

    def make(
        operators: str, parts: str, test: float, validation: float | None = None, *, seeds: int = 5,
        recipe: str = "default", spread: float = 0.0005, wider: int = 0, **settings: Any,
    ) -> Arm:  # fmt: skip
        space = small_space if not wider else space_of(width=4 + wider)
        architecture = Architecture(space.ref, network(operators).choices)
        cost = space.cost(architecture)
        salt = hash_of(f"{architecture.id} {recipe}")
        centre = test if validation is None else validation
        return Arm(
            id=architecture.id,
            architecture=architecture,
            parts=tuple(_part(text) for text in parts.split()),
            recipe=recipe,
            seeds=tuple(range(100, 100 + seeds)),
            scores=drawn(test, seeds, spread, salt, settings.pop("images", IMAGES)),
            validation=tuple(float(value) for value in centre + 0.001 * np.linspace(-1, 1, seeds)),
            searched=settings.pop("searched", None),
            params=cost.params,
            flops=cost.flops,
            **settings,
        )

    return make


def hash_of(text: str) -> int:
    """Return a number of a text that is the same in every process."""
    return sum((index + 1) * ord(letter) for index, letter in enumerate(text))


def _part(text: str) -> Part:
    role, _, of = text.partition(":")
    assert role in ROLES
    return Part(role, of)


@pytest.fixture
def study(arm: MakeArm, network: Network) -> Callable[..., Sequence[Arm]]:
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


@pytest.fixture
def retrained_run(tmp_path: Path, network: Network) -> Callable[..., Path]:
    """Return a maker of run directories: a search, and the networks that were retrained after it."""

    def make(
        arms: Sequence[Arm],
        *,
        name: str = "run",
        seeds: tuple[int, int] = (5, 5),
        no_control: str = "",
        quality: str = "accuracy",
        **changes: Any,
    ) -> Path:
        run = tmp_path / name
        run.mkdir()
        searched = [network(text) for text in ("sum", "aff", "iaff", "sum sum iaff", "aff iaff sum")]
        rows = [_row(number, one, quality, 0.9 + 0.01 * number) for number, one in enumerate(searched)]
        for arm in arms:
            for seed, scores, validation in zip(arm.seeds, arm.scores, arm.validation, strict=True):
                row = _row(len(rows), arm.architecture or searched[0], quality, validation)
                rows.append(row | _retrained(arm, seed) | {f"test_{quality}": float(scores.mean())})
                _write_scores(outcomes_path(run, arm.id, row["number"]), quality, scores)
        config = {"objectives": [quality, "params"], "train": {"epochs": 1}, **changes}
        (run / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        candidates.write(candidates.frame(rows, (quality, "params")), run)
        if arms:
            _write_record(run, arms, seeds, no_control)
        return run

    return make


def _row(number: int, architecture: Architecture, quality: str, value: float) -> dict[str, Any]:
    cost = spaces.from_ref(architecture.space).cost(architecture)
    return {
        "number": number, "id": architecture.id, "state": "complete", "reason": "", "kind": "search", "seed": 0,
        "epochs": 1, "params": cost.params, "flops": cost.flops, "seconds": 1.0, "worker": "node:1", "retries": 0,
        "started": "2026-03-02T10:00:00.000+00:00", "finished": "2026-03-02T10:01:00.000+00:00",
        "architecture": architecture.to_json(), "curve": [value], quality: value,
    }  # fmt: skip


def _retrained(arm: Arm, seed: int) -> dict[str, Any]:
    controls = {"matched_params", "matched_flops"}
    return {
        "id": arm.id, "kind": "control" if arm.parts[0].role in controls else "retrain", "series": "retrain",
        "role": arm.parts[0].role, "recipe": arm.recipe, "seed": seed,
        "params": arm.params, "flops": arm.flops,
    }  # fmt: skip


def _write_scores(path: Path, quality: str, scores: NDArray[np.float64]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({quality: scores.astype(np.float32)}, path, metadata={"test_set": "digest"})


def _write_record(run: Path, arms: Sequence[Arm], seeds: tuple[int, int], no_control: str) -> None:
    participants = {
        arm.id: {
            "id": arm.id,
            "role": arm.parts[0].role,
            "roles": [{"role": part.role, "of": part.of} for part in arm.parts],
            "architecture": "" if arm.architecture is None else arm.architecture.to_json(),
        }
        for arm in arms
    }
    record = RetrainRecord(1, seeds, {arm.recipe: {} for arm in arms}, seed_list=arms[0].seeds)
    none = [{"of": arms[0].id, "measure": "flops", "why": no_control, "instead": ""}] if no_control else []
    values = record.to_dict() | {"participants": list(participants.values()), "no_controls": none}
    (run / RETRAIN_FILE).write_text(yaml.safe_dump(values), encoding="utf-8")
