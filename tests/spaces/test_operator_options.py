"""Operators with options among the choices of a space: `scaled per=channel` beside `scaled`."""

from __future__ import annotations

import numpy as np
import optuna
import pytest

import fusion_ops
import spaces
from fusion_ops import FusionChoice
from fusion_ops.errors import SpecError, UnknownNameError
from search.strategy.proposals.encoding import Encoding
from spaces import Architecture, SearchSpace

OPS = ("sum", "scaled", "scaled per=channel", "aff", "aff context=local initial=concat")


def space_of(*ops: str) -> SearchSpace:
    return spaces.create("resnet", depth=8, width=8, input_size=(8, 8), ops=ops or OPS, reductions=(2, 4))


def test_every_variant_is_a_choice_of_its_own() -> None:
    space = space_of()
    assert space.ops == OPS
    assert space.size() == (3 + 2 * 2) ** 3
    network = space.build(space.uniform("scaled per=channel"))
    scales = [module.scales for module in network.modules() if isinstance(module, fusion_ops.Scaled)]
    assert [scale.shape[1] for scale in scales] == [8, 16, 32]
    for architecture in space.baselines():
        built = space.build(architecture)
        assert space.cost(architecture).params == sum(p.numel() for p in built.parameters())


def test_proposals_and_names_come_back() -> None:
    """From a trial, from JSON, from a sampler's codes: the same architecture, the same id."""
    space = space_of()
    study = optuna.create_study()
    for architecture in (*space.baselines(), *(space.sample(np.random.default_rng(seed)) for seed in range(20))):
        assert Architecture.from_json(architecture.to_json()) == architecture
        study.enqueue_trial(space.params(architecture))
        assert space.suggest(study.ask()) == architecture
    encoding = Encoding(space)
    assert {int(op) for op in encoding.ops.ravel() if op >= 0} == set(range(len(OPS)))


def test_options_at_their_defaults_are_left_out() -> None:
    assert space_of("sum", "scaled per=scalar identity=last").ops == ("sum", "scaled")
    assert space_of("sum", "scaled per=scalar").uniform("scaled") == space_of("sum", "scaled").uniform("scaled")
    with pytest.raises(SpecError, match="`ops` must name nothing twice, and `scaled per=scalar` is `scaled`"):
        space_of("scaled", "scaled per=scalar")


@pytest.mark.parametrize(
    ("op", "message"),
    [
        ("scaled per", "written `scaled per=channel`; got `scaled per`"),
        ("scaled =channel", "written `scaled per=channel`"),
        ("aff r=4", "r has a list of its own, `reductions`; got `aff r=4`. Write `aff`"),
        ("scaled per=pixel", r"`per` of `scaled` must be one of \('scalar', 'channel'\); got 'pixel'"),
        ("aff per=channel", "`aff` has no option `per`; known: context, initial, scale"),
        ("aff context=local context=global", "given once|duplicate|twice"),
    ],
)
def test_what_is_no_operator_with_options_is_refused(op: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        space_of("sum", op)


def test_unknown_operators_are_named_without_their_options() -> None:
    with pytest.raises(UnknownNameError, match="unknown fusion operator `afff`; did you mean `aff`"):
        space_of("sum", "afff context=local")


@pytest.mark.parametrize("name", OPS)
def test_a_name_says_what_it_is(name: str) -> None:
    choice = fusion_ops.variant(name)
    assert choice.name == name
    assert FusionChoice.named(name) == choice
    assert FusionChoice.named(name, 4).name == name
