"""Samplers on spaces with hyperparameters, in a config and in anyone's own study."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import optuna
import pytest
from optuna.samplers import PartialFixedSampler
from optuna.trial import FixedTrial, TrialState

import search
import spaces
from fusion_ops.errors import ConfigError, Infeasible, RunError, SpecError
from search.strategy.proposals.encoding import EXACT, Encoding, key
from search.strategy.proposals.feasible import Feasible
from search.strategy.samplers import SAMPLERS
from search.strategy.surrogate.features import Features
from search.strategy.surrogate.transfer import Experience, Prior, Scores
from spaces import Configuration, JointSpace, Range, SearchSpace, Values

LR = Range("train.lr", 0.02, 0.5, log=True)
OBJECTIVES = ("accuracy", "params")


def resnet(**settings: object) -> SearchSpace:
    given = {"depth": 8, "width": 8, "num_classes": 4, "in_channels": 1, "input_size": (8, 8), **settings}
    return spaces.create("resnet", **given)


@pytest.fixture(scope="module")
def several() -> JointSpace:
    beside = [
        LR,
        Values("space.width", [4, 8]),
        Values("space.depth", [8, 14]),
        Values("train.schedule", ["step", "one_cycle"]),
    ]
    return JointSpace(resnet(ops=["sum", "aff", "sk"]), beside)


@pytest.fixture(scope="module")
def encoding(several: JointSpace) -> Encoding:
    return Encoding(several)


def configured(encoding: Encoding, code: np.ndarray) -> Configuration:
    return encoding.space.suggest(FixedTrial(encoding.params(code)))


# Codes


def test_a_code_is_a_configuration_and_back(encoding: Encoding) -> None:
    for code in encoding.draw(np.random.default_rng(0), 60):
        assert encoding.encode(configured(encoding, code)).tolist() == code.tolist()


def test_costs_of_codes_are_those_of_networks(encoding: Encoding, several: JointSpace) -> None:
    codes = encoding.draw(np.random.default_rng(1), 40)
    costs = {name: encoding.cost(name, codes) for name in EXACT}
    for index, code in enumerate(codes):
        cost = several.cost(configured(encoding, code).architecture)
        assert {name: values[index] for name, values in costs.items()} == cost.measures()
    for name, values in costs.items():
        low, high = encoding.range(name)
        assert low <= values.min()
        assert values.max() <= high


def test_whatever_changes_a_code_leaves_one_code_for_each_network(encoding: Encoding) -> None:
    rng = np.random.default_rng(2)
    codes = encoding.draw(rng, 50)
    changed = [encoding.mutate(codes, 2, rng), *(encoding.neighbors(code) for code in codes[:10])]
    for code in np.concatenate([codes, *changed]):
        assert encoding.canonical(code).tolist() == code.tolist()
        assert (code >= 0).all()
        assert (code < encoding.sizes).all()


def test_a_small_space_is_known_as_a_whole() -> None:
    space = JointSpace(
        resnet(ops=["sum", "aff"], tie="all"), [Values("space.width", [4, 8]), Values("train.lr", [0.1, 0.2, 0.3])]
    )
    codes = Encoding(space).whole()
    assert len(codes) == len({key(code) for code in codes}) == space.size() == len(list(space.enumerate()))


def test_a_neighbour_differs_in_one_decision(encoding: Encoding) -> None:
    code = encoding.draw_one(np.random.default_rng(3))
    around = encoding.neighbors(code)
    decided = encoding.slots + len(encoding.space.of_host)
    for other in around:
        beside = (other[decided:] != code[decided:]).sum()
        host = (other[encoding.slots : decided] != code[encoding.slots : decided]).sum()
        assert beside + host <= 1
        if host + beside == 0:
            assert (other != code).sum() == 1


@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
def test_bounds_hold_in_every_variant(encoding: Encoding, share: float) -> None:
    low, high = encoding.range("params")
    bound = low + share * (high - low)
    feasible, rng = Feasible(encoding, {"params": bound}), np.random.default_rng(4)
    for code in encoding.draw(rng, 30):
        repaired = feasible.repair(code, rng)
        assert repaired is not None
        assert feasible(repaired[None]).all()
        assert feasible(feasible.unseen(code, (), rng)[None]).all()


def test_what_is_left_is_found_and_nothing_else() -> None:
    space = JointSpace(
        resnet(ops=["sum", "concat"], tie="all"), [Values("space.width", [4, 8]), Values("train.lr", [0.1, 0.2])]
    )
    encoding = Encoding(space)
    bound = float(np.median(encoding.cost("params", encoding.whole())))
    feasible, seen, rng = Feasible(encoding, {"params": bound}), set[bytes](), np.random.default_rng(5)
    while (code := feasible.first_unseen(seen, rng)) is not None:
        assert key(code) not in seen
        seen.add(key(code))
    assert len(seen) == int((encoding.cost("params", encoding.whole()) <= bound).sum())


def test_an_impossible_bound_is_said(several: JointSpace) -> None:
    with pytest.raises(Infeasible, match="the smallest"):
        search.create_sampler("auto", several, constraints={"params": several.smallest("params") - 1})


def test_equal_configurations_are_as_near_as_can_be_and_no_two_are_nearer(encoding: Encoding) -> None:
    codes = encoding.draw(np.random.default_rng(6), 30)
    whole = Features(encoding)(codes).whole
    likeness = whole @ whole.T
    assert np.allclose(np.diag(likeness), likeness[0, 0], rtol=0.02)
    assert (likeness <= np.diag(likeness)[:, None] + 1e-3).all()


# Samplers


@pytest.mark.parametrize("name", SAMPLERS.names())
def test_every_sampler_proposes_new_configurations_within_the_bounds(several: JointSpace, name: str) -> None:
    bound = several.smallest("params") * 3
    study = optuna.create_study(
        directions=["maximize", "minimize"],
        sampler=search.create_sampler(name, several, OBJECTIVES, constraints={"params": bound}),
    )
    ids = []
    for index in range(18):
        trial = study.ask()
        configuration = several.suggest(trial)
        ids.append(configuration.id)
        params = several.cost(configuration.architecture).params
        assert params <= bound
        assert LR.contains(configuration["train.lr"])
        study.tell(trial, [0.5 + 0.01 * (index % 7), params])
    assert len(set(ids)) == len(ids)


def test_auto_finds_each_operators_own_learning_rate() -> None:
    """A planted interaction: sums learn best at 0.03, AFF at 0.3, where it is the best of all."""
    space = JointSpace(resnet(ops=["sum", "aff"], reductions=[4]), [LR])

    def accuracy(configuration: Configuration) -> float:
        share = np.mean([choice.op == "aff" for _, choice in configuration.architecture.choices])
        off = np.log(configuration["train.lr"]) - (np.log(0.03) * (1 - share) + np.log(0.3) * share)
        return float(0.8 + 0.05 * share - 0.1 * off**2)

    study = optuna.create_study(sampler=search.create_sampler("auto", space, ("accuracy",)), direction="maximize")
    for _ in range(30):
        trial = study.ask()
        study.tell(trial, accuracy(space.suggest(trial)))
    best = space.suggest(FixedTrial(study.best_params))
    assert all(choice.op == "aff" for _, choice in best.architecture.choices)
    assert 0.2 < best["train.lr"] < 0.45


# In anyone's own study


@pytest.mark.parametrize("name", SAMPLERS.names())
def test_a_study_may_suggest_anything_beside_the_space(name: str) -> None:
    space = resnet(ops=["sum", "aff"])
    study = optuna.create_study(direction="maximize", sampler=search.create_sampler(name, space, ("accuracy",)))
    for index in range(14):
        trial = study.ask()
        space.suggest(trial)
        lr = trial.suggest_float("lr", 1e-3, 1.0, log=True)
        trial.suggest_int("layers", 1, 4)
        if trial.suggest_categorical("optimizer", ["sgd", "adam"]) == "adam":
            trial.suggest_float("beta", 0.8, 0.99)
        study.tell(trial, -abs(np.log10(lr) + 2) + 0.01 * index)
    assert all(trial.state == TrialState.COMPLETE for trial in study.trials)


def test_auto_learns_of_what_a_study_suggests_beside_the_space() -> None:
    space = resnet(ops=["sum", "aff"], reductions=[4])
    study = optuna.create_study(direction="maximize", sampler=search.create_sampler("auto", space, ("accuracy",)))
    for _ in range(40):
        trial = study.ask()
        architecture = space.suggest(trial)
        lr = trial.suggest_float("lr", 1e-4, 1.0, log=True)
        share = np.mean([choice.op == "aff" for _, choice in architecture.choices])
        study.tell(trial, float(0.8 + 0.1 * share - 0.05 * (np.log10(lr) + 2) ** 2))
    late = [abs(np.log10(trial.params["lr"]) + 2) for trial in study.trials[20:]]
    assert np.median(late) < 0.75  # drawn at random it would be 1; nothing is proposed twice
    assert study.best_value > 0.899


def test_queued_parameters_are_kept_and_the_rest_goes_with_them() -> None:
    space = JointSpace(resnet(ops=["sum", "aff"], reductions=[4]), [LR])
    study = optuna.create_study(direction="maximize", sampler=search.create_sampler("auto", space, ("accuracy",)))
    for lr in (0.031, 0.2, 0.45):
        study.enqueue_trial({"train.lr": lr})
    study.enqueue_trial({"stage1.block1.op": "aff"})
    found = []
    for _ in range(4):
        trial = study.ask()
        found.append(space.suggest(trial))
        study.tell(trial, 0.5)
    assert [one["train.lr"] for one in found[:3]] == [0.031, 0.2, 0.45]
    assert found[3].architecture["stage1.block1"].op == "aff"


def test_partially_fixed_parameters_stay_fixed() -> None:
    space = JointSpace(resnet(ops=["sum", "aff"], reductions=[4]), [LR])
    inner = search.create_sampler("auto", space, ("accuracy",))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        fixed = PartialFixedSampler({"train.lr": 0.1}, inner)
    study = optuna.create_study(direction="maximize", sampler=fixed)
    ids = []
    for _ in range(6):
        trial = study.ask()
        configuration = space.suggest(trial)
        ids.append(configuration.id)
        assert configuration["train.lr"] == 0.1
        study.tell(trial, 0.5)
    assert len(set(ids)) > 3


# Priors


def known(space: JointSpace, count: int, sign: float = 1.0, kind: type[Experience] = Experience) -> Experience:
    rng = np.random.default_rng(7)
    drawn = [space.sample(rng) for _ in range(count)]
    return kind(drawn, [sign * loss(one) for one in drawn])


def loss(configuration: Configuration) -> float:
    share = np.mean([choice.op == "aff" for _, choice in configuration.architecture.choices])
    return float(0.3 - 0.1 * share + 0.05 * (np.log(configuration["train.lr"]) - np.log(0.1)) ** 2)


def test_what_was_learnt_holds_for_another_depth_and_range() -> None:
    shallow = JointSpace(resnet(ops=["sum", "concat", "aff"]), [LR])
    deep = JointSpace(resnet(depth=20, ops=["sum", "aff", "sk"]), [Range("train.lr", 0.01, 1.0, log=True)])
    encoding = Encoding(deep)
    codes = encoding.draw(np.random.default_rng(8), 200)
    expected = Prior(encoding, known(shallow, 60, kind=Scores)).feature(codes)
    true = [loss(configured(encoding, code)) for code in codes]
    assert np.corrcoef(expected, true)[0, 1] > 0.8


def test_what_is_tied_and_widened_is_described_alike() -> None:
    space = JointSpace(resnet(ops=["sum", "concat", "aff"], tie="stage", depth=14), [LR, Values("space.width", [4, 8])])
    experience, encoding = known(space, 40, kind=Scores), Encoding(space)
    codes = encoding.draw(np.random.default_rng(9), 100)
    true = [loss(configured(encoding, code)) for code in codes]
    assert experience.of(encoding)(codes) == pytest.approx(true, abs=0.04)
    assert np.corrcoef(experience.of(encoding)(codes), true)[0, 1] > 0.95


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_misleading_prior_is_overcome_as_a_good_one_is_no_hindrance(sign: float) -> None:
    space = JointSpace(resnet(ops=["sum", "concat", "aff"], reductions=[4]), [LR])
    sampler = search.create_sampler("auto", space, ("accuracy",), prior=known(space, 60, sign))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for _ in range(30):
        trial = study.ask()
        study.tell(trial, 1.0 - loss(space.suggest(trial)))
    values = [trial.value or 0.0 for trial in study.trials]
    assert max(values) > 0.79  # 0.8 is the best there is


def test_only_auto_takes_a_prior_and_few_candidates_are_none() -> None:
    space = JointSpace(resnet(ops=["sum", "aff"]), [LR])
    with pytest.raises(ConfigError, match="`auto`"):
        search.create_sampler("tpe", space, prior=known(space, 20))
    with pytest.raises(SpecError, match="at least 8"):
        known(space, 7)
    with pytest.raises(RunError, match="nowhere"):
        search.experience("nowhere")


def test_there_is_a_hyperparameter_of_each_kind_in_the_tests(several: JointSpace) -> None:
    kinds = {(one.of_host, one.ordered, type(one)) for one in several.hyperparameters}
    assert {(True, True, Values), (False, True, Range), (False, False, Values)} <= kinds
    assert all(one != other for one, other in itertools.combinations(several.refs, 2))


def test_a_slot_that_is_queued_in_part_is_known_as_it_is_trained() -> None:
    space = resnet(ops=["sum", "aff"], reductions=[2, 4])
    sampler = search.create_sampler("random", space, ("accuracy",))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for _ in range(8):
        study.enqueue_trial({"stage1.block1.op": "aff"}, skip_if_exists=False)
        trial = study.ask()
        trained = space.suggest(trial)
        assert trained["stage1.block1"].op == "aff"
        code = sampler.encoding.encode(trained)
        assert key(code) in sampler.observations.seen
        study.tell(trial, 0.5)


@pytest.mark.parametrize("name", ["auto", "tpe", "gp"])
def test_whatever_a_study_suggests_comes_as_it_suggests_it(name: str) -> None:
    space = resnet(ops=["sum", "aff"], tie="all", reductions=[4])
    study = optuna.create_study(direction="maximize", sampler=search.create_sampler(name, space, ("accuracy",)))
    temperatures = set()
    for index in range(9):
        trial = study.ask()
        space.suggest(trial)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # lists are no choices that a storage keeps
            assert trial.suggest_categorical("augment", (("flip", "crop"), "none")) in (("flip", "crop"), "none")
        assert type(trial.suggest_categorical("x", [1.0, 2.5])) is float
        assert type(trial.suggest_float("y", 0.0, 1.0, step=0.5)) is float
        assert trial.suggest_int("space.w", 1, 2**40) >= 1
        temperatures.add(trial.suggest_float("temperature", 1000.0, 1001.0))
        study.tell(trial, float(index))
    assert len(temperatures) > 4


def test_a_prior_knows_null_from_other_values() -> None:
    space = JointSpace(resnet(ops=["sum", "aff"]), [Values("train.class_weights", ["balanced", None])])
    rng = np.random.default_rng(10)
    drawn = [space.sample(rng) for _ in range(40)]
    experience = Scores(drawn, [0.5 if one["train.class_weights"] is None else 0.3 for one in drawn])
    encoding = Encoding(space)
    expected = experience.of(encoding)(codes := encoding.draw(rng, 40))
    null = np.array([configured(encoding, code)["train.class_weights"] is None for code in codes])
    assert expected[null].min() > expected[~null].max()
