"""An export of what was retrained: its weights first, validation and test apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import reports
import spaces
from fusion_ops.errors import RunError
from reports.candidates import table as candidates
from reports.retrained.arm import Arm
from reports.run.run import load_run
from spaces import Architecture, SearchSpace

DATASET = {
    "name": "digits", "task": "classification", "classes": [str(digit) for digit in range(10)],
    "input_shape": [1, 8, 8], "mean": [0.3], "std": [0.4], "train": 100, "validation": 32, "test": 1000,
}  # fmt: skip
Study = Callable[..., Sequence[Arm]]


@pytest.fixture
def exportable(retrained_run: Callable[..., Path], study: Study) -> Path:
    """Return a run whose finalist and first control have weights of every seed; the finalist of its search, too."""
    arms = study(0.02, 0.01)
    run = retrained_run(arms, resolved={"dataset": DATASET})
    save_file({"images": torch.zeros(2, 1, 8, 8, dtype=torch.uint8)}, run / "samples.safetensors")
    table = load_run(run).retrained
    for arm in (arms[0], arms[3]):
        for row in table[table["id"] == arm.id].to_dict("records"):
            write_weights(run, arm, row["number"], row["seed"])
    save_file(weights_of(arms[0], seed=1), run / "checkpoints" / arms[0].id / "model.safetensors")
    return run


def weights_of(arm: Arm, seed: int) -> dict[str, torch.Tensor]:
    assert arm.architecture is not None
    torch.manual_seed(seed)
    network: nn.Module = spaces.from_ref(arm.architecture.space).build(arm.architecture)
    return network.state_dict()


def write_weights(run: Path, arm: Arm, number: int, seed: int) -> None:
    save_file(weights_of(arm, seed), run / "checkpoints" / arm.id / f"retrained-{number}.safetensors")


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def test_the_weights_are_those_of_the_best_validation_seed_and_the_files_say_so(
    exportable: Path, study: Study, tmp_path: Path
) -> None:
    arm = study(0.02, 0.01)[0]
    folder = reports.export(exportable, tmp_path / "out", pick=arm.id)
    # Validation measures rise from seed to seed.
    expected = weights_of(arm, seed=arm.seeds[-1])
    exported = load_file(folder / "model.safetensors")
    for name, tensor in expected.items():
        torch.testing.assert_close(exported[name], tensor)
    provenance = read(folder, "provenance.json")
    assert (provenance["seed"], provenance["kind"]) == (arm.seeds[-1], "retrain")
    expect_splits_apart(read(folder, "metrics.json"), arm)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "the best of 5 retrainings by validation accuracy" in card
    assert "by the recipe `default`" in card
    assert f"It was retrained: seed {arm.seeds[-1]}, recipe `default`, after the search `run`." in " ".join(
        card.split()
    )
    assert "candidate" not in card.partition("## Measures")[0]
    assert provenance["recipe"] == "default"
    tested = f"{100 * arm.scores[-1].mean():.2f} %"
    assert f"| accuracy, test | {tested} | n = 1000, these weights; measured once after training" in card
    assert "| accuracy, validation, all seeds | 90.00 % ± 0.08 % | mean ± standard deviation of 5 seeds |" in card
    assert "One training with one seed" not in card


def expect_splits_apart(metrics: Any, arm: Arm) -> None:
    """Expect validation and test measures, each of the exported weights and over all seeds."""
    tested = arm.scores.mean(axis=1)
    assert metrics["recipe"] == "default"
    assert metrics["validation"]["accuracy"] == pytest.approx(arm.validation[-1])
    assert (metrics["validation"]["n"], metrics["validation"]["seeds"]) == (32, 5)
    assert metrics["validation"]["over_seeds"]["accuracy"]["mean"] == pytest.approx(arm.validated)
    assert metrics["test"]["accuracy"] == pytest.approx(tested[-1])
    assert (metrics["test"]["n"], metrics["test"]["seeds"]) == (1000, 5)
    assert metrics["test"]["over_seeds"]["accuracy"] == {
        "mean": pytest.approx(arm.mean),
        "standard_deviation": pytest.approx(tested.std(ddof=1)),
    }
    assert metrics["test_note"].startswith("measured once after training")


def test_a_widened_control_can_be_exported(exportable: Path, study: Study, tmp_path: Path) -> None:
    control = study(0.02, 0.01)[3]
    folder = reports.export(exportable, tmp_path / "out", pick=control.id)
    assert read(folder, "metrics.json")["params"] == control.params
    assert read(folder, "config.json")["candidate"] == control.id


def test_what_the_search_stopped_and_was_retrained_can_be_exported(
    exportable: Path, study: Study, tmp_path: Path
) -> None:
    arm, table = study(0.02, 0.01)[0], candidates.read(exportable)
    table.loc[(table["id"] == arm.id) & (table["series"] == ""), "state"] = "pruned"
    candidates.write(table, exportable)
    folder = reports.export(exportable, tmp_path / "out", pick=arm.id)
    assert read(folder, "metrics.json")["recipe"] == "default"


def test_what_was_not_retrained_has_the_weights_of_the_search(
    exportable: Path, small_space: SearchSpace, network: Callable[[str], Architecture], tmp_path: Path
) -> None:
    architecture = network("aff iaff sum")
    torch.manual_seed(3)
    state = small_space.build(architecture).state_dict()
    path = exportable / "checkpoints" / architecture.id / "model.safetensors"
    path.parent.mkdir()
    save_file(state, path)
    folder = reports.export(exportable, tmp_path / "out", pick="best")
    metrics = read(folder, "metrics.json")
    assert (metrics["recipe"], metrics["test"], metrics["validation"]["seeds"]) == (None, None, 1)
    assert "over_seeds" not in metrics["validation"]


def test_without_retrained_weights_those_of_the_search_are_taken(
    exportable: Path, study: Study, tmp_path: Path
) -> None:
    arm = study(0.02)[0]
    for path in (exportable / "checkpoints" / arm.id).glob("retrained-*"):
        path.unlink()
    folder = reports.export(exportable, tmp_path / "out", pick=arm.id)
    exported = load_file(folder / "model.safetensors")
    for name, tensor in weights_of(arm, seed=1).items():
        torch.testing.assert_close(exported[name], tensor)


def test_other_data_than_in_the_retraining_are_noticed(exportable: Path, study: Study, tmp_path: Path) -> None:
    def evaluate(model: nn.Module) -> Mapping[str, float]:
        return {"accuracy": 0.5}

    with pytest.raises(RunError, match=r"a validation accuracy of 0\.5, and had 0\.901 in the retraining"):
        reports.export(exportable, tmp_path / "out", pick=study(0.02)[0].id, evaluate=evaluate)
