"""Who takes part in a retraining where hyperparameters were searched, and with which of them each is trained."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from reports.retrained.participant import Participant, merged
from search.study.ledger import Ledger
from search.study.participants import ablations, choose_participants
from search.training.job import Progress
from spaces import Configuration, JointSpace, Range, SearchSpace, Values, from_ref

OPS = ("sum", "concat", "aff")


@pytest.fixture
def joint(space: SearchSpace) -> JointSpace:
    searched = [Range("train.lr", 0.01, 1.0, log=True), Values("space.width", [4, 8])]
    return JointSpace(space, searched, {"train.lr": 0.1, "space.width": 4})


def candidate(joint: JointSpace, op: str, lr: float, width: int) -> Configuration:
    variant = joint.variants[(4, 8).index(width)]
    architecture = variant.uniform(op, 2 if op == "aff" else None)
    return Configuration(architecture, (("space.width", width), ("train.lr", lr)))


def searched(open_ledger, joint: JointSpace, ended: Sequence[tuple[Configuration, float]]) -> Ledger:
    ledger = open_ledger(space=joint, trials=len(ended), pruner="none")
    for one, accuracy in ended:
        ledger.enqueue(one, "search")
        curve = ({"accuracy": accuracy, "loss": 1 - accuracy},)
        ledger.report(ledger.ask().number, Progress(curve, 1.0, "host:1", done=True))
    return ledger


def by_role(chosen: Sequence[Participant], role: str) -> list[Participant]:
    return [one for one in chosen if one.plays(role)]


def settings(one: Participant) -> tuple[float, float]:
    return one.hyperparameters["train.lr"], one.hyperparameters["space.width"]


def test_each_is_trained_with_the_best_that_the_search_saw_of_it(open_ledger, joint: JointSpace) -> None:
    ended = [
        (candidate(joint, "sum", 0.1, 4), 0.70),
        (candidate(joint, "sum", 0.3, 4), 0.80),
        (candidate(joint, "sum", 0.03, 8), 0.75),
        (candidate(joint, "aff", 0.1, 4), 0.60),
        (candidate(joint, "aff", 0.02, 4), 0.90),
        (candidate(joint, "aff", 0.5, 8), 0.85),
    ]
    chosen, missing = choose_participants(searched(open_ledger, joint, ended), 2)
    assert missing == ()
    assert [settings(one) for one in by_role(chosen, "original")] == [(0.3, 4)]
    uniform = {of: settings(one) for one in chosen for role, of in one.roles if role == "uniform"}
    # Nobody tried `concat`: it gets what is tried first.
    (first,) = joint.draws(1)
    assert uniform == {"sum": (0.3, 4), "aff": (0.02, 4), "concat": (first["train.lr"], 4)}
    finalists = by_role(chosen, "finalist")
    assert settings(finalists[0]) == (0.02, 4)
    assert not any(one.architecture == joint.of(one.architecture).original() for one in finalists)
    for role in ("matched_params", "matched_flops"):
        for control in by_role(chosen, role):
            assert control.hyperparameters["train.lr"] == 0.3
            width = dict(control.architecture.space.settings)["width"]
            assert control.hyperparameters["space.width"] == width
            assert width > 4


def test_a_control_without_a_trained_sum_is_trained_as_its_finalist(open_ledger, joint: JointSpace) -> None:
    chosen, _ = choose_participants(searched(open_ledger, joint, [(candidate(joint, "aff", 0.02, 8), 0.9)]), 1)
    (finalist,) = by_role(chosen, "finalist")
    (control, *_) = by_role(chosen, "matched_params")
    assert control.hyperparameters["train.lr"] == finalist.hyperparameters["train.lr"] == 0.02
    cost = from_ref(control.architecture.space).cost(control.architecture)
    assert cost.params >= joint.cost(finalist.architecture).params
    (untrained,) = by_role(chosen, "original")
    assert settings(untrained)[1] == 4


def test_one_architecture_takes_part_with_several_settings(open_ledger, joint: JointSpace) -> None:
    ended = [
        (candidate(joint, "aff", 0.02, 4), 0.90),
        (candidate(joint, "aff", 0.2, 4), 0.89),
    ]
    ledger = searched(open_ledger, joint, ended)
    chosen, _ = choose_participants(ledger, 2)
    finalists = by_role(chosen, "finalist")
    assert finalists[0].architecture == finalists[1].architecture
    assert finalists[0].id != finalists[1].id
    assert [Participant.from_dict(one.to_dict()) for one in chosen] == list(chosen)
    assert merged([*chosen, *chosen]) == chosen
    ablated = ablations(ledger.joint, finalists[1])
    assert len(ablated) == len(joint.space.points)
    assert {one.hyperparameters["train.lr"] for one in ablated} == {0.2}
