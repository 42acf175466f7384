"""What is not exported, and that a refusal leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import reports
from fusion_ops.errors import RunError
from reports.runtimes import RUNTIMES
from tests.reports.exportable import refused

pytestmark = pytest.mark.usefixtures("one_thread")


def test_another_accuracy_than_in_the_search_is_an_error(plain_run: Any, tmp_path: Path) -> None:
    run, architecture = plain_run()
    match = rf"candidate {architecture.id} has a validation accuracy of 0\.9, and had 0\.90625 in the search"
    refused(run, tmp_path / "out", match, evaluate=lambda model: {"accuracy": 0.9})
    refused(run, tmp_path / "out", "accuracy of –", evaluate=lambda model: {"accuracy": float("nan")})


def test_checkpoint_that_is_missing_damaged_or_of_another_network(plain_run: Any, tmp_path: Path) -> None:
    run, architecture = plain_run()
    path = run / "checkpoints" / architecture.id / "model.safetensors"
    # Tensors of a loaded file are views of it: they would not outlive its being cut.
    whole, state = path.read_bytes(), {name: tensor.clone() for name, tensor in load_file(path).items()}
    path.write_bytes(whole[: len(whole) // 2])
    refused(run, tmp_path / "out", "the weights of the candidate, is damaged")
    save_file(state | {"head.bias": torch.zeros(4)}, path)
    refused(run, tmp_path / "out", r"`head\.bias` must be float32 \(3,\), and is float32 \(4,\)")
    save_file({key: value for key, value in state.items() if key != "norm.weight"}, path)
    refused(run, tmp_path / "out", r"`norm\.weight` must be float32 \(8,\), and is absent")
    save_file(state | {"more": torch.zeros(1)}, path)
    refused(run, tmp_path / "out", r"`more` must be absent, and is float32 \(1,\)")
    path.unlink()
    refused(run, tmp_path / "out", "the weights of the candidate, is missing")


def test_sample_that_is_missing_or_of_other_images(plain_run: Any, tmp_path: Path) -> None:
    run, _ = plain_run()
    save_file({"images": torch.zeros(2, 3, 8, 8, dtype=torch.uint8)}, run / "samples.safetensors")
    refused(run, tmp_path / "out", r"must hold uint8 `images` of shape \(N, 1, 8, 8\)")
    save_file({"images": torch.zeros(2, 1, 8, 8)}, run / "samples.safetensors")
    refused(run, tmp_path / "out", "must hold uint8 `images`")
    (run / "samples.safetensors").unlink()
    refused(run, tmp_path / "out", "the run's sample of validation images, is missing")


def test_run_that_says_nothing_of_its_data(plain_run: Any, tmp_path: Path) -> None:
    run, _ = plain_run(resolved={"dataset": {"classes": ["a"], "input_shape": [1, 8, 8], "mean": [0.1]}})
    refused(run, tmp_path / "out", r"does not say `resolved\.dataset\.std`")


def test_folder_that_is_there_already(plain_run: Any, tmp_path: Path) -> None:
    run, _ = plain_run()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine", encoding="utf-8")
    refused(run, tmp_path / "full", "is a folder that is not empty; choose another")
    refused(run, run / "config.yaml", "is a file; choose another")
    refused(tmp_path / "nowhere", tmp_path / "out", "there is no run directory")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=repr)
def test_failure_leaves_nothing(
    plain_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    run, _ = plain_run()

    def fail(*arguments: object, **named: object) -> None:
        raise error

    monkeypatch.setattr(type(RUNTIMES["torch"]), "convert", fail)
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    expected = RunError if isinstance(error, OSError) else KeyboardInterrupt
    for target in (tmp_path / "empty", tmp_path / "new" / "deeper"):
        with pytest.raises(expected, match=r"No space left|^$"):
            reports.export(run, target)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_missing_run_is_refused() -> None:
    with pytest.raises(RunError, match="there is no run directory nowhere"):
        reports.export("nowhere", "out")
