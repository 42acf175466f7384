"""The ledger of a search with hyperparameters: proposals, repeats, uniform networks, controls, what comes back."""

from __future__ import annotations

import pytest
from optuna.trial import TrialState

from fusion_ops.errors import Infeasible, RunError
from search.study.bounds import require_reachable
from search.study.controls import one_epoch_controls, random_controls, top_controls
from search.study.ledger import Ledger
from search.study.uniform import enqueue_uniform
from search.training.job import Progress
from spaces import Configuration, JointSpace, Range, SearchSpace, Values

CURVE = ({"accuracy": 0.4, "loss": 1.0}, {"accuracy": 0.6, "loss": 0.8})


@pytest.fixture
def joint(space: SearchSpace) -> JointSpace:
    searched = [
        Range("train.lr", 0.01, 1.0, log=True),
        Values("train.augment", [[], ["flip", "crop"]]),
        Values("space.width", [4, 8]),
    ]
    return JointSpace(space, searched, {"train.lr": 0.1, "space.width": 4, "train.augment": ()})


@pytest.fixture
def ledger(open_ledger, joint: JointSpace) -> Ledger:
    return open_ledger(space=joint, sampler="random", pruner="none")


def trained(ledger: Ledger, count: int) -> list:
    asked = []
    for _ in range(count):
        candidate = ledger.ask()
        assert candidate is not None
        asked.append(candidate)
        ledger.report(candidate.number, Progress(CURVE, 1.0, "host:1", done=True))
    return asked


def at(joint: JointSpace, lr: float, width: int = 4, augment: tuple[str, ...] = ()) -> Configuration:
    variant = next(one for one in joint.variants if dict(one.ref.settings)["width"] == width)
    values = (("space.width", width), ("train.lr", lr), ("train.augment", augment))
    return Configuration(variant.uniform("aff", 2), values)


def test_a_candidate_has_the_hyperparameters_and_the_costs_of_its_own_network(ledger: Ledger) -> None:
    widths = set()
    for candidate in trained(ledger, 10):
        values, trial = candidate.hyperparameters, ledger.study.trials[candidate.number]
        assert list(values) == ["space.width", "train.lr", "train.augment"]
        assert values["space.width"] == dict(candidate.architecture.space.settings)["width"]
        assert values["train.lr"] == trial.params["train.lr"]
        assert isinstance(values["train.augment"], list)
        assert candidate.params == ledger.joint.cost(candidate.architecture).params
        widths.add(values["space.width"])
    assert widths == {4, 8}


def test_equal_architectures_with_other_hyperparameters_are_other_candidates(ledger: Ledger, joint: JointSpace) -> None:
    for one in (at(joint, 0.1), at(joint, 0.2), at(joint, 0.1), at(joint, 0.1, augment=("flip", "crop"))):
        ledger.enqueue(one, "baseline")
    first, second, third, *_ = trained(ledger, 4)
    assert first.architecture == second.architecture == third.architecture
    assert len({first.id, second.id, third.id}) == 3
    repeated = ledger.candidates[2]
    assert (repeated.state, repeated.reason) == ("duplicate", "same architecture and hyperparameters as candidate 0")
    assert repeated.curve == list(CURVE)
    assert ledger.study.trials[2].state == TrialState.FAIL


def test_all_comes_back_with_the_study(ledger: Ledger, open_ledger, joint: JointSpace) -> None:
    ledger.enqueue(at(joint, 0.1, augment=("flip", "crop")), "baseline")
    before = [(one.number, one.id, one.hyperparameters) for one in trained(ledger, 4)]
    waiting = ledger.ask()
    again = open_ledger(space=joint, pruner="none")
    assert [(one.number, one.id, one.hyperparameters) for one in again.all()][:4] == before
    again.release()
    continued = again.ask()
    assert (continued.number, continued.hyperparameters) == (waiting.number, waiting.hyperparameters)
    again.enqueue(at(joint, 0.1, augment=("flip", "crop")), "search")
    again.ask()
    assert again.candidates[5].reason == "same architecture and hyperparameters as candidate 0"


def test_a_study_of_another_width_is_not_taken(ledger: Ledger, open_ledger, space: SearchSpace) -> None:
    trained(ledger, 6)
    with pytest.raises(RunError, match="belongs to another space"):
        open_ledger(space=JointSpace(space, [Range("train.lr", 0.01, 1.0, log=True)]), pruner="none")


def test_every_uniform_network_gets_the_same_draws_the_usual_one_first(open_ledger, joint: JointSpace) -> None:
    ledger = open_ledger(space=joint, pruner="none", trials=20)
    assert enqueue_uniform(ledger, 3) == 0
    rows = [
        (one.architecture.choices[0][1].op, tuple(map(str, one.hyperparameters.values()))) for one in trained(ledger, 9)
    ]
    assert [op for op, _ in rows] == ["sum", "concat", "aff"] * 3
    by_operator = {op: [values for known, values in rows if known == op] for op in ("sum", "concat", "aff")}
    assert by_operator["sum"] == by_operator["concat"] == by_operator["aff"]
    assert len(set(by_operator["sum"])) == 3
    assert by_operator["sum"][0][0] == "4"
    assert {one.kind for one in ledger.all()} == {"baseline"}
    # What is proposed already, as after a resume, is not proposed again.
    assert enqueue_uniform(ledger, 3) == 0
    assert ledger.queued == 0


def test_what_a_search_is_compared_with_draws_hyperparameters_too(open_ledger, joint: JointSpace) -> None:
    ledger = open_ledger(space=joint, pruner="none", trials=6)
    trained(ledger, 6)
    controls = random_controls(ledger, 2)
    assert len(controls) == 6
    assert len({dict(one.hyperparameters)["train.lr"] for one, _ in controls}) > 1
    ledger.queue_controls(controls)
    assert {one.series for one in trained(ledger, 6)} == {"random"}
    assert random_controls(ledger, 2) == []
    ledger.queue_controls(one_epoch_controls(ledger, 2))
    while (candidate := ledger.ask()) is not None:
        ledger.report(candidate.number, Progress(CURVE[:1], 0.5, "host:1"))
    short = {one.id for one in ledger.all() if one.series == "one_epoch"}
    top = top_controls(ledger, 2)
    assert top
    assert {one.id for one, _ in top} <= short


def test_a_constraint_is_checked_over_all_host_networks(open_ledger, joint: JointSpace) -> None:
    least, most = (variant.smallest("params") for variant in joint.variants)
    assert least < most
    require_reachable(joint, {"params": least})
    with pytest.raises(Infeasible, match=f"the smallest in this space has {least:,}"):
        require_reachable(joint, {"params": least - 1})
    require_reachable(joint, {"params": least, "flops": joint.variants[0].smallest("flops")})
    ledger = open_ledger(space=joint, pruner="none", constraints={"params": most - 1}, trials=8)
    ledger.enqueue(at(joint, 0.1, width=8), "baseline")
    for candidate in trained(ledger, 8):
        assert candidate.hyperparameters["space.width"] == 4
    assert ledger.candidates[0].state == "infeasible"
