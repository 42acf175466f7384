"""Every measure of every task, against scikit-learn: of all images, and what each image adds to it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from reports.comparison import miou_values
from reports.measures import MEASURES
from search.training.tasks import TASKS, TrainingLabels
from tests.search.training.tasks.references import CASES, Case, values

PAIRS = [(case, name) for case in CASES for name in case.references]
NAMES = [f"{case.task}-{name}" for case, name in PAIRS]


def measured(case: Case, batch: int = 10**6) -> dict[str, float]:
    tally = TASKS[case.task].tally(case.known, tuple(case.references))
    for outputs, labels in zip(case.outputs.split(batch), case.labels.split(batch), strict=True):
        tally.add(outputs, labels)
    return tally.measures()


def by_image(case: Case, batch: int = 10**6) -> dict[str, NDArray[np.float64]]:
    kept = TASKS[case.task].by_image(case.known, tuple(case.references))
    for outputs, labels in zip(case.outputs.split(batch), case.labels.split(batch), strict=True):
        kept.add(outputs, labels)
    found = {name: one.double().numpy() for name, one in kept.values().items()}
    return {name: miou_values(one[None])[0] if name == "miou" else one for name, one in found.items()}


@pytest.mark.parametrize("batch", [1, 7, 10**6])
@pytest.mark.parametrize(("case", "name"), PAIRS, ids=NAMES)
def test_measures_are_those_of_scikit_learn_whatever_the_batch(case: Case, name: str, batch: int) -> None:
    expected = case.references[name](np.ones(len(case.labels)))
    assert measured(case, batch)[name] == pytest.approx(expected, rel=1e-5)
    found = by_image(case, batch)[name]
    assert found.shape == (len(case.labels),)
    assert found.mean() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("case", "name"), PAIRS, ids=NAMES)
def test_what_an_image_got_is_how_the_measure_grows_with_its_weight(case: Case, name: str) -> None:
    """Of a mean over images the weighted mean, too: N dR/dw + R is the image's own value."""
    reference, count, step = case.references[name], len(case.labels), 1e-4
    expected = []
    for image in range(count):
        weights = np.ones((2, count))
        weights[:, image] += (-step, step)
        below, above = map(reference, weights)
        expected.append(reference(np.ones(count)) + count * (above - below) / (2 * step))
    assert np.allclose(by_image(case)[name], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("case", CASES, ids=[case.task for case in CASES])
def test_every_quality_of_a_task_is_measured_where_it_is_asked_for_and_known_to_reports(case: Case) -> None:
    task = TASKS[case.task]
    assert set(task.qualities) == set(case.references) | {"loss"}
    plain = task.tally(case.known)
    plain.add(case.outputs, case.labels)
    assert set(plain.measures()) == set(task.usual)
    assert set(measured(case)) == set(by_image(case)) == set(task.qualities)
    assert all(MEASURES[name].quality for name in task.qualities)


@pytest.mark.parametrize("case", CASES, ids=[case.task for case in CASES])
def test_the_mean_loss_of_images_is_the_loss(case: Case) -> None:
    assert by_image(case, 9)["loss"].mean() == pytest.approx(measured(case)["loss"], rel=1e-5)


def test_mean_average_precision_of_equal_scores_does_not_depend_on_their_order() -> None:
    task, case = TASKS["multilabel"], next(case for case in CASES if case.task == "multilabel")
    found = set()
    for seed in range(3):
        order = torch.randperm(len(case.labels), generator=torch.Generator().manual_seed(seed))
        tally = task.tally(case.known)
        tally.add(case.outputs[order], case.labels[order])
        found.add(round(tally.measures()["map"], 12))
    assert len(found) == 1


def test_r2_of_labels_that_do_not_vary_is_one_without_an_error_and_else_nothing() -> None:
    task, case = TASKS["regression"], values(outputs=1)
    same = torch.full((4, 1), 7.0)
    scores = []
    for predicted in (same, same + 1):
        tally = task.tally(case.known)
        tally.add(predicted, same)
        scores.append(tally.measures()["r2"])
    assert scores == [1.0, 0.0]


def test_a_large_mean_of_the_labels_costs_no_digits() -> None:
    small, large = (measured(values(offset=offset)) for offset in (0.0, 4096.0))
    assert large["r2"] == pytest.approx(small["r2"], rel=1e-3)
    assert large["mae"] == pytest.approx(small["mae"], rel=1e-3)


def test_the_verdict_of_measures_is_about_images_that_differ() -> None:
    """No linearised measure gives every image the same: new images would then seem not to matter."""
    for case in CASES:
        for name, found in by_image(case).items():
            assert found.std() > 0, name


def draws(task: str, count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return what two networks give for images of a test set, and their labels."""
    if task == "regression":
        labels = torch.randn(count, generator=generator)
        noise = torch.randn(2, count, generator=generator)
        return labels + 0.5 * noise[0], labels + 0.6 * noise[1], labels
    labels = torch.randint(3, (count,), generator=generator)
    truth = torch.nn.functional.one_hot(labels, 3)
    first, second = (truth * 1.5 + torch.randn(count, 3, generator=generator) for _ in range(2))
    if task == "classification":
        return first, second, labels
    return first - 0.75, second - 0.75, truth.to(torch.uint8)


@pytest.mark.parametrize(
    ("task", "name"),
    [("classification", "balanced_accuracy"), ("classification", "f1"), ("multilabel", "map"), ("regression", "r2")],
)
def test_images_vary_by_as_much_as_the_difference_between_test_sets_does(task: str, name: str) -> None:
    generator, images, seen, said = torch.Generator().manual_seed(0), 200, [], []
    for _ in range(300):
        first, second, labels = draws(task, images, generator)
        known = TrainingLabels(TASKS[task], labels, 3)
        kept = []
        for outputs in (first, second):
            kept.append(TASKS[task].by_image(known, (name,)))
            kept[-1].add(outputs, labels)
        difference = kept[0].values()[name].double() - kept[1].values()[name].double()
        seen.append(float(difference.mean()))
        said.append(float(difference.var()) / images)
    assert np.mean(said) / np.var(seen) == pytest.approx(1.0, abs=0.2)
