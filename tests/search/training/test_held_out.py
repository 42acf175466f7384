"""The test images: what each got, and that nothing but a retraining touches them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import Tensor, nn

import spaces
from search.cluster.worker import CandidateTrainable
from search.training import data
from search.training.data.dataset import Dataset, Split
from search.training.files import FolderFiles
from search.training.held_out import digest, examine
from search.training.job import Assignment, Job
from search.training.loop import DeviceData
from search.training.prediction import prediction_of
from search.training.settings import DataConfig, TrainConfig
from spaces.tied import completed

CPU = torch.device("cpu")
SPACE = spaces.create("resnet", depth=8, width=4, in_channels=1, input_size=(8, 8))
EVERYTHING = prediction_of(None)


def digits() -> Dataset:
    return data.load(DataConfig())


def scenes(masked: bool) -> Dataset:
    task = "segmentation" if masked else "classification"
    return data.load(
        DataConfig.model_validate({"name": "cluttered_digits", "images": 60, "test_images": 50, "task": task})
    )


class Linear(nn.Module):
    """Logits of pixels, or of images, without training."""

    def __init__(self, classes: int, *, masked: bool) -> None:
        super().__init__()
        self.conv, self.masked = nn.Conv2d(1, classes, 3, padding=1), masked

    def forward(self, images: Tensor) -> Tensor:
        maps = self.conv(images)
        return maps if self.masked else maps.mean(dim=(2, 3))


@pytest.mark.parametrize("batch", [7, 50])
def test_what_each_image_got_adds_up_to_the_measures(batch: int) -> None:
    dataset = scenes(masked=False)
    torch.manual_seed(0)
    model = Linear(10, masked=False)
    shown = examine(model, dataset.test, DeviceData(dataset, CPU), batch, {}, EVERYTHING)
    right = shown.images["accuracy"]
    assert (right.dtype, tuple(right.shape)) == (torch.bool, (50,))
    assert float(right.float().mean()) == pytest.approx(shown.measures["accuracy"])
    assert float(shown.images["loss"].mean()) == pytest.approx(shown.measures["loss"], rel=1e-5)
    with torch.no_grad():
        logits = model.eval()(DeviceData(dataset, CPU).normalize(dataset.test.images))
    assert right.tolist() == (logits.argmax(1) == dataset.test.labels).tolist()


def test_counts_of_pixels_give_the_miou_and_unknown_pixels_count_nowhere() -> None:
    dataset = scenes(masked=True)
    masks = dataset.test.labels.clone()
    masks[:, :9] = 255
    test = Split(dataset.test.images, masks)
    torch.manual_seed(1)
    shown = examine(Linear(11, masked=True), test, DeviceData(dataset, CPU), 16, {}, EVERYTHING)
    counts = shown.images["miou"]
    assert (counts.dtype, tuple(counts.shape)) == (torch.int32, (50, 3, 11))
    hit, predicted, there = counts.double().sum(dim=0)
    union = predicted + there - hit
    assert float((hit / union)[union > 0].mean()) == pytest.approx(shown.measures["miou"])
    assert int(there.sum()) == int((masks != 255).sum()) == int(predicted.sum())
    assert float(shown.images["loss"].mean()) == pytest.approx(shown.measures["loss"], rel=1e-5)
    assert tuple(shown.images["loss"].shape) == (50,)


def squared(outputs: Tensor, labels: Tensor) -> Tensor:
    return ((outputs.argmax(dim=1) - labels) ** 2).float().mean()


def spread(outputs: Tensor, labels: Tensor) -> Tensor:
    return outputs.std()


def several(outputs: Tensor, labels: Tensor) -> Tensor:
    if len(labels) < 2:
        raise ValueError("one image alone has no rank")
    return outputs.mean()


def test_a_user_defined_mean_over_images_is_kept_by_image_and_anything_else_as_its_number() -> None:
    dataset = scenes(masked=False)
    torch.manual_seed(2)
    metrics = {"m:squared": squared, "m:spread": spread, "m:several": several}
    shown = examine(Linear(10, masked=False), dataset.test, DeviceData(dataset, CPU), 16, metrics, EVERYTHING)
    assert tuple(shown.images["m:squared"].shape) == (50,)
    assert float(shown.images["m:squared"].mean()) == pytest.approx(shown.measures["m:squared"])
    for name in ("m:spread", "m:several"):
        assert shown.images[name].tolist() == pytest.approx([shown.measures[name]])


def test_a_digest_tells_images_labels_and_order() -> None:
    test = digits().test
    changed = Split(test.images.clone(), test.labels)
    changed.images[3, 0, 2, 2] += 1
    labels = test.labels.clone()
    labels[0] = (labels[0] + 1) % 10
    turned = torch.arange(len(test)).flip(0)
    digests = {digest(one) for one in (test, changed, Split(test.images, labels), test.at(turned))}
    assert len(digests) == 4
    assert digest(digits().test) == digest(test)
    assert len(digest(test)) == 32


class Forbidden:
    """Stands where the test images were; whoever looks at it fails."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError("the test images were touched")

    def __len__(self) -> int:
        raise AssertionError("the test images were touched")


def carried_out(job: Job, candidate: Assignment, dataset: Dataset | None = None):
    config = {"job": job, "candidate": candidate}
    worker = CandidateTrainable(config)
    worker.setup(config, dataset=dataset)
    while True:
        progress = worker.step()["progress"]
        if progress.done or progress.halt:
            return progress


def test_nothing_but_a_retraining_touches_the_test_images(tmp_path: Path) -> None:
    dataset = digits()
    found = digest(dataset.test)
    object.__setattr__(dataset, "test", Forbidden())
    train = TrainConfig(epochs=2)
    job = Job(FolderFiles(tmp_path), ("accuracy", "latency"), train=train)
    searched = carried_out(job, Assignment(0, SPACE.uniform("sum"), 0), dataset)
    assert (searched.done, searched.failure) == (True, None)
    assert "latency_ms" in searched.measured
    assert not list(tmp_path.glob("*/test-*"))
    again = Job(FolderFiles(tmp_path), train=train, recipes={"default": train}, test_digest=found)
    refused = carried_out(again, Assignment(1, SPACE.uniform("sum"), 5, "default"), dataset)
    assert "the test images were touched" in refused.halt


MISTAKES = "def share(outputs, labels):\n    return (outputs.argmax(1) != labels).float().mean()\n"


def test_a_retraining_tests_the_epoch_that_validation_chose_once_and_keeps_its_weights(tmp_path: Path) -> None:
    """By a measure that is the better the less is learned, so that an early epoch is chosen."""
    dataset = digits()
    (tmp_path / "mistakes_of_digits.py").write_text(MISTAKES)
    recipes = {"default": TrainConfig(), "hot": TrainConfig(epochs=3, lr=1.0, schedule="triangular", warmup=0.0)}
    job = Job(
        FolderFiles(tmp_path / "checkpoints"),
        ("mistakes_of_digits:share", "params"),
        folders=(str(tmp_path),),
        recipes=recipes,
        test_digest=digest(dataset.test),
    )
    candidate = Assignment(3, SPACE.uniform("aff", 4), 77, "hot")
    done = carried_out(job, candidate)
    assert (len(done.curve), done.failure) == (3, None)
    shares = [measures["mistakes_of_digits:share"] for measures in done.curve]
    assert shares[-1] < max(shares) - 0.1
    folder = tmp_path / "checkpoints" / candidate.id
    files = {"retrained-3.safetensors", "test-3.safetensors", "training-3.pt"}
    assert {file.name for file in folder.iterdir()} == files
    model = SPACE.build(candidate.architecture).eval()
    weights = {name: torch.from_numpy(value) for name, value in load_file(folder / "retrained-3.safetensors").items()}
    model.load_state_dict(completed(weights, model.state_dict()))
    on_device = DeviceData(dataset, CPU)
    with torch.inference_mode():
        right = model(on_device.normalize(dataset.test.images)).argmax(1) == dataset.test.labels
    kept = load_file(folder / "test-3.safetensors")
    assert np.array_equal(kept["accuracy"], right.numpy())
    assert np.array_equal(kept["mistakes_of_digits:share"], 1.0 - right.float().numpy())
    assert done.measured["test_accuracy"] == pytest.approx(float(right.float().mean()))
    assert done.measured["test_accuracy"] == pytest.approx(1 - max(shares), abs=0.1)
    assert set(done.measured) == {"test_accuracy", "test_loss", "test_mistakes_of_digits:share"}


def test_a_worker_with_other_test_images_ends_the_run_and_blames_no_candidate(tmp_path: Path) -> None:
    job = Job(FolderFiles(tmp_path), recipes={"default": TrainConfig(epochs=1)}, test_digest="0" * 32)
    told = carried_out(job, Assignment(0, SPACE.uniform("sum"), 0, "default"))
    assert "has other test images here" in told.halt
    assert (told.done, told.failure) == (False, None)
