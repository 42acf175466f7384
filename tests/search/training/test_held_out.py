"""The test images: what each got, and that nothing but a retraining touches them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import Tensor, nn

import spaces
from fusion_ops.errors import CandidateError
from search.cluster.worker import CandidateTrainable
from search.training import data
from search.training.data.dataset import Dataset, Split
from search.training.files import FolderFiles
from search.training.held_out import digest, examine
from search.training.job import Assignment, Job
from search.training.loop import DeviceData
from search.training.prediction import prediction_of
from search.training.settings import DataConfig, TrainConfig
from search.training.watchdog import Watchdog
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


class Counted:
    """A user-defined quality that knows how often it was asked, and with how many images."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor], **attributes: object) -> None:
        self.function, self.asked = function, []
        self.__dict__.update(attributes)

    def __call__(self, outputs: Tensor, labels: Tensor) -> Tensor:
        self.asked.append(len(labels))
        return self.function(outputs, labels)


def of_each(outputs: Tensor, labels: Tensor) -> Tensor:
    return ((outputs.argmax(dim=1) - labels) ** 2).float()


def test_a_quality_is_asked_once_an_image_unless_it_is_no_mean_or_says_all_at_once() -> None:
    dataset = scenes(masked=False)
    mean, no_mean, at_once = Counted(squared), Counted(spread), Counted(squared, by_image=of_each)
    metrics = {"m:mean": mean, "m:no_mean": no_mean, "m:at_once": at_once}
    shown = examine(Linear(10, masked=False), dataset.test, DeviceData(dataset, CPU), 16, metrics, EVERYTHING)
    assert sorted(mean.asked) == [1] * 50 + [8, 50]
    assert sorted(no_mean.asked) == [1] * 8 + [8, 50]
    assert at_once.asked == [50]
    assert torch.equal(shown.images["m:at_once"], shown.images["m:mean"])
    assert tuple(shown.images["m:no_mean"].shape) == (1,)


@pytest.mark.parametrize(
    ("by_image", "got"),
    [
        (lambda outputs, labels: outputs[:, 0], "got 50 for 50 images"),
        (lambda *_: torch.ones(3), "got 3 for 50 images"),
    ],
)
def test_numbers_that_are_not_of_the_images_are_refused(by_image: Callable[..., Tensor], got: str) -> None:
    dataset = scenes(masked=False)
    metrics = {"m:wrong": Counted(squared, by_image=by_image)}
    with pytest.raises(CandidateError, match=f"`m:wrong.by_image` must return a number for each image.*{got}"):
        examine(Linear(10, masked=False), dataset.test, DeviceData(dataset, CPU), 16, metrics, EVERYTHING)


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


WATCHED = """
events = []

def right(outputs, labels):
    events.append("call")
    return (outputs.argmax(1) == labels).float().mean()

def parts(model, images):
    events.append("call")
    return 1.0

def layers(model, images):
    events.append("call")
    return 2.0
"""


def test_every_call_of_a_users_measure_is_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a slow one is not taken for a stalled training: in validation, for each test image, and for costs."""
    (tmp_path / "watched_measures.py").write_text(WATCHED)
    monkeypatch.setattr(Watchdog, "beat", lambda self: sys.modules["watched_measures"].events.append("beat"))
    job = Job(
        FolderFiles(tmp_path / "checkpoints"),
        tuple(f"watched_measures:{name}" for name in ("right", "parts", "layers")),
        folders=(str(tmp_path),),
        recipes={"default": TrainConfig(epochs=1)},
        test_digest=digest(digits().test),
    )
    done = carried_out(job, Assignment(3, SPACE.uniform("sum"), 77, "default"))
    assert done.failure is None
    events = sys.modules["watched_measures"].events
    calls = [at for at, event in enumerate(events) if event == "call"]
    assert len(calls) >= len(digits().test) + 4
    assert all(events[at - 1] == events[at + 1] == "beat" for at in calls)


def test_a_worker_with_other_test_images_ends_the_run_and_blames_no_candidate(tmp_path: Path) -> None:
    job = Job(FolderFiles(tmp_path), recipes={"default": TrainConfig(epochs=1)}, test_digest="0" * 32)
    told = carried_out(job, Assignment(0, SPACE.uniform("sum"), 0, "default"))
    assert "has other test images here" in told.halt
    assert (told.done, told.failure) == (False, None)
