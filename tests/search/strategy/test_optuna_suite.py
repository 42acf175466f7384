"""Optuna's own suite for samplers, from the installed Optuna, on every sampler of ours."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase

import search
import spaces
from search.strategy.samplers import SAMPLERS


@pytest.fixture(scope="module")
def space() -> spaces.SearchSpace:
    return spaces.create("resnet", depth=8, width=8, num_classes=4, in_channels=1, input_size=(8, 8))


class _EverySampler:
    @pytest.fixture(params=SAMPLERS.names())
    def sampler(self, request: pytest.FixtureRequest, space: spaces.SearchSpace) -> Callable[[], BaseSampler]:
        return partial(search.create_sampler, request.param, space, seed=0)


class TestOneObjective(_EverySampler, BasicSamplerTestCase):
    pass


class TestSeveralObjectives(_EverySampler, MultiObjectiveSamplerTestCase):
    pass
