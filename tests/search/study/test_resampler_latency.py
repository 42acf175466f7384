"""Latency from single resamplers: each is measured apart from the operators, once for equal shapes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import spaces
from fusion_ops import FusionChoice, Upsampling
from fusion_ops.errors import SpecError
from search.strategy.proposals.encoding import Encoding
from search.strategy.surrogate.features import AdditiveLatency
from search.training.measuring.operators import DeviceTimer, measured_table
from search.training.settings import LatencyConfig
from spaces.latency import LatencyTable, Operator, operators

QUICK = LatencyConfig(seconds=0.003)
SMALL = {"width": 4, "levels": 3, "stem_stride": 1, "num_classes": 3, "in_channels": 1, "input_size": (16, 16)}


def made(resamplers=("bilinear", "carafe", "dysample")):
    return spaces.create("fpn", **SMALL, ops=("sum", "aff"), reductions=(2,), resamplers=resamplers)


def invented(space: spaces.SearchSpace) -> LatencyTable:
    rng = np.random.default_rng(0)
    return LatencyTable(1.5, {part: float(rng.uniform(0.1, 2.0)) for part in operators(space)}, "cpu", {})


def test_a_prediction_adds_operators_and_resamplers() -> None:
    space = made()
    table = invented(space)
    assert len(table.times) == 2 * (2 + 3)  # two points of two shapes
    encoding = Encoding(space)
    codes = encoding.draw(np.random.default_rng(1), 20)
    for code, value in zip(codes, AdditiveLatency(encoding, table)(codes), strict=True):
        architecture = space.uniform("sum")
        chosen = [space.slots[s].choices[c] for s, c in enumerate(code)]
        parts = [
            part
            for point, choice in zip(space.points, chosen, strict=True)
            for part in (Operator.at(point, choice), point.upsampling(choice.resampler))
        ]
        assert value == pytest.approx(1.5 + sum(table.times[part] for part in parts if part is not None))
        assert architecture.space == space.ref


def test_bilinear_alone_belongs_to_the_rest() -> None:
    plain, space = made(("bilinear",)), made()
    table = invented(plain)
    assert not [part for part in table.times if isinstance(part, Upsampling)]
    assert "resamplers" not in table.to_dict()
    assert table.predict(plain.uniform("sum"), plain) > 1.5
    with pytest.raises(SpecError, match="lacks carafe of 32 × 4 × 4 to 8 × 8, at merge2: it was measured for another"):
        table.predict(space.uniform("sum", resampler="carafe"), space)


def test_resamplers_are_measured() -> None:
    space = made()
    timer = DeviceTimer(space, torch.device("cpu"), QUICK)
    table, failed = measured_table(space, QUICK, timer.device, timer.time, lambda _: None)
    assert not failed
    assert all(table.times.values())
    point = space.points[0]
    carafe, bilinear = (table.time(point, FusionChoice("sum", resampler=one)) for one in ("carafe", "bilinear"))
    assert min(carafe, bilinear) > 0
    assert LatencyTable.from_dict(json.loads(json.dumps(table.to_dict()))) == table


def test_one_that_cannot_be_measured_counts_as_the_slowest_of_its_kind() -> None:
    space = made()
    table = invented(space)
    point = space.points[0]
    carafe = point.upsampling("carafe")
    without = LatencyTable(table.rest, {**table.times, carafe: None}, "cpu", {})
    assert not without.measured(point, FusionChoice("sum", resampler="carafe"))
    assert without.measured(point, FusionChoice("sum"))
    slowest = max(table.times[point.upsampling(one)] for one in ("bilinear", "dysample"))
    own = table.times[Operator.at(point, FusionChoice("sum"))]
    assert without.time(point, FusionChoice("sum", resampler="carafe")) == pytest.approx(own + slowest)
