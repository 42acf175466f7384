"""What other pruners would have saved of a run, and wrongly stopped: planted curves, counted by hand."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import yaml

import search
from fusion_ops.errors import ConfigError, RunError, SpecError, UnknownNameError
from reports.candidates import table as candidates
from reports.measures import Measure, declare
from search.cli import app, errors, replay  # noqa: F401 - the import registers the command
from search.run.replay import Replays
from search.training.job import Progress
from tests.runs import contents

RISING = [[0.5, 0.6, 0.7, 0.8], [0.4, 0.5, 0.6, 0.7], [0.3, 0.4, 0.5, 0.6], [0.6, 0.7, 0.8, 0.9]]
CROSSING = [*RISING[:2], [0.3, 0.5, 0.8, 0.95], RISING[3]]


@pytest.fixture
def write(tmp_path: Path, space):
    """Return a writer of run directories, from rows of the table; architectures are the space's own, in order."""

    def make(rows, objectives=("accuracy",), name="run", **config):
        there = list(space.enumerate())
        records = [_record(number, there[row.pop("place", number)], space, row) for number, row in enumerate(rows)]
        run = tmp_path / name
        run.mkdir()
        values = {"objectives": list(objectives), "train": {"epochs": 4}, "search": {"seed": 0, "pruner": "auto"}}
        values["space"] = {"name": "resnet", "ops": ["sum", "concat", "aff"], "reductions": [2, 4]}
        (run / "config.yaml").write_text(yaml.safe_dump(values | config))
        candidates.write(candidates.frame(records, objectives), run)
        return run

    return make


def _record(number, architecture, space, row):
    curve = row["curve"]
    cost = space.cost(architecture)
    return {
        "number": number,
        "id": architecture.id,
        "state": "complete" if len(curve) == 4 else "pruned",
        "kind": "search",
        "seed": 0,
        "epochs": len(curve),
        "accuracy": max(curve, default=None),
        "params": cost.params,
        "flops": cost.flops,
        "seconds": 10.0 * len(curve),
        "worker": "host:1",
        "retries": 0,
        "architecture": architecture.to_json(),
    } | row


def curves(*all_):
    return [{"curve": list(one)} for one in all_]


def counts_of(run: Path, pruner: str):
    return search.Run(run).replay(pruner, seeds=0).replays[0].counts


def test_right_stops_save_and_lose_nothing(write):
    """Of 16 epochs successive halving trains 4 + 1 + 1 + 4, and keeps the best."""
    found = counts_of(write(curves(*RISING)), "asha")
    assert (found.whole, found.epochs, found.epochs_at_most, found.stopped, found.wrong) == (16, 10, 10, 2, 0)
    assert (found.seconds_whole, found.seconds, found.saved) == (160.0, 100.0, pytest.approx(6 / 16))
    assert (found.expected_wrong, found.wrong_low, found.wrong_high) == (0, 0, 0)
    assert (found.front_kept, found.best_lost) == (1, 0)


def test_crossing_curves_make_the_same_stops_wrong(write):
    found = counts_of(write(curves(*CROSSING)), "asha")
    assert (found.epochs, found.stopped, found.wrong, found.unknown) == (10, 2, 1, 0)
    assert found.best_lost == pytest.approx(0.05)
    assert found.front_kept < 1
    whole = counts_of(write(curves(*CROSSING), name="whole"), "none")
    assert (whole.epochs, whole.stopped, whole.wrong, whole.front_kept, whole.best_lost) == (16, 0, 0, 1, 0)


def test_a_run_replayed_with_its_own_pruner_is_the_run(write, open_ledger, space):
    """Fifty trainings by the ledger, one after the other: every stop and every audit comes again."""
    ledger = open_ledger(trials=50, epochs=8)
    rng = np.random.default_rng(0)
    while (candidate := ledger.ask()) is not None:
        share = np.mean([choice.op == "aff" for _, choice in candidate.architecture.choices])
        end = 0.7 + 0.1 * share + rng.normal(0, 0.02)
        values = end - 0.3 * np.exp(-0.7 * np.arange(1, 9)) + rng.normal(0, 0.002, 8)
        for epoch in (1, 2, 4, 8):
            curve = tuple({"accuracy": round(float(value), 6)} for value in values[:epoch])
            if ledger.report(candidate.number, Progress(curve, 1.0 * epoch, "host:1", done=epoch == 8)):
                break
    table = ledger.records()
    rows = [{**row, "place": None} for row in table]
    run = write([], objectives=("accuracy", "params"), train={"epochs": 8})
    candidates.write(candidates.frame(table, ("accuracy", "params")), run)
    found = search.Run(run).replay("auto", seeds=0)
    stopped = [row for row in rows if row["state"] == "pruned"]
    assert len(stopped) > 5
    assert any(row["audit"] for row in rows)
    counts = found.replays[0].counts
    assert (counts.stopped, counts.past) == (len(stopped), 0)
    assert counts.epochs == counts.epochs_at_most == found.own.epochs == sum(row["epochs"] for row in rows)
    assert found.own.stopped == len(stopped)
    assert found.own.checked == sum(row["audit"] is not None for row in rows)


def test_what_is_not_known_gives_bounds(write):
    """Without stops those that were stopped at 1 and 2 train to the end; else at least to the next chance, 2 and 4."""
    run = write(curves(RISING[0], [0.4], [0.35, 0.5], RISING[3]))
    none = counts_of(run, "none")
    assert (none.epochs, none.epochs_at_most, none.past, none.stopped, none.saved_at_most) == (16, 16, 2, 0, 0)
    patient = counts_of(run, "patient")
    assert (patient.epochs, patient.epochs_at_most, patient.past, patient.stopped) == (4 + 2 + 4 + 4, 16, 2, 0)
    assert (patient.saved, patient.saved_at_most) == (0, pytest.approx(2 / 16))
    late = search.Run(run).replay("patient", seeds=0, min_epochs=4).replays[0].counts
    assert (late.epochs, late.epochs_at_most) == (16, 16)
    with pytest.raises(SpecError, match=r"at most the run's `train\.epochs`, 4; got 5"):
        search.Run(run).replay("patient", min_epochs=5)
    halved = counts_of(run, "asha")
    assert (halved.epochs, halved.epochs_at_most, halved.stopped, halved.unknown) == (10, 10, 2, 2)
    assert (halved.expected_wrong, halved.wrong_low, halved.wrong_high) == (None, 0, 2)


def test_audits_say_what_stops_of_unknown_end_are_worth(write):
    """Two audits of the same stops, one of which is the best of all: half of the two unknown ones are expected so."""
    checked = [
        {"curve": [0.2, 0.3, 0.4, 0.5], "audit": 1},
        {"curve": [0.2, 0.5, 0.8, 0.99], "audit": 1},
    ]
    run = write([*curves(RISING[0]), *checked, *curves([0.1], [0.15])])
    found = counts_of(run, "asha")
    assert (found.stopped, found.unknown, found.wrong) == (4, 2, 1)
    assert found.expected_wrong == pytest.approx(1 + 2 * 1 / 2)
    assert 1 < found.wrong_low < 2 < found.wrong_high < 3
    own = search.Run(run).replay("none", seeds=0).own
    assert (own.stopped, own.checked, own.wrong, own.epochs, own.whole) == (2, 2, 1, 14, 20)


def test_a_second_look_tells_the_end_of_what_was_stopped(write):
    run = write([*curves(RISING[0], [0.4]), {"curve": [0.4, 0.6, 0.9, 0.95], "place": 1}])
    found = search.Run(run).replay("asha", seeds=0)
    assert (found.candidates, found.known, found.own.epochs, found.own.whole) == (2, 2, 9, 8)
    assert (found.replays[0].counts.stopped, found.replays[0].counts.wrong) == (1, 1)


def test_a_floor_of_epochs_is_the_runs_or_that_which_is_asked_for(write):
    rows = [[0.5, 0.6, 0.7, 0.8], [0.4, 0.8, 0.9, 0.95]]
    plain = search.Run(write(curves(*rows)))
    assert (plain.replay("asha", seeds=0).min_epochs, plain.replay("asha", seeds=0).replays[0].counts.wrong) == (1, 1)
    later = plain.replay("asha", seeds=0, min_epochs=2)
    assert (later.min_epochs, later.replays[0].counts.stopped) == (2, 0)
    floor = {"seed": 0, "pruner": "asha", "min_epochs": 2}
    own = search.Run(write(curves(*rows), name="floor", search=floor)).replay("asha", seeds=0)
    assert (own.min_epochs, own.replays[0].counts.stopped) == (2, 0)


def test_other_orders_give_a_range(write):
    """Worst first, each is the best so far and goes on; best first, none does."""
    replays = search.Run(write(curves(*RISING))).replay("asha", seeds=8).replays[0]
    assert len(replays.shuffled) == 8
    least, most = replays.spread("saved")
    assert least <= replays.counts.saved <= most
    assert least < most
    again = search.Run(write(curves(*RISING), name="again")).replay("asha", seeds=8).replays[0]
    assert asdict(again) == asdict(replays)


def test_a_run_is_only_read(write):
    run = write(curves(*RISING), objectives=("accuracy", "params"))
    before = contents(run)
    found = search.Run(run).replay(seeds=1)
    assert [one.pruner for one in found.replays] == ["auto", "none"]
    assert contents(run) == before


def test_a_loss_is_best_where_it_is_low(write):
    rows = [{"curve": [1 - value for value in one], "loss": 1 - max(one), "accuracy": None} for one in CROSSING]
    found = counts_of(write(rows, objectives=("loss",)), "asha")
    assert (found.epochs, found.stopped, found.wrong, found.best_lost) == (10, 2, 1, pytest.approx(0.05))


def test_user_defined_qualities_and_costs(write):
    own = Measure("own:gain", "gain", "maximize", "number", "own:gain", quality=True)
    cost = Measure("own:joules", "joules", "minimize", "number", "own:joules")
    declare(own)
    declare(cost)
    rows = [{"curve": one, "own:gain": max(one), "own:joules": 1.0, "accuracy": None} for one in CROSSING]
    known = {"measures": [asdict(own), asdict(cost)]}
    found = counts_of(write(rows, objectives=("own:gain",), resolved=known), "asha")
    assert (found.epochs, found.wrong) == (10, 1)
    # What it costs is known after a training alone, so that nothing is stopped.
    auto = counts_of(write(rows, objectives=("own:gain", "own:joules"), resolved=known, name="two"), "auto")
    assert (auto.epochs, auto.stopped) == (16, 0)


def test_of_several_qualities_the_study_has_the_curves(write, open_ledger, tmp_path):
    ledger = open_ledger(trials=12, objectives=("accuracy", "loss"), epochs=4)
    for value in np.linspace(0.5, 0.8, 12):
        candidate = ledger.ask()
        curve = tuple({"accuracy": value + 0.05 * epoch, "loss": 1 - value - 0.05 * epoch} for epoch in range(4))
        ledger.report(candidate.number, Progress(curve, 4.0, "host:1", done=True))
    run = write([], objectives=("accuracy", "loss"), resolved={"study": "fusion-nas"})
    candidates.write(candidates.frame(ledger.records(), ("accuracy", "loss")), run)
    (tmp_path / "study.journal").rename(run / "study.journal")
    before = contents(run)
    found = counts_of(run, "none")
    assert (found.epochs, found.stopped) == (48, 0)
    assert contents(run) == before
    (run / "study.journal").unlink()
    with pytest.raises(RunError, match=r"study\.journal does not exist"):
        counts_of(run, "none")


@pytest.mark.parametrize(
    ("pruner", "seeds", "error", "says"),
    [
        ("ahsa", 0, UnknownNameError, "asha"),
        ("asha", 0, ConfigError, "promotes the best of a rung by one value"),
        (5, 0, SpecError, "`pruners` is the name of a pruner, or a list of names; got 5."),
        ([], 0, SpecError, "`pruners` names at least one pruner; got []. Leave it out for all that make sense."),
        (["auto", ""], 0, SpecError, "every pruner has a name; got 'auto', ''."),
        ("auto", -1, SpecError, "`seeds` must be a whole number of at least 0; got -1."),
    ],
)
def test_bad_arguments(write, pruner, seeds, error, says):
    run = write(curves(*RISING), objectives=("accuracy", "params"))
    with pytest.raises(error) as caught:
        search.Run(run).replay(pruner, seeds=seeds)
    with pytest.raises(SpecError, match="`min_epochs` must be a whole number of at least 1; got 0"):
        search.Run(run).replay("auto", min_epochs=0)
    assert says in str(caught.value)


def in_process(*arguments: object) -> int:
    return errors.run(app.app, list(map(str, arguments)))


def test_the_command_refuses_an_empty_name(write, capsys):
    run = write(curves(*CROSSING))
    assert in_process("replay", run, "--pruner", ",") == 2
    assert "every pruner has a name; got '', ''" in capsys.readouterr().err


def test_the_command_prints_a_table_and_writes_what_it_says(write, tmp_path, capsys):
    run = write(curves(*CROSSING))
    assert in_process("replay", run, "--pruner", "asha, none", "--seeds", "2", "-o", tmp_path / "out.json") == 0
    out = capsys.readouterr().out
    assert "run: 4 of 4 candidates were trained to their end; they begin in the run's order, one after the other" in out
    assert "auto, as it was" in out
    assert any(line.split()[:3] == ["asha", "2", "38"] for line in out.splitlines())
    assert "5.00 points" in out
    written = json.loads((tmp_path / "out.json").read_text())
    assert [one["pruner"] for one in written["replays"]] == ["asha", "none"]
    assert written["replays"][0]["counts"]["wrong"] == 1
    assert len(written["replays"][0]["shuffled"]) == 2
    assert in_process("replay", run, "--pruner", "asha", "--seeds", "0", "--json") == 0
    assert json.loads(capsys.readouterr().out)["replays"][0]["counts"]["wrong"] == 1


def test_what_is_not_known_is_said(write, capsys):
    assert in_process("replay", write(curves(RISING[0], [0.4], [0.35, 0.5], RISING[3])), "--seeds", 0) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "0 to 2, 2 unknown" in out
    assert "0 to 12 %" in out
    assert "Not known are the ends of 2." in out
    assert "What they would have reached is not known" in out


def test_bad_input_is_one_line_and_2(write, tmp_path, capsys):
    cut = write(curves([0.4], [0.3]), name="cut")
    bare = write(curves([], []), name="bare")
    good = write(curves(*RISING), name="good")
    for arguments, says in (
        ((tmp_path / "nowhere",), "there is no run directory"),
        ((good, "--pruner", "ahsa"), "asha"),
        ((cut,), "replay needs candidates that were trained to their end"),
        ((bare,), "replay needs learning curves"),
        ((good, "-o", tmp_path / "no" / "folder" / "a.json"), "cannot write"),
        ((good, "--sampler", "rnadom"), "random"),
        ((good, "--sampler", "random"), "a sampler cannot be replayed: good knows 4 of the"),
    ):
        assert in_process("replay", *arguments) == 2
        err = capsys.readouterr().err
        assert len(err.strip().splitlines()) == 1
        assert says in err


def test_once_a_candidate_is_complete_it_can_be_replayed(write):
    with pytest.raises(RunError, match="Replay it when one is complete"):
        search.Run(write(curves([0.4], [0.3]))).replay(seeds=0)
    found = search.Run(write(curves([0.4], [0.3], RISING[0]), name="later")).replay(seeds=0)
    assert isinstance(found, Replays)
    assert (found.known, found.candidates) == (1, 3)
