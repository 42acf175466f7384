"""Resamplers as samplers and the surrogate see them."""

from __future__ import annotations

import numpy as np
import optuna
import pytest

import search
import spaces
from search.strategy.proposals.encoding import Encoding
from search.strategy.samplers import SAMPLERS
from search.strategy.surrogate.features import Features

optuna.logging.set_verbosity(optuna.logging.WARNING)
ALL = ("bilinear", "carafe", "dysample", "nearest", "pixelshuffle")
SIZES = {"width": 4, "levels": 3, "stem_stride": 1, "num_classes": 3, "in_channels": 1, "input_size": (16, 16)}


def made(resamplers=ALL, **settings):
    given = {"ops": ("sum", "aff"), "reductions": (2,), "points": "both", "resamplers": resamplers}
    return spaces.create("fpn", **SIZES | given | settings)


@pytest.fixture(scope="module")
def space():
    return made()


def test_codes_are_architectures(space) -> None:
    encoding, rng = Encoding(space), np.random.default_rng(0)
    assert encoding.sizes.tolist() == [2, 2, 2, 10, 10]
    np.testing.assert_allclose(encoding.chances.sum(axis=1), 1)
    for code in encoding.draw(rng, 50):
        architecture = space.suggest(optuna.trial.FixedTrial(encoding.params(code)))
        assert (encoding.encode(architecture) == code).all()
        assert encoding.cost("params", code[None])[0] == space.cost(architecture).params
        assert encoding.cost("flops", code[None])[0] == space.cost(architecture).flops
        near = {space.suggest(optuna.trial.FixedTrial(encoding.params(one))) for one in encoding.neighbors(code)}
        assert near == set(space.neighbors(architecture))
    assert encoding.distributions["merge1.resampler"].choices == ALL


def test_a_mutation_changes_operator_or_resampler(space) -> None:
    encoding, rng = Encoding(space), np.random.default_rng(0)
    codes = encoding.draw(rng, 400)
    mutants = encoding.mutate(codes, 1, rng)
    assert ((mutants != codes).sum(axis=1) <= 1).all()
    changed = [
        (space.slots[s].choices[a], space.slots[s].choices[b])
        for one, other in zip(codes, mutants, strict=True)
        for s, (a, b) in enumerate(zip(one, other, strict=True))
        if a != b
    ]
    kinds = [(a.operator == b.operator, a.resampler == b.resampler) for a, b in changed]
    assert (False, False) not in kinds
    assert min(kinds.count((True, False)), kinds.count((False, True))) > 40


def test_without_several_everything_is_drawn_as_before() -> None:
    plain, named = Encoding(made(("bilinear",))), Encoding(made(("nearest",)))
    codes = plain.draw(np.random.default_rng(1), 20)
    assert (named.draw(np.random.default_rng(1), 20) == codes).all()
    mutants = [one.mutate(codes, 2, np.random.default_rng(2)) for one in (plain, named)]
    assert (mutants[0] == mutants[1]).all()
    assert "resamplers" not in Features(plain)(codes).linear
    assert "merge1.resampler" not in named.distributions


def test_features_tell_resamplers_apart(space) -> None:
    encoding = Encoding(space)
    one, other, third = (
        encoding.encode(space.uniform(*which))
        for which in (("sum", None, "bilinear"), ("sum", None, "nearest"), ("aff", 2, "nearest"))
    )
    seen = Features(encoding)(np.array([one, other, third]))
    assert (seen.linear["operators"][0] == seen.linear["operators"][1]).all()
    assert (seen.linear["resamplers"][1] == seen.linear["resamplers"][2]).all()
    assert not (seen.linear["resamplers"][0] == seen.linear["resamplers"][1]).all()
    alike = seen.whole @ seen.whole.T / encoding.slots
    np.testing.assert_allclose(np.diag(alike), 1, rtol=1e-5)
    np.testing.assert_allclose(alike[0, 1], (3 * 1 + 2 * 0.5) / 5, rtol=1e-4)
    np.testing.assert_allclose(alike[0, 2], 0, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in SAMPLERS.names() if name != "gp"])
def test_every_sampler_proposes_them(name, space) -> None:
    sampler = search.create_sampler(name, space, objectives=("accuracy", "params"), seed=0)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    seen = []
    for _ in range(25):
        trial = study.ask()
        architecture = space.suggest(trial)
        assert space.params(architecture) == trial.params
        seen.append(architecture)
        merges = [architecture[point].resampler for point in ("merge1", "merge2")]
        study.tell(trial, [merges.count("dysample") / 2, space.cost(architecture).params])
    assert len({architecture.id for architecture in seen}) == 25
    assert {architecture[point].resampler for architecture in seen for point in ("merge1", "merge2")} == set(ALL)
