"""In which order a run with a supernet trains, and what becomes of its scores."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import spaces
from fusion_ops.errors import RunError
from search.config.strategy import StrategySettings
from search.strategy import trials as stored
from search.study.strategies import Supernet, Surroundings
from search.study.strategies.supernet_outlook import outlook
from search.study.uniform import enqueue_uniform
from search.training.files import SCORES, FolderFiles
from search.training.job import Progress
from search.training.settings import TrainConfig
from search.training.supernet.scores import Scored, first_to_score, written_scores
from spaces.supernet import Supernet as Network


def done(ledger, candidate, accuracy: float = 0.9) -> None:
    curve = ({"accuracy": accuracy, "loss": 1 - accuracy},)
    ledger.report(candidate.number, Progress(curve, 1.0, "host:1", done=True))


@pytest.fixture
def said() -> list[str]:
    """What strategies have said."""
    return []


@pytest.fixture
def begun(tmp_path: Path, said: list[str]):
    """Return a function that begins a strategy."""

    def begin(ledger, **settings) -> Supernet:
        strategy = Supernet(ledger, StrategySettings(**settings))
        strategy.begin(Surroundings(FolderFiles(tmp_path), TrainConfig(epochs=8), (1000, 200), said.append))
        return strategy

    return begin


def score(tmp_path: Path, ledger, supernet) -> list[Scored]:
    """Write scores by which a network is the better, the more of its operators are `aff`; return these."""
    every = first_to_score(ledger.space, ledger.space.size(), {}, 0)
    scored = [
        Scored(one, {"accuracy": 0.5 + 0.1 * sum(choice.op == "aff" for _, choice in one.choices), "loss": 1.0})
        for one in every
    ]
    FolderFiles(tmp_path).write(supernet, SCORES, written_scores(ledger.space, scored))
    return scored


def test_parent_supernet_then_the_best_by_its_scores(tmp_path, open_ledger, begun, said) -> None:
    ledger = open_ledger(trials=10)
    enqueue_uniform(ledger)
    strategy = begun(ledger, supernet_start="parent")
    parent = strategy.ask()
    assert (parent.series, parent.start) == ("parent", None)
    assert "parent" in strategy.now
    assert strategy.ask() is None
    assert said == []
    done(ledger, parent)
    supernet = strategy.ask()
    assert (supernet.series, supernet.kind, supernet.start) == ("supernet", "control", parent.number)
    assert supernet.architecture == ledger.space.original()
    assert "scoring" in strategy.now
    (line,) = said
    assert re.match(r"supernet: [\d,]+ parameters, .* MB with gradients and momentum; 16 epochs, then 64 ", line)
    # A second an epoch, as the parent took: 16, and 64 times 456 of 3,200 images.
    assert line.endswith("as long as about 25 epochs of one network, 25 s")
    assert strategy.ask() is None
    assert strategy.is_left()
    scored = score(tmp_path, ledger, supernet)
    done(ledger, supernet)
    assert strategy.now == ""
    candidates = [strategy.ask() for _ in range(10)]
    assert strategy.ask() is None
    assert {one.start for one in candidates} == {supernet.number}
    assert [one.kind for one in candidates] == ["baseline"] * 3 + ["search"] * 7
    # Half of all are the best by the scores, two of them uniform: of those with one and two operators `aff` the
    # cheapest are on the front.
    chosen = {one.architecture for one in candidates[3:6]}
    for affs in (1, 2):
        of_these = [one.architecture for one in scored if one.measures["accuracy"] == pytest.approx(0.5 + 0.1 * affs)]
        least = min(ledger.space.cost(one).params for one in of_these)
        assert chosen & {one for one in of_these if ledger.space.cost(one).params == least}
    for one in candidates:
        done(ledger, one)
    assert not strategy.is_left()


def test_the_sampler_begins_with_the_scores_also_on_a_resume(tmp_path, open_ledger, begun) -> None:
    ledger = open_ledger(trials=20, sampler="auto")
    strategy = begun(ledger, supernet_start="auto")
    supernet = strategy.ask()
    score(tmp_path, ledger, supernet)
    done(ledger, supernet)
    assert ledger.study.sampler.problem.prior is None
    strategy.ask()
    for again in (ledger, open_ledger(trials=20, sampler="auto")):
        again.release()
        strategy = begun(again)
        strategy.ask()
        sampler = again.study.sampler
        expected = sampler._prior.feature(sampler.encoding.draw(np.random.default_rng(0), 64))
        affs = [
            sum(slot.choices[code].op == "aff" for slot, code in zip(ledger.space.slots, codes, strict=True))
            for codes in sampler.encoding.draw(np.random.default_rng(0), 64)
        ]
        # The more of the operators are `aff`, the less loss is expected.
        assert np.corrcoef(expected, affs)[0, 1] < -0.9


def test_candidates_may_be_trained_from_scratch(tmp_path, open_ledger, begun, said) -> None:
    ledger = open_ledger(trials=2)
    strategy = begun(ledger, supernet_finish="scratch")
    supernet = strategy.ask()
    assert (supernet.series, supernet.start) == ("supernet", None)
    # Nothing was trained before, by which the time would be known: networks were timed.
    assert re.search(r"epochs of one network, [\d.]+ (s|min \d\d s)$", said[0])
    score(tmp_path, ledger, supernet)
    done(ledger, supernet)
    assert strategy.ask().start is None


def test_it_goes_on_wherever_the_driver_was_killed(tmp_path, open_ledger, begun) -> None:
    ledger = open_ledger(trials=6)
    done(ledger, begun(ledger, parent_epochs=0).ask())
    supernet = begun(ledger, parent_epochs=0).ask()
    assert supernet.start == 0
    again = open_ledger(trials=6)
    again.release()
    strategy = begun(again, parent_epochs=0)
    taken = strategy.ask()
    assert (taken.number, taken.series, taken.retries) == (supernet.number, "supernet", 1)
    score(tmp_path, again, taken)
    done(again, taken)
    first = strategy.ask()
    third = open_ledger(trials=6)
    third.release()
    strategy = begun(third)
    assert strategy.ask().number == first.number
    assert len(list(iter(strategy.ask, None))) == 5
    # Nothing is queued twice.
    proposed = [tuple(sorted(stored.parameters(trial).items())) for trial in third.study.trials if trial.params]
    assert len(proposed) == len(set(proposed)) == 6


def test_a_supernet_that_fails_ends_the_run(open_ledger, begun) -> None:
    ledger = open_ledger(trials=2)
    strategy = begun(ledger, supernet_start="auto")
    supernet = strategy.ask()
    ledger.report(supernet.number, Progress((), 0.0, "host:1", done=True, failure="out of memory: 3 GB"))
    assert strategy.ask() is None
    assert "the supernet could not be trained: out of memory: 3 GB" in ledger.halt
    again = open_ledger(trials=2)
    assert begun(again, supernet_start="auto").ask().number == supernet.number + 1


@pytest.mark.parametrize("damage", ["gone", "damaged"])
def test_scores_that_are_lost_are_told_with_their_place(tmp_path, open_ledger, begun, damage: str) -> None:
    ledger = open_ledger(trials=2)
    strategy = begun(ledger, supernet_start="auto")
    supernet = strategy.ask()
    if damage == "damaged":
        FolderFiles(tmp_path).write(supernet, SCORES, b'{"architecture": 3}\n')
    done(ledger, supernet)
    with pytest.raises(RunError, match=rf"scores-{supernet.number}\.jsonl`, are {damage}; put them back"):
        strategy.ask()


def test_its_memory_is_that_of_weights_gradients_and_momentum() -> None:
    space = spaces.create("fpn", width=4, levels=3, pyramid=8, in_channels=1, input_size=(32, 32), num_classes=4)
    found = outlook(space, TrainConfig(epochs=3), StrategySettings(supernet_sampling="sandwich"), (1000, 200))
    parameters = list(Network(space).network.parameters())
    assert found.gigabytes * 1e9 == 3 * sum(one.numel() * one.element_size() for one in parameters)
    assert found.equal_epochs == pytest.approx(6 * 4 + min(1000, space.size()) * 456 / 3200)
    assert "6 epochs of 4 paths a step" in found.words()
