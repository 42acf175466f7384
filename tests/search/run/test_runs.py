"""Whole runs: real processes, real Ray workers, real trainings on real digits."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from optuna.trial import TrialState

from tests.runs import check_sound, contents, driving, events, fusion_nas, in_process, trials, wait_for_more

pytestmark = pytest.mark.slow

CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, concat, aff], reductions: [2, 4]}
data: {name: digits}
train: {epochs: 4, batch_size: 128, lr: 0.2}
objectives: [accuracy, params]
search: {trials: 8, sampler: random, pruner: auto, seed: 1}
"""
LONG = CONFIG.replace("epochs: 4", "epochs: 16").replace("trials: 8", "trials: 8")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    (folder / "small.yaml").write_text(CONFIG)
    done = fusion_nas("launch", folder / "small.yaml", "--run-dir", folder / "run")
    assert done.returncode == 0, done.stderr
    (folder / "launch.out").write_text(done.stdout)
    (folder / "launch.err").write_text(done.stderr)
    return folder


def test_a_launch_trains_all_and_writes_everything(finished: Path):
    run = finished / "run"
    table = check_sound(run, 8)
    baselines = table[table["kind"] == "baseline"]
    assert len(baselines) == 3
    assert (baselines["state"] == "complete").all()
    assert table["accuracy"].max() > 0.8
    assert table["on_front"].any()
    for row in table[table["state"] == "complete"].to_dict("records"):
        assert (run / "checkpoints" / row["id"] / "model.safetensors").is_file()
        assert not list((run / "checkpoints" / row["id"]).glob("training*"))
        assert len(json.loads(row["curve"])) == row["epochs"] == 4
    # One may have trained all of these before the other one had started.
    assert table.loc[table["seconds"].notna(), "worker"].nunique() in (1, 2)
    events = [json.loads(line)["event"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert events[0] == "launched"
    assert events[-1] == "ended"


def test_candidates_are_trained_in_the_order_of_their_numbers(finished: Path):
    events = [json.loads(line) for line in (finished / "run" / "log.jsonl").read_text().splitlines()]
    begun = list(dict.fromkeys(event["number"] for event in events if event["event"] == "progress"))
    assert len(begun) >= 8
    # Two workers: whose first epoch ends first may be the later one of the two.
    assert all(abs(place - rank) <= 2 for place, rank in zip(begun, sorted(begun), strict=True)), begun


def test_its_output_is_the_front_and_what_to_do_next(finished: Path):
    out, err = (finished / "launch.out").read_text(), (finished / "launch.err").read_text()
    assert "report.html" in out
    assert "fusion-nas export" in out
    assert "8 of 8 candidates" in err
    for chatter in ("ray", "tune", "warning", "traceback"):
        assert chatter not in err.lower().replace("starting ray workers", "")


def test_status_report_and_export_need_no_ray(finished: Path, tmp_path: Path):
    run = finished / "run"
    blocker = tmp_path / "ray.py"
    blocker.write_text("raise ImportError('ray is blocked in this test')")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    status = fusion_nas("status", run, "--json", env=environment)
    assert status.returncode == 0, status.stderr
    values = json.loads(status.stdout)
    assert (values["run"], values["done"], values["trials"]) == ("ended", 8, 8)
    assert values["front"] == pd.read_csv(run / "candidates.csv")["on_front"].sum()
    assert (values["ended_by"], values["driver"], values["seconds_left"], values["workers"]) == (None, None, None, [])
    report = fusion_nas("report", run, "-o", tmp_path / "again.html", env=environment)
    assert report.returncode == 0, report.stderr
    assert (tmp_path / "again.html").stat().st_size > 10_000
    export = fusion_nas("export", run, "-o", tmp_path / "exported", "--onnx", "--fold", env=environment)
    assert export.returncode == 0, export.stderr
    assert "batch normalisations folded into the convolutions in front of them" in export.stderr
    assert "model.pt2: PyTorch 2." in export.stderr
    assert "model.onnx: ONNX Runtime 1." in export.stderr
    verify = subprocess.run([sys.executable, "verify.py"], cwd=tmp_path / "exported", capture_output=True, text=True)
    assert verify.returncode == 0, verify.stdout + verify.stderr
    metrics = json.loads((tmp_path / "exported" / "metrics.json").read_text())
    table = pd.read_csv(run / "candidates.csv")
    recomputed = metrics["validation"]["recomputed"]["accuracy"]
    assert recomputed == pytest.approx(table.loc[table["state"] == "complete", "accuracy"].max())


def test_a_run_is_replayed_and_a_sampler_is_searched_with_anew(finished: Path, tmp_path: Path):
    run = finished / "run"
    before = contents(run)
    done = in_process("replay", run, "--seeds", "1", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    table = pd.read_csv(run / "candidates.csv")
    assert found["own"]["epochs"] == table["epochs"].sum()
    assert [one["pruner"] for one in found["replays"]] == ["auto", "none"]
    assert found["replays"][1]["counts"]["epochs_at_most"] == found["own"]["whole"] == 32
    refused = in_process("replay", run, "--sampler", "evolution")
    assert refused.returncode == 2
    assert len(refused.stderr.strip().splitlines()) == 1
    advice = refused.stderr.partition("`fusion-nas ")[2].partition("`")[0].replace("DIR", str(tmp_path / "other"))
    planned = in_process(*advice.split(), "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert contents(run) == before


def test_a_second_launch_into_the_run_is_refused(finished: Path):
    again = in_process("launch", finished / "small.yaml", "--run-dir", finished / "run")
    assert again.returncode == 2
    assert len(again.stderr.strip().splitlines()) == 1
    assert "fusion-nas resume" in again.stderr


def test_a_run_directory_that_was_moved_and_renamed_is_resumed(finished: Path, tmp_path: Path):
    """Nothing is left to train, so that no Ray is started."""
    moved = Path(shutil.copytree(finished / "run", tmp_path / "elsewhere" / "renamed"))
    for _ in range(2):
        resumed = in_process("resume", moved)
        assert resumed.returncode == 0, resumed.stderr
        moved = moved.rename(moved.with_name("renamed again"))
    check_sound(moved, 8)


def test_resume_refuses_what_would_mix_two_searches(finished: Path):
    refused = in_process("resume", finished / "run", "--set", "space.width=8")
    assert refused.returncode == 2
    assert "space.width" in refused.stderr


@pytest.mark.faults
def test_a_run_survives_a_killed_worker_a_killed_driver_and_ctrl_c(tmp_path: Path):
    """One run, hit three times: nothing is lost, nothing is trained twice, and it can be made longer."""
    (tmp_path / "long.yaml").write_text(LONG)
    run = tmp_path / "run"

    with driving("launch", tmp_path / "long.yaml", "--run-dir", run) as driver:
        victim = wait_for_more(driver, run, "progress")
        while len({event["worker"] for event in events(run, "progress")}) < min(2, len(os.sched_getaffinity(0))):
            victim = wait_for_more(driver, run, "progress")
        os.kill(int(victim["worker"].partition(":")[2]), signal.SIGKILL)
        assert wait_for_more(driver, run, "retried")["number"] == victim["number"]
        wait_for_more(driver, run, "progress")
        # What the driver says of itself is written once a second, at first before any epoch.
        deadline = time.monotonic() + 30
        while (now := json.loads(in_process("status", run, "--json").stdout))["seconds_left"] is None:
            assert time.monotonic() < deadline
        assert (now["run"], now["pid"], now["driver"]) == ("running", driver.pid, now["last_driver"])
        assert now["seconds_left"] > 0
        assert {worker["worker"] for worker in now["workers"]} <= {event["worker"] for event in events(run, "progress")}
        assert all(0 < worker["epochs"] < 16 and worker["seconds_per_epoch"] > 0 for worker in now["workers"])
        busy = in_process("resume", run)
        assert busy.returncode == 2
        assert f"pid {driver.pid}" in busy.stderr
        os.kill(driver.pid, signal.SIGKILL)
    left = [trial.number for trial in trials(run) if trial.state == TrialState.RUNNING]
    assert left
    status = json.loads(in_process("status", run, "--json").stdout)
    assert (status["run"], "running" in status["candidates"]) == ("stopped", False)
    assert (status["pid"], status["workers"], status["seconds_left"]) == (None, [], None)
    assert status["last_driver"].startswith(f"pid {driver.pid} on ")
    told = in_process("status", run).stdout
    assert status["updated"] in told
    assert f"to go on    fusion-nas resume {run}" in told

    with driving("resume", run) as driver:
        wait_for_more(driver, run, "progress")
        assert {event["number"] for event in events(run, "continued")} <= set(left)
        driver.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, err = driver.communicate(timeout=60)
        assert (driver.returncode, time.monotonic() - started < 15) == (130, True)
        assert "of 8 done; resume with" in err
    assert all(trial.state != TrialState.RUNNING for trial in trials(run))
    assert list((run / "checkpoints").glob("*/training-*.pt")), "no training state was kept"
    ended = pd.read_csv(run / "candidates.csv").set_index("number")["finished"]

    resumed = in_process("resume", run, "--set", "search.trials=9")
    assert resumed.returncode == 0, resumed.stderr
    table = check_sound(run, 9).set_index("number")
    assert set(table["state"]) <= {"complete", "pruned", "duplicate"}
    assert (table.loc[ended.index, "finished"] == ended).all()
    assert (table.loc[left, "retries"] >= 1).all()
    kept = {int(path.stem.partition("-")[2]) for path in (run / "checkpoints").glob("*/training-*.pt")}
    assert kept <= set(table.index[table["state"] == "pruned"])


BAD = {
    "search: {trails: 8}": ["trails", "trials"],
    "space: {ops: []}": ["ops"],
    "train: {lr: fast}": ["lr", "fast"],
    "space: {name: resnett}": ["resnett", "resnet"],
    "ray: {cpus_per_trial: 4096}": ["4096"],
}
LAUNCH_EACH = """
import sys
from search.cli import main
for config in sys.argv[1:]:
    sys.argv = ["fusion-nas", "launch", config, "--run-dir", config + ".run"]
    try: main()
    except SystemExit as end: print(end.code, file=sys.stderr)
"""


def test_a_bad_config_ends_with_one_line_before_anything_starts(tmp_path: Path):
    for number, text in enumerate(BAD):
        (tmp_path / f"{number}.yaml").write_text(text + "\n")
    configs = sorted(map(str, tmp_path.iterdir()))
    refused = subprocess.run([sys.executable, "-c", LAUNCH_EACH, *configs], capture_output=True, text=True)
    assert refused.stdout == ""
    lines = refused.stderr.splitlines()
    assert lines[1::2] == ["2"] * len(BAD), refused.stderr
    for line, words in zip(lines[::2], BAD.values(), strict=True):
        assert all(word in line for word in words)
    assert sorted(map(str, tmp_path.iterdir())) == configs


def test_constraints_that_nothing_meets_end_with_3_and_the_smallest(tmp_path: Path):
    (tmp_path / "tight.yaml").write_text(CONFIG + "constraints: {params: 100}\n")
    refused = in_process("launch", tmp_path / "tight.yaml", "--run-dir", tmp_path / "run")
    assert refused.returncode == 3
    assert "the smallest in this space has" in refused.stderr
    assert not (tmp_path / "run").exists()
