"""Who takes part in a retraining: finalists, the uniform networks, controls of equal cost."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import spaces
from fusion_ops import FusionChoice
from reports.retrained.participant import NoControl, Participant, merged
from search.study.participants import ablations, choose_participants, finalists
from search.training.job import Progress
from spaces.joint import joint


def finish(ledger, candidate, accuracy: float) -> None:
    curve = ({"accuracy": accuracy, "loss": 1 - accuracy},)
    ledger.report(candidate.number, Progress(curve, 1.0, "host:1", done=True))


def searched(open_ledger, accuracies, **changes):
    """A search whose candidates, given by their choices at the three points, end with these accuracies."""
    ledger = open_ledger(trials=len(accuracies), pruner="none", **changes)
    for architecture in accuracies:
        ledger.enqueue(spaces.Configuration(architecture), "baseline")
    for accuracy in accuracies.values():
        finish(ledger, ledger.ask(), accuracy)
    return ledger


def mixed(space, *operators: str) -> spaces.Architecture:
    uniform = {"sum": space.uniform("sum"), "concat": space.uniform("concat"), "aff": space.uniform("aff", 2)}
    chosen = zip(space.points, operators, strict=True)
    return spaces.Architecture(space.ref, tuple((point.name, uniform[op][point.name]) for point, op in chosen))


@pytest.fixture
def accuracies(space):
    return {
        space.uniform("sum"): 0.80,
        mixed(space, "concat", "sum", "sum"): 0.84,
        mixed(space, "sum", "sum", "concat"): 0.86,
        space.uniform("concat"): 0.88,
        space.uniform("aff", 2): 0.95,
        space.uniform("aff", 4): 0.70,
    }


def test_finalists_are_the_best_the_knee_and_what_lies_between(open_ledger, space, accuracies):
    ledger = searched(open_ledger, accuracies)
    chosen, _ = choose_participants(ledger, 3)
    picked = [one.architecture for one in chosen if one.plays("finalist")]
    assert picked[0] == space.uniform("aff", 2)
    assert len(picked) == 3
    assert space.original() not in picked
    one, _ = choose_participants(ledger, 1)
    assert [two.architecture for two in one if two.plays("finalist")] == picked[:1]
    many, _ = choose_participants(ledger, 50)
    assert len([two for two in many if two.plays("finalist")]) == len(accuracies) - 1


def test_everyone_takes_part_once_with_all_roles(open_ledger, space, accuracies):
    chosen, missing = choose_participants(searched(open_ledger, accuracies), 2)
    assert len({one.id for one in chosen}) == len(chosen)
    assert missing == ()
    by_id = {one.id: one for one in chosen}
    best, base = by_id[space.uniform("aff", 2).id], by_id[space.uniform("sum").id]
    assert best.roles[:2] == (("finalist", ""), ("uniform", "aff"))
    assert (best.role, best.kind, base.role, base.kind) == ("finalist", "retrain", "original", "retrain")
    assert ("uniform", "sum") in base.roles
    controls = [one for one in chosen if one.role.startswith("matched")]
    assert {one.kind for one in controls} == {"control"}
    for role, measure in (("matched_params", "params"), ("matched_flops", "flops")):
        control = next(one for one in chosen if (role, best.id) in one.roles)
        wider = spaces.from_ref(control.architecture.space)
        cost = wider.cost(control.architecture).measures()[measure]
        assert cost >= space.cost(best.architecture).measures()[measure]
        assert {choice.op for _, choice in control.architecture.choices} == {"sum"}
        assert control.architecture.space != space.ref


def test_the_best_uniform_network_of_each_operator_counts_trained_or_not(open_ledger, space):
    ledger = searched(open_ledger, {space.uniform("aff", 4): 0.9, space.uniform("aff", 2): 0.8})
    chosen, _ = choose_participants(ledger, 1)
    uniform = {of: one.architecture for one in chosen for role, of in one.roles if role == "uniform"}
    assert uniform["aff"] == space.uniform("aff", 4)
    assert uniform["concat"] == space.uniform("concat")


def test_a_uniform_network_beyond_the_constraints_is_no_alternative(open_ledger, space):
    bound = space.cost(space.uniform("sum")).params + 1
    ledger = searched(open_ledger, {space.uniform("sum"): 0.8}, constraints={"params": bound})
    chosen, _ = choose_participants(ledger, 1)
    assert {of for one in chosen for role, of in one.roles if role == "uniform"} == {"sum"}


def test_where_only_the_sum_is_complete_it_takes_part_without_a_finalist(open_ledger, space):
    chosen, _ = choose_participants(searched(open_ledger, {space.uniform("sum"): 0.8}), 3)
    assert not [one for one in chosen if one.plays("finalist")]
    assert chosen[0].role == "original"


def test_finalists_of_one_objective_are_the_best_ones(open_ledger, space, accuracies):
    ledger = searched(open_ledger, accuracies, objectives=("accuracy",))
    chosen, _ = choose_participants(ledger, 3)
    got = [accuracies[one.architecture] for one in chosen if one.plays("finalist")]
    assert got == [0.95, 0.88, 0.86]


class Residual(nn.Module):
    """A user's network of two sums."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.first, self.second = nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.stem(images)
        maps = maps + self.first(maps).relu()
        return (maps + self.second(maps).relu()).mean(dim=(2, 3))


def test_a_host_that_cannot_be_widened_has_the_next_best_control_or_says_why(open_ledger):
    space = spaces.trace(Residual(), torch.zeros(1, 1, 8, 8), ops=("sum", "concat", "aff"), reductions=(2,))
    point = space.points[0].name
    small = space.original()
    changed = tuple((name, FusionChoice("concat") if name == point else choice) for name, choice in small.choices)
    part = spaces.Architecture(space.ref, changed)
    accuracies = {small: 0.8, part: 0.9, space.uniform("concat"): 0.95, space.uniform("aff", 2): 0.97}
    chosen, missing = choose_participants(searched(open_ledger, accuracies, space=space), 3)
    assert all(isinstance(one, NoControl) and one.why.startswith("no control: ") for one in missing)
    finalists_there = {one.id for one in chosen if one.plays("finalist")}
    assert {one.of for one in missing} == finalists_there
    instead = {one.instead for one in missing} - {""}
    assert instead <= {one.id for one in chosen}
    assert all(one.instead != one.of for one in missing)
    own = [one for one in missing if one.of == space.uniform("concat").id]
    assert own
    assert all(one.why.endswith("is the finalist itself.") for one in own)
    aff = [one for one in missing if one.of == space.uniform("aff", 2).id]
    assert any(one.instead or "fewer than" in one.why for one in aff)


def test_an_ablation_sets_one_changed_point_back(space):
    winner = mixed(space, "aff", "sum", "concat")
    found = ablations(joint(space), Participant(winner, (("finalist", ""),)))
    assert [one.roles for one in found] == [
        (("ablation", space.points[0].name),),
        (("ablation", space.points[2].name),),
    ]
    assert found[0].architecture == mixed(space, "sum", "sum", "concat")
    assert ablations(joint(space), Participant(space.original(), (("original", ""),))) == ()


def test_merging_keeps_order_and_every_role_once(space):
    first, second = space.uniform("sum"), space.uniform("aff", 2)
    parts = [
        Participant(second, (("uniform", "aff"),)),
        Participant(first, (("original", ""),)),
        Participant(second, (("finalist", ""), ("uniform", "aff"))),
    ]
    assert merged(parts) == (
        Participant(second, (("uniform", "aff"), ("finalist", ""))),
        Participant(first, (("original", ""),)),
    )
    assert merged(parts)[0].role == "finalist"
    assert Participant.from_dict(merged(parts)[0].to_dict()) == merged(parts)[0]


def test_finalists_need_no_knee(open_ledger, space, accuracies):
    from reports.candidates import table
    from reports.tables.ranking import rank

    ledger = searched(open_ledger, accuracies)
    ranked = rank(table.frame(ledger.records(), ledger.objectives), ledger.objectives).assign(knee=False)
    picked = finalists(ranked, 2, ledger.objectives, besides={space.original().id})
    assert ledger.candidates[picked[0]].architecture == space.uniform("aff", 2)
    assert len(picked) == 2


def test_operators_with_options_have_uniform_networks_of_their_own(open_ledger):
    ops = ("sum", "aff", "aff initial=concat")
    space = spaces.create("resnet", depth=8, width=8, num_classes=10, in_channels=1, ops=ops, reductions=(2, 4))
    best = space.uniform("aff initial=concat", 2)
    accuracies = {space.uniform("sum"): 0.8, space.uniform("aff", 2): 0.82, best: 0.9}
    chosen, _ = choose_participants(searched(open_ledger, accuracies, space=space), 1)
    uniform = {one.architecture for one in chosen for role, _ in one.roles if role == "uniform"}
    assert best in uniform
