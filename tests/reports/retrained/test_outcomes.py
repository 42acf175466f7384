"""What the test images got, read back; and the record of a retraining."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from fusion_ops.errors import RunError
from reports.candidates import table as candidates
from reports.candidates.candidate import Candidate
from reports.comparison import miou_values
from reports.retrained.outcomes import outcomes_path, read_outcomes, read_values
from reports.retrained.participant import NoControl, Participant
from reports.retrained.record import RETRAIN_FILE, RetrainRecord, read_retrain_record
from spaces import SearchSpace

TEST_SET = "a" * 32


def table_of(space: SearchSpace, *trained: tuple[str, str, int, str]) -> pd.DataFrame:
    """Retrainings by operator, recipe, seed and state."""
    rows = []
    for number, (operator, recipe, seed, state) in enumerate(trained):
        one = Candidate(number, space.uniform(operator), "retrain", seed, 1, 1, series="retrain", role="uniform")
        one.recipe, one.state = recipe, state
        rows.append(one.record("accuracy", maximize=True))
    return candidates.frame(rows, ("accuracy",))


def kept(run: Path, table: pd.DataFrame, *, test_set: str = TEST_SET) -> dict[int, np.ndarray]:
    out = {}
    for number, identity in zip(table["number"], table["id"], strict=True):
        path = outcomes_path(run, identity, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        out[number] = np.random.default_rng(number).random(20) < 0.8
        save_file({"accuracy": out[number]}, path, metadata={"test_set": test_set})
    return out


@pytest.fixture
def run(tmp_path: Path, space: SearchSpace) -> tuple[Path, pd.DataFrame, dict[int, np.ndarray]]:
    table = table_of(
        space,
        ("sum", "default", 5, "complete"),
        ("aff", "default", 5, "complete"),
        ("sum", "long", 5, "complete"),
        ("sum", "default", 6, "complete"),
        ("aff", "default", 6, "failed"),
    )
    candidates.write(table, tmp_path)
    return tmp_path, table, kept(tmp_path, table)


def test_outcomes_are_arrays_of_seeds_and_images_by_network_and_recipe(run, space: SearchSpace) -> None:
    path, _, images = run
    found = read_outcomes(path)
    total, attention = space.uniform("sum").id, space.uniform("aff").id
    assert set(found) == {(total, "default"), (attention, "default"), (total, "long")}
    one = found[total, "default"]
    assert (one.seeds, one.numbers, one.role) == ((5, 6), (0, 3), "uniform")
    assert one.values["accuracy"].dtype == np.bool_
    assert np.array_equal(one.values["accuracy"], np.stack([images[0], images[3]]))
    assert found[attention, "default"].seeds == (5,)
    assert np.array_equal(read_values(path, total, 3, "accuracy"), images[3])


def test_a_verdict_holds_one_training_of_one_measure_at_a_time(tmp_path: Path, space: SearchSpace) -> None:
    """Counts of all classes, trainings and networks do not fit in memory together; the scores of their mean IoU do."""
    table = table_of(space, *(("sum", "default", seed, "complete") for seed in range(8)))
    total, images, classes = space.uniform("sum").id, 200, 100
    there = np.full((images, classes), 5, np.int32)
    made = []
    for number in range(8):
        path = outcomes_path(tmp_path, total, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        hit = np.random.default_rng(number).integers(0, 5, (images, classes), dtype=np.int32)
        made.append(np.stack([hit, there, there], axis=1))
        save_file({"miou": made[-1], "loss": np.ones(images, np.float32)}, path, metadata={"test_set": TEST_SET})
    tracemalloc.start()
    found = read_outcomes(tmp_path, table)[total, "default"]
    opened = tracemalloc.get_traced_memory()[1]
    scores = found.values.scores("miou")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(scores, miou_values(np.stack(made)))
    assert opened < made[0].nbytes / 2
    assert peak < sum(one.nbytes for one in made)
    assert (list(found.values), found.values["miou"].shape) == (["loss", "miou"], (8, images, 3, classes))
    with pytest.raises(RunError, match="has no measure `accuracy`; it has loss, miou"):
        found.values.scores("accuracy")


def test_outcomes_of_another_test_set_are_refused(run, space: SearchSpace) -> None:
    path, table, _ = run
    kept(path, table.iloc[[1]], test_set="b" * 32)
    with pytest.raises(RunError, match=r"test-1\.safetensors was made with other test images than .*test-[023]\."):
        read_outcomes(path)


@pytest.mark.parametrize(("content", "words"), [(None, "is missing"), (b"torn", "is damaged")])
def test_a_file_that_is_missing_or_damaged_is_named(run, content: bytes | None, words: str) -> None:
    path, table, _ = run
    file = outcomes_path(path, table["id"][3], 3)
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(RunError, match=rf"test-3\.safetensors, what the images got, {words}"):
        read_outcomes(path)


def test_a_measure_that_was_not_kept_is_named(run, space: SearchSpace) -> None:
    with pytest.raises(RunError, match="has no measure `miou`; it has accuracy"):
        read_values(run[0], space.uniform("sum").id, 0, "miou")


def record(space: SearchSpace) -> RetrainRecord:
    return RetrainRecord(
        top=2,
        seeds=(3, 12),
        recipes={"default": {}, "long": {"epochs": 16, "augment": ["crop"]}},
        budget="2h",
        ablate=True,
        test_images=20,
        test_digest=TEST_SET,
        seed_list=(5, 6),
        participants=(Participant(space.uniform("aff"), (("finalist", ""), ("uniform", "aff"))),),
        no_controls=(NoControl(space.uniform("aff").id, "params", "no control: none"),),
    )


def test_a_record_is_read_as_it_was_written(tmp_path: Path, space: SearchSpace) -> None:
    from search.study.run_directory import RunDirectory

    assert read_retrain_record(tmp_path) is None
    RunDirectory(tmp_path).write_retrain_record(record(space))
    assert read_retrain_record(tmp_path) == record(space)


@pytest.mark.parametrize(
    "text", ["{", "[]", "schema_version: 1\n", "schema_version: 9\n", "schema_version: 1\ntop: 2\n"]
)
def test_a_record_that_is_damaged_or_of_another_version_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / RETRAIN_FILE).write_text(text)
    with pytest.raises(RunError, match=rf"{RETRAIN_FILE} (is damaged \(|is of version 9)"):
        read_retrain_record(tmp_path)
