"""The verdict of a run directory: read, judged, written."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file, save_file

import reports
from fusion_ops.errors import RunError
from reports.candidates import table as candidates
from reports.judging import in_words, judgement_of, save_verdict
from reports.judging.record import read_verdict
from reports.retrained.arm import Arm
from reports.retrained.arms import arms
from reports.retrained.record import RETRAIN_FILE
from reports.run.catalog import make_catalog
from reports.run.run import load_run

MakeRun = Callable[..., Path]
Study = Callable[..., Sequence[Arm]]


def test_what_was_retrained_is_read_back(retrained_run: MakeRun, study: Study) -> None:
    made = study(0.02, 0.01, 0.005)
    read = arms(load_run(retrained_run(made)))
    assert [arm.id for arm in read] == [arm.id for arm in made]
    for before, after in zip(made, read, strict=True):
        assert after.parts == before.parts
        assert (after.seeds, after.validation, after.params, after.flops) == (
            before.seeds, pytest.approx(before.validation), before.params, before.flops,
        )  # fmt: skip
        np.testing.assert_allclose(after.scores, before.scores, atol=1e-6)


def test_the_runs_own_recipe_comes_first(retrained_run: MakeRun, study: Study) -> None:
    read = arms(load_run(retrained_run([*study(0.02, recipe="a"), *study(0.02)])))
    assert [arm.recipe for arm in read] == ["default"] * 3 + ["a"] * 3


def test_the_search_had_shown_what_its_table_says(retrained_run: MakeRun, study: Study) -> None:
    run = load_run(retrained_run(study(0.02)))
    table = run.table.set_index("id")["accuracy"]
    shown = {arm.id: arm.searched for arm in arms(run)}
    assert shown == {name: table.get(name) for name in shown}
    assert shown[next(iter(shown))] is not None


def test_the_verdict_is_made_and_written(retrained_run: MakeRun, study: Study) -> None:
    path = retrained_run(study(0.02, 0.01, 0.005))
    assert reports.verdict(path).outcome == "better"
    assert not (path / "verdict.json").exists()
    judged = save_verdict(path)
    assert judged is not None
    assert json.loads((path / "verdict.json").read_text(encoding="utf-8")) == judged.verdict.to_dict()
    assert in_words(judged).startswith("Better than the sum, at equal capacity, too.\niaff r=4 at the deepest point")


def test_the_margin_of_the_config_counts(retrained_run: MakeRun, study: Study) -> None:
    assert reports.verdict(retrained_run(study(0.02))).margin == 0.0025
    wide = reports.verdict(retrained_run(study(0.02), name="wide", verdict={"margin": 0.05}))
    assert (wide.margin, wide.outcome) == (0.05, "same")


def test_the_margin_of_a_loss_is_a_share_of_what_the_search_had_shown_of_the_original(
    retrained_run: MakeRun, study: Study
) -> None:
    """The search had shown a loss of 0.9 of the sum; the whole path, to the words."""
    same = retrained_run(study(-0.004, level=0.5), quality="loss")
    judged = save_verdict(same)
    assert judged is not None
    assert json.loads((same / "verdict.json").read_text(encoding="utf-8"))["margin"] == pytest.approx(0.009)
    assert (judged.verdict.outcome, judged.verdict.comparisons[0].gain) == ("same", pytest.approx(0.004, abs=1e-6))
    assert "Differences below 0.00900 count as the same (verdict.margin)." in in_words(judged)
    assert ": 0.00400 lower (95 %: 0.00" in in_words(judged)
    assert " lower) in test loss than sum everywhere." in in_words(judged)
    assert "points" not in in_words(judged)
    given = retrained_run(study(-0.004, level=0.5), quality="loss", name="given", verdict={"margin": 0.001})
    assert (reports.verdict(given).margin, reports.verdict(given).outcome) == (0.001, "better")


def test_adaptive_seeds_pay_for_looking_again(retrained_run: MakeRun, study: Study) -> None:
    fixed = reports.verdict(retrained_run(study(0.02, spread=0.01), seeds=(5, 5)))
    looked = reports.verdict(retrained_run(study(0.02, spread=0.01), seeds=(3, 12), name="looked"))
    for one, other in zip(fixed.comparisons, looked.comparisons, strict=True):
        assert one.gain == pytest.approx(other.gain)
        assert other.high - other.low > one.high - one.low


def test_who_looked_before_pays_though_the_last_call_was_fixed(retrained_run: MakeRun, study: Study) -> None:
    fixed = retrained_run(study(0.02, spread=0.01), seeds=(5, 5))
    looked = retrained_run(study(0.02, spread=0.01), seeds=(5, 5), name="looked")
    record = yaml.safe_load((looked / RETRAIN_FILE).read_text())
    (looked / RETRAIN_FILE).write_text(yaml.safe_dump(record | {"looked": [3, 5]}))
    widths = [one.high - one.low for path in (fixed, looked) for one in reports.verdict(path).comparisons[:1]]
    assert widths[1] > widths[0]


def test_a_control_that_has_no_result_is_in_the_record_and_leaves_it_open(retrained_run: MakeRun, study: Study) -> None:
    path = retrained_run(study(0.02, 0.01, 0.01))
    assert reports.verdict(path).outcome == "better"
    table = candidates.read(path)
    for role in ("matched_params", "matched_flops"):
        table.loc[table["role"] == role, "state"] = "failed"
    candidates.write(table, path)
    assert reports.verdict(path).outcome == "undecided"


def end(path: Path, network: str, count: int, state: str, reason: str) -> None:
    """Let the last trainings of a network have failed."""
    table = candidates.read(path)
    last = table.index[(table["series"] == "retrain") & (table["id"] == network)][-count:]
    table.loc[last, ["state", "reason"]] = state, reason
    candidates.write(table, path)


def test_trainings_that_failed_stand_in_the_verdict_of_the_run(retrained_run: MakeRun, study: Study) -> None:
    arms_made = study(0.02, 0.01, 0.01)
    candidate, base, uniform, control, whole = arms_made
    path = retrained_run(arms_made)
    end(path, candidate.id, 2, "failed", "non-finite loss at epoch 3")
    end(path, base.id, 1, "infeasible", "out of memory: 2 GiB")
    end(path, control.id, 5, "failed", "its worker was lost, and so was every retry's")
    end(path, uniform.id, 1, "failed", "timeout: no progress for 300 s")
    judged = save_verdict(path)
    assert judged is not None
    assert (judged.verdict.outcome, judged.ruling.reason) == ("undecided", "diverged")
    written = json.loads((path / "verdict.json").read_text(encoding="utf-8"))
    against_sum = written["comparisons"][0]
    assert (against_sum["outcome"], against_sum["seeds"]) == ("undecided", 3)
    assert against_sum["low"] > 0
    assert against_sum["failed"] == {
        "candidate": {"trainings": 5, "diverged": 2, "out_of_memory": 0, "other": 0},
        "reference": {"trainings": 5, "diverged": 0, "out_of_memory": 1, "other": 0},
    }
    failed = {one["id"]: (one["roles"], one["failures"]["other"]) for one in written["failed"]}
    (own,) = (one for one in written["failed"] if one["id"] == candidate.id)
    assert own["diverged_seeds"] == list(candidate.seeds[-2:])
    assert failed[control.id] == (["matched_params"], 5)
    assert whole.id not in failed
    assert read_verdict(path) == judged.verdict
    said = in_words(judged)
    assert said.startswith("Undecided: better where it trains, but it diverges more often.\n")
    for words in (
        "2 of 5 trainings of the candidate diverged. 1 of 5 trainings of the sum ran out of memory.\n",
        "undecided, as it diverged more often. 1 of 5 trainings of that network failed.",
        "Of the other networks: 5 of 5 trainings of sum everywhere (matched params) failed.\n",
        "--recipe with a lower lr or a longer warmup.",
    ):
        assert words in said, (words, said)


def test_finalists_of_which_nothing_is_left_are_said_and_nobody_takes_their_place(
    retrained_run: MakeRun, study: Study
) -> None:
    """The best uniform network is better than the sum, and has no control: it is not the answer."""
    candidate, base, uniform = study(0.02)
    path = retrained_run([candidate, base, uniform])
    end(path, candidate.id, 5, "failed", "non-finite loss at epoch 1")
    judged = save_verdict(path)
    assert judged is not None
    assert (judged.verdict.candidate, judged.under[0].ruling.outcome) == (uniform.id, "better")
    assert (judged.verdict.outcome, judged.ruling.reason) == ("undecided", "no_finalist")
    lines = in_words(judged).splitlines()
    assert lines[0] == "Undecided: no finalist was trained to its end."
    assert lines[1].startswith("Other networks say nothing of the finalists. aff r=4 everywhere: +1.60 points")
    assert "deepest point, sum elsewhere (finalist) diverged." in in_words(judged)
    assert "by --recipe with a lower lr or a longer warmup." in in_words(judged)
    end(path, uniform.id, 5, "failed", "non-finite loss at epoch 1")
    assert (
        in_words(judgement_of(load_run(path)) or judged)
        .splitlines()[1]
        .endswith("sum everywhere reaches 88.00 % test accuracy.")
    )


def test_finalists_that_are_still_in_training_are_waited_for_but_not_for_the_original(
    retrained_run: MakeRun, study: Study, arm: Callable[..., Arm]
) -> None:
    candidate, base, uniform = study(0.02)
    path = retrained_run([candidate, base, uniform])
    end(path, candidate.id, 5, "running", "")
    judged = judgement_of(load_run(path))
    assert judged is not None
    assert judged.ruling.reason == "no_finalist"
    base = arm("sum", "finalist original uniform:sum", 0.88)
    judged = judgement_of(load_run(retrained_run([base, uniform], name="alone")))
    assert judged is not None
    assert judged.verdict.outcome == "better"


def test_an_original_of_which_nothing_is_left_is_said(retrained_run: MakeRun, study: Study) -> None:
    arms_made = study(0.02)
    path = retrained_run(arms_made)
    end(path, arms_made[1].id, 5, "failed", "non-finite loss at epoch 1")
    judged = judgement_of(load_run(path))
    assert judged is not None
    assert judged.ruling.reason == "no_sum"
    assert in_words(judged).splitlines()[1].endswith(" 5 of 5 trainings of the sum diverged.")


def test_a_measure_that_one_training_has_by_image_and_another_has_not_is_no_mean(
    retrained_run: MakeRun, study: Study
) -> None:
    path = retrained_run(study(0.02))
    first = sorted(path.glob("checkpoints/*/test-*.safetensors"))[0]
    values = load_file(first)["accuracy"]
    save_file({"accuracy": values.mean(keepdims=True)}, first, metadata={"test_set": "digest"})
    assert {arm.scores.shape for arm in arms(load_run(path))} == {(5, 1)}
    judged = save_verdict(path)
    assert judged is not None
    assert (judged.verdict.outcome, judged.ruling.reason) == ("undecided", "no_images")


def test_a_search_alone_is_undecided(retrained_run: MakeRun) -> None:
    path = retrained_run([])
    best = load_run(path).ranked.sort_values("accuracy", ascending=False)["id"].iloc[0]
    verdict = reports.verdict(path)
    assert (verdict.outcome, verdict.candidate, verdict.comparisons) == ("undecided", best, ())
    assert save_verdict(path) is None
    assert not (path / "verdict.json").exists()


def test_a_verdict_outlives_its_files(retrained_run: MakeRun, study: Study) -> None:
    path = retrained_run(study(0.02))
    judged = save_verdict(path)
    assert judged is not None
    (path / "retrain.yaml").unlink()
    assert reports.verdict(path) == judged.verdict


def test_missing_scores_are_named(retrained_run: MakeRun, study: Study) -> None:
    path = retrained_run(study(0.02))
    next(path.glob("checkpoints/*/test-*.safetensors")).unlink()
    with pytest.raises(RunError, match=r"test-\d+\.safetensors"):
        reports.verdict(path)


def test_a_missing_control_says_why(retrained_run: MakeRun, study: Study) -> None:
    run = load_run(retrained_run(study(0.02, 0.01), no_control="the network was traced"))
    judged = judgement_of(run)
    assert judged is not None
    assert judged.under[0].missing == (("matched_flops", "the network was traced"),)


def test_retrained_networks_are_no_candidates_of_the_search(retrained_run: MakeRun, study: Study) -> None:
    before, after = (load_run(retrained_run(arms, name=name)) for arms, name in (([], "a"), (study(0.02, 0.01), "b")))
    assert after.table["number"].tolist() == before.table["number"].tolist()
    assert after.ranked["id"].tolist() == before.ranked["id"].tolist()
    assert len(after.retrained) == 4 * 5
    assert len(after.contests) == 0
    assert {entry.id for entry in make_catalog(after).entries} == {entry.id for entry in make_catalog(before).entries}
