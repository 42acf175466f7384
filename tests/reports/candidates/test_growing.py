"""A table that grows is, to the byte, the table that is made anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import spaces
from fusion_ops.errors import RunError
from reports.candidates import growing, table
from reports.candidates.candidate import Candidate
from reports.candidates.growing import GrowingTable

OBJECTIVES = ("accuracy", "params")
ENDS = ("complete", "complete", "pruned", "failed", "infeasible", "duplicate")


def record(candidate: Candidate) -> dict[str, object]:
    return candidate.record("accuracy", maximize=True)


def anew(candidates: dict[int, Candidate]) -> bytes:
    rows = [record(candidates[number]) for number in sorted(candidates)]
    return table.frame(rows, OBJECTIVES).to_csv(index=False, lineterminator="\n").encode()


class Run:
    """Candidates that are begun, put back and ended at random."""

    def __init__(self, folder: Path) -> None:
        self.space = spaces.create("resnet", depth=8, width=4, in_channels=1, input_size=(8, 8), ops=("sum", "aff"))
        self.rng = np.random.default_rng(0)
        self.candidates: dict[int, Candidate] = {}
        self.table = GrowingTable(folder, OBJECTIVES, record)
        self.path = folder / table.FILE

    def step(self) -> None:
        number = len(self.candidates)
        architecture = self.space.sample(self.rng)
        params = int(self.rng.integers(100, 200))
        self.candidates[number] = Candidate(number, architecture, "search", 0, params, 100, worker="host:1")
        running = [one for one in self.candidates.values() if one.state == "running"]
        one = running[self.rng.integers(len(running))]
        one.curve = [*one.curve, {"accuracy": float(self.rng.uniform()), "loss": 1.0}]
        if self.rng.random() < 0.6:
            one.state, one.finished = str(self.rng.choice(ENDS)), "2026-01-01T00:00:00+00:00"
            one.reason = str(self.rng.choice(["", 'said "no",\nthen stopped', "größer, \ud800"]))
            one.feasible = bool(self.rng.random() < 0.8)


@pytest.mark.parametrize("batch", [2, 1000])
def test_it_is_the_table_that_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    monkeypatch.setattr(growing, "BATCH", batch)
    monkeypatch.setattr(growing, "BLOCK", 100)
    run = Run(tmp_path)
    for step in range(40):
        run.step()
        if step % 4 == 3:
            run.table.write(run.candidates)
            assert run.path.read_bytes() == anew(run.candidates), step
    assert [path.name for path in tmp_path.iterdir()] == [table.FILE]
    assert table.read(tmp_path)["on_front"].sum() > 1


def test_what_was_in_training_and_waits_again_leaves_no_row(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for _ in range(30):
        run.step()
    run.table.write(run.candidates)
    run.candidates = {number: one for number, one in run.candidates.items() if one.state != "running"}
    assert len(run.candidates) < 30
    run.table.write(run.candidates)
    assert run.path.read_bytes() == anew(run.candidates)
    run.table.write({})
    assert run.path.read_bytes() == anew({})


def test_rows_of_what_has_ended_are_not_made_again(tmp_path: Path) -> None:
    run, made = Run(tmp_path), []
    run.table = GrowingTable(tmp_path, OBJECTIVES, lambda one: made.append(one.number) or record(one))
    for _ in range(30):
        run.step()
    run.table.write(run.candidates)
    made.clear()
    run.table.write(run.candidates)
    assert made == [one.number for one in run.candidates.values() if one.state == "running"]


def test_what_somebody_else_wrote_is_not_copied(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for _ in range(30):
        run.step()
    run.table.write(run.candidates)
    run.path.write_bytes(run.path.read_bytes().replace(b"host:1", b"host:2"))
    run.table.write(run.candidates)
    assert run.path.read_bytes() == anew(run.candidates)
    run.path.unlink()
    run.table.write(run.candidates)
    assert run.path.read_bytes() == anew(run.candidates)


def test_further_columns_have_their_place_in_all_rows(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for _ in range(20):
        run.step()
    run.table.write(run.candidates)
    run.candidates[4].measured["latency_ms_spread"] = 0.5
    run.candidates[20] = Candidate(20, run.space.sample(run.rng), "search", 0, 5, 5, measured={"clock_mhz": 7.0})
    run.candidates[20].state, run.candidates[20].curve = "complete", [{"accuracy": 0.99, "loss": 0.1}]
    run.table.write(run.candidates)
    there = table.read(tmp_path)
    assert there["clock_mhz"].tolist()[-1] == 7.0
    assert there["number"].tolist() == list(range(21))
    assert there["on_front"].tolist()[-1]
    run.table.write(run.candidates, anew=True)
    assert run.path.read_bytes() == anew(run.candidates)


def test_a_table_that_cannot_be_written_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path)
    run.step()
    run.table.write(run.candidates)
    before = run.path.read_bytes()
    run.step()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(RunError, match="No space left"):
            run.table.write(run.candidates)
    assert run.path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [table.FILE]
    run.table.write(run.candidates)
    assert run.path.read_bytes() == anew(run.candidates)
