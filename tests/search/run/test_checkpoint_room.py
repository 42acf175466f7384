"""Disk space of checkpoints: what goes, what stays, and what an export says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.candidates import table as candidates
from search.run.checkpoint_room import Removed, make_room
from tests.runs import check_sound, events, in_process

CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, concat, aff], reductions: [2, 4]}
train: {epochs: 2, lr: 0.2}
search: {trials: 7, sampler: random, pruner: none, seed: 1}
limits: {checkpoint_gb: 1.0e-4}
"""
SIZE = 1000


def ids(removed: list[Removed]) -> list[str]:
    assert not any(one.state for one in removed)
    return [one.id for one in removed]


@pytest.fixture
def run(tmp_path: Path):
    """Six candidates of 1,000 bytes each, the newest first; 1 and 4 are the front, 5 is trained again."""
    rows = []
    for number, (accuracy, params) in enumerate(
        [(0.8, 300), (0.9, 300), (0.7, 300), (0.6, 300), (0.5, 100), (0.4, 300)]
    ):
        finished = f"2026-01-01T00:00:{10 - number:02d}.000+00:00"
        row = {"number": number, "id": f"{number}" * 10, "state": "complete", "accuracy": accuracy, "params": params}
        rows.append(row | {"finished": finished, "kind": "search", "seed": 0, "epochs": 2, "flops": 1, "retries": 0})
        folder = tmp_path / row["id"]
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(bytes(SIZE))
    rows.append(rows[5] | {"number": 6, "state": "running", "kind": "control", "finished": ""})
    return tmp_path, candidates.frame(rows, ("accuracy", "params"))


@pytest.mark.parametrize(
    ("kilobytes", "gone"), [(6.0, []), (5.9, [3]), (4.5, [3, 2]), (3.9, [3, 2, 0]), (0.1, [3, 2, 0])]
)
def test_the_oldest_go_first_and_what_is_needed_stays(run, kilobytes, gone):
    checkpoints, table = run
    assert ids(make_room(checkpoints, kilobytes * 1e-6, table)) == [f"{number}" * 10 for number in gone]
    left = {int(path.parent.name[0]) for path in checkpoints.glob("*/model.safetensors")}
    assert left == set(range(6)) - set(gone)


def test_nothing_is_removed_twice(run):
    checkpoints, table = run
    assert len(make_room(checkpoints, 3.9e-6, table)) == 3
    assert make_room(checkpoints, 3.9e-6, table) == []


def test_retrained_weights_go_first_but_for_those_of_finalists(run):
    checkpoints, table = run
    again = {"state": "complete", "kind": "retrain", "series": "retrain", "recipe": "default"}
    rows = [
        row | again | {"number": 10 + index, "role": role, "finished": f"2026-01-02T00:00:0{index}.000+00:00"}
        for index, (row, role) in enumerate(
            zip(table.to_dict("records")[:3], ["finalist", "uniform", "matched_params"], strict=True)
        )
    ]
    for row in rows:
        (checkpoints / row["id"] / f"retrained-{row['number']}.safetensors").write_bytes(bytes(SIZE))
        (checkpoints / row["id"] / f"test-{row['number']}.safetensors").write_bytes(bytes(10))
    whole = candidates.frame([*table.to_dict("records"), *rows], ("accuracy", "params"))
    assert ids(make_room(checkpoints, 7.9e-6, whole)) == ["1" * 10, "2" * 10]
    assert ids(make_room(checkpoints, 0.1e-6, whole)) == ["3" * 10, "2" * 10, "0" * 10]
    assert [path.name for path in checkpoints.glob("*/retrained-*")] == ["retrained-10.safetensors"]
    assert len(list(checkpoints.glob("*/test-*"))) == 3


def test_states_of_stopped_candidates_go_before_any_weights_but_for_one_that_is_gone_on_from(run):
    checkpoints, table = run
    stopped = {"state": "pruned", "kind": "search", "seed": 0, "epochs": 1, "flops": 1, "retries": 0, "params": 300}
    rows = [
        stopped | {"number": number, "id": f"{number}", "finished": f"2026-01-03T00:00:0{8 - place}.000+00:00"}
        for place, number in enumerate((11, 12, 13))
    ]
    for row in rows:
        (checkpoints / row["id"]).mkdir()
        (checkpoints / row["id"] / f"training-{row['number']}.pt").write_bytes(bytes(SIZE))
    looks = stopped | {"number": 14, "id": "12", "state": "running", "start": 12, "before": 1, "finished": ""}
    whole = candidates.frame([*table.to_dict("records"), *rows, looks], ("accuracy", "params"))
    assert make_room(checkpoints, 8.9e-6, whole) == [Removed("13", state=True)]
    assert make_room(checkpoints, 6.9e-6, whole) == [Removed("11", state=True), Removed("3" * 10, state=False)]
    assert [path.name for path in checkpoints.glob("*/training-*")] == ["training-12.pt"]
    assert not list(checkpoints.glob("1?/*.txt"))


@pytest.mark.faults
def test_a_run_keeps_within_its_disk_space_and_an_export_says_what_has_gone(tmp_path: Path):
    (tmp_path / "config.yaml").write_text(CONFIG)
    run = tmp_path / "run"
    done = in_process("launch", tmp_path / "config.yaml", "--run-dir", run)
    assert done.returncode == 0, done.stderr
    table = check_sound(run, 7)
    gone = [event["id"] for event in events(run, "weights_removed")]
    front = set(table.loc[table["on_front"], "id"])
    assert gone
    assert not set(gone) & front
    assert all((run / "checkpoints" / known / "model.safetensors").is_file() for known in front)
    refused = in_process("export", run, "-o", tmp_path / "out", "--pick", gone[0])
    assert refused.returncode == 2
    says = f"weights of {gone[0]} were removed to keep within limits.checkpoint_gb (0.0001); complete candidates: "
    assert refused.stderr.startswith(says)
    assert len(refused.stderr.splitlines()) == 1
    assert not set(gone) & set(refused.stderr.partition("candidates: ")[2].strip(" .\n").split(", "))
    assert in_process("export", run, "-o", tmp_path / "best").returncode == 0
