"""Where the operator of each fusion point stands, in networks of every registered host."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import fusion_ops
from fusion_ops.operator import OPERATORS
from spaces.operator_paths import build_with_paths
from tests.spaces.test_conformance import created, every_host, images


@every_host
def test_every_point_has_its_operator(name: str, settings: dict[str, Any]) -> None:
    space = created(name, settings)
    architecture = space.sample(np.random.default_rng(3))
    torch.manual_seed(1)
    built = build_with_paths(space, architecture)
    assert list(built.paths) == [point.name for point in space.points]
    assert len(set(built.paths.values())) == len(space.points)
    for point, path in built.paths.items():
        assert type(built.network.get_submodule(path)) is OPERATORS[architecture[point].op]
    torch.manual_seed(1)
    plain = space.build(architecture)
    assert [path for path, _ in plain.named_modules()] == [path for path, _ in built.network.named_modules()]
    batch = images(space, 2)
    assert torch.equal(plain.eval()(batch), built.network.eval()(batch))


@every_host
def test_weights_of_every_point_are_recorded(name: str, settings: dict[str, Any]) -> None:
    space = created(name, settings)
    built = build_with_paths(space, space.uniform("aff"))
    network = built.network.eval()
    with fusion_ops.recorded_weights(network) as record, torch.inference_mode():
        network(images(space, 2))
    assert set(record.spreads()) == set(built.paths.values())
