"""Mean IoU as a mean over images."""

import numpy as np
import pytest

from fusion_ops.errors import DataError
from reports.comparison import compare, miou_values


def counted(rng, seeds, images, classes=4, level=0.7):
    """Return counts (seeds, images, 3, classes), the last class rare."""
    there = rng.integers(0, 60, (images, classes)) * (rng.random((images, classes)) < np.linspace(1.0, 0.2, classes))
    hit = rng.binomial(np.broadcast_to(there, (seeds, images, classes)), level)
    predicted = hit + rng.poisson(3.0, hit.shape)
    return np.stack([hit, predicted, np.broadcast_to(there, hit.shape)], axis=2)


def miou(counts):
    """Mean IoU of one training, from its definition."""
    hit, predicted, there = counts.sum(axis=0)
    union = predicted + there - hit
    return np.mean([h / u for h, u in zip(hit, union, strict=True) if u > 0])


class TestValues:
    def test_their_mean_is_the_mean_iou(self):
        counts = counted(np.random.default_rng(0), 5, 200)
        assert miou_values(counts).mean(axis=1) == pytest.approx([miou(one) for one in counts], rel=1e-12)

    def test_a_class_that_is_nowhere_counts_in_no_mean(self):
        counts = counted(np.random.default_rng(1), 3, 50)
        counts[..., 2] = 0
        assert miou_values(counts).mean(axis=1) == pytest.approx([miou(one) for one in counts], rel=1e-12)

    def test_images_alike_have_the_same_value(self):
        counts = np.tile(np.array([[3, 1], [5, 2], [4, 3]]), (2, 6, 1, 1))
        assert miou_values(counts) == pytest.approx(np.full((2, 6), (3 / 6 + 1 / 4) / 2))

    def test_they_vary_as_the_mean_iou_does(self):
        rng = np.random.default_rng(2)
        drawn = [counted(rng, 1, 200) for _ in range(400)]
        truly = np.std([miou(counts[0]) for counts in drawn])
        told = np.mean([miou_values(counts)[0].std(ddof=1) / np.sqrt(200) for counts in drawn])
        assert told == pytest.approx(truly, rel=0.1)

    def test_they_can_be_compared(self):
        rng = np.random.default_rng(3)
        found = compare(*(miou_values(counted(rng, 3, 300, level=level)) for level in (0.8, 0.6)))
        assert found.outcome == "better"


class TestErrors:
    @pytest.mark.parametrize("shape", [(5, 3, 4), (2, 5, 4, 3), (2, 0, 3, 4)])
    def test_shapes(self, shape):
        with pytest.raises(DataError, match=r"\(seeds, images, 3, classes\)"):
            miou_values(np.ones(shape))

    def test_the_order_of_the_counts(self):
        counts = counted(np.random.default_rng(4), 2, 9)
        with pytest.raises(DataError, match="The order is hit, predicted, there"):
            miou_values(counts[:, :, ::-1])
        assert miou_values(counts[:, :, ::-1][:, :, ::-1]).shape == (2, 9)

    def test_a_training_without_pixels(self):
        with pytest.raises(DataError, match="no pixel"):
            miou_values(np.zeros((2, 5, 3, 4)))
