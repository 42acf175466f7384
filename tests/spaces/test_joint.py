"""Architecture and hyperparameters at once: variants of the host network, configurations, their ids."""

from __future__ import annotations

import optuna
import pytest

import spaces
from fusion_ops.errors import SpecError
from spaces import Configuration, JointSpace, Range, SearchSpace, Values, configuration_id

LR, WIDTH, DEPTH = Range("train.lr", 0.02, 0.5, log=True), Values("space.width", [4, 8]), Values("space.depth", [8, 14])


@pytest.fixture(scope="module")
def plain() -> SearchSpace:
    return spaces.create(
        "resnet", depth=8, width=8, num_classes=4, in_channels=1, input_size=(8, 8), ops=["sum", "aff"]
    )


@pytest.fixture(scope="module")
def several(plain: SearchSpace) -> JointSpace:
    return JointSpace(plain, [LR, WIDTH, DEPTH, Values("train.augment", [[], ["flip"]])], {"train.lr": 0.1})


def drawn(space: JointSpace, count: int = 40) -> list[tuple[Configuration, optuna.Trial]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [(space.suggest(trial), trial) for trial in (study.ask() for _ in range(count))]


def test_a_trial_chooses_a_network_of_a_variant_and_its_recipe(several: JointSpace) -> None:
    widths = set()
    for configuration, _ in drawn(several):
        settings = dict(configuration.architecture.space.settings)
        assert settings["width"] == configuration["space.width"]
        assert settings["depth"] == configuration["space.depth"]
        widths.add((settings["width"], settings["depth"]))
        assert len(configuration.architecture.choices) == {8: 3, 14: 6}[settings["depth"]]
        assert several.of(configuration.architecture).ref == configuration.architecture.space
    assert len(widths) == 4


def test_parameters_give_the_configuration_back_and_only_points_that_are_there_are_asked_for(
    several: JointSpace,
) -> None:
    for configuration, trial in drawn(several):
        params = several.params(configuration)
        assert set(params) == set(trial.params)
        assert several.suggest(optuna.trial.FixedTrial(params)) == configuration


def test_costs_are_those_of_the_variant_as_built(several: JointSpace) -> None:
    for configuration, _ in drawn(several, 6):
        network = several.of(configuration.architecture).build(configuration.architecture)
        assert several.cost(configuration.architecture).params == sum(one.numel() for one in network.parameters())


def test_one_study_holds_all_variants_whatever_ratios_are_one_network_there(several: JointSpace) -> None:
    """Widths 4 and 8 have different ratios; Optuna refuses a parameter whose choices change."""
    ratios = {slot.name: slot.reductions["aff"] for slot in several.slots}
    narrow = {slot.name: slot.reductions["aff"] for slot in several.variants[0].slots}
    assert any(set(narrow[name]) < set(ratios[name]) for name in narrow)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(30):
        study.tell((trial := study.ask()), several.cost(several.suggest(trial).architecture).params)


def test_its_size_is_the_number_of_configurations(plain: SearchSpace) -> None:
    space = JointSpace(plain, [WIDTH, Values("train.lr", [0.1, 0.2, 0.3])])
    every = list(space.enumerate())
    assert len({configuration.id for configuration in every}) == len(every) == space.size()


def test_without_hyperparameters_it_is_the_space(plain: SearchSpace) -> None:
    space = JointSpace(plain)
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    configuration = space.suggest(trial)
    assert configuration.architecture == plain.suggest(optuna.trial.FixedTrial(trial.params))
    assert configuration.id == configuration.architecture.id
    assert space.size() == plain.size()
    assert [one.architecture for one in space.baselines(draws=3)] == list(plain.baselines())


def test_an_id_knows_the_recipe_but_not_how_it_is_written(plain: SearchSpace) -> None:
    architecture = plain.uniform("sum")
    one, other = ({"train.lr": value} for value in (0.1, 0.2))
    assert len({architecture.id, configuration_id(architecture, one), configuration_id(architecture, other)}) == 3
    assert configuration_id(architecture, {"train.wd": 1, "train.lr": 2}) == configuration_id(
        architecture, {"train.lr": 2.0, "train.wd": 1.0}
    )
    assert configuration_id(architecture, {"train.augment": ["flip"]}) == configuration_id(
        architecture, {"train.augment": ("flip",)}
    )
    assert configuration_id(architecture, {"space.width": 8}) == architecture.id  # the architecture says it


def test_every_uniform_network_gets_the_same_recipes_the_own_one_first(several: JointSpace) -> None:
    every = several.baselines(draws=3)
    assert len(every) == 6
    for first in range(0, 6, 2):
        assert len({configuration.hyperparameters for configuration in every[first : first + 2]}) == 1
    assert every[0]["train.lr"] == 0.1
    assert len({configuration.hyperparameters for configuration in every}) == 3


def test_what_the_config_has_otherwise_is_tried_first_as_it_is(plain: SearchSpace) -> None:
    space = JointSpace(plain, [Range("train.lr", 0.01, 0.8, log=True)], {"train.lr": 0.05})
    assert space.draws(3)[0] == {"train.lr": 0.05}


def test_draws_are_fewer_where_there_are_not_so_many(plain: SearchSpace) -> None:
    assert len(JointSpace(plain, [Values("train.lr", [0.1, 0.2])]).draws(9)) == 2


def test_what_cannot_be_is_said(plain: SearchSpace) -> None:
    with pytest.raises(SpecError, match="named once"):
        JointSpace(plain, [LR, LR])
    with pytest.raises(SpecError, match="at most 33 values"):
        JointSpace(plain, [Range("space.width", 4, 400)])
    with pytest.raises(SpecError, match="at most 64"):
        JointSpace(plain, [Range("space.width", 4, 24), Range("space.stem_stride", 1, 4)])
    with pytest.raises(SpecError, match="belongs to"):
        JointSpace(plain, [WIDTH]).of(JointSpace(plain, [Values("space.width", [5, 6])]).variants[0].uniform("sum"))
    with pytest.raises(SpecError, match="must be a value of this space"):
        JointSpace(plain, [LR]).params(Configuration(plain.uniform("sum"), (("train.lr", 0.9),)))
