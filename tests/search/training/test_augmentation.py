import pytest
import torch
from torch.nn import functional

from fusion_ops.errors import ConfigError, UnknownNameError
from search.training.augmentation import AUGMENTATIONS, check, crop, cutout, flip, mixup, pipeline

BATCH = 400


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(size=(8, 12), channels=3):
    """Images in which every pixel is unlike its neighbours, and masks that go with them."""
    images = torch.randint(1, 256, (BATCH, channels, *size), dtype=torch.uint8, generator=generator(9))
    return images, torch.arange(BATCH) % 5, images[:, 0] % 5


@pytest.mark.parametrize("name", AUGMENTATIONS.names())
def test_every_augmentation_keeps_shape_and_type_and_its_inputs(name):
    images, labels, _ = batch()
    before = images.clone()
    apply = pipeline([name], "classification", 5)
    changed, targets = apply(images, labels, generator())
    assert changed.shape == images.shape
    assert changed.dtype == torch.uint8
    assert len(targets) == BATCH
    assert torch.equal(images, before)
    assert not torch.equal(changed, images)
    again, _ = apply(images, labels, generator())
    other, _ = apply(images, labels, generator(1))
    assert torch.equal(again, changed)
    assert not torch.equal(other, changed)


@pytest.mark.parametrize("name", [name for name in AUGMENTATIONS if "segmentation" in AUGMENTATIONS[name].tasks])
def test_masks_go_with_their_images(name):
    images, _, masks = batch()
    changed, new = pipeline([name], "segmentation", 5)(images, masks, generator())
    assert new.dtype == torch.uint8
    if name == "cutout":
        assert torch.equal(new, masks)
    else:
        known = new != 255
        assert torch.equal(new[known], (changed[:, 0] % 5)[known])
        assert torch.equal(~known, (changed == 0).all(dim=1))
        assert not torch.equal(new, masks)


def test_half_of_the_images_are_mirrored():
    images, labels, _ = batch()
    changed, same = flip(images, labels, generator())
    mirrored = (changed == images.flip(-1)).flatten(1).all(dim=1)
    kept = (changed == images).flatten(1).all(dim=1)
    assert torch.equal(mirrored, ~kept)
    assert 0.42 < mirrored.float().mean() < 0.58
    assert torch.equal(same, labels)


def test_a_crop_is_a_window_of_the_padded_image():
    images, labels, _ = batch(size=(16, 24), channels=1)
    changed, _ = crop(images, labels, generator())
    padded = functional.pad(images, (3, 3, 2, 2))
    shifts = set()
    for image, wide in zip(changed, padded, strict=True):
        found = [(y, x) for y in range(5) for x in range(7) if torch.equal(wide[:, y : y + 16, x : x + 24], image)]
        assert len(found) == 1
        shifts |= set(found)
    assert len(shifts) == 35


def test_a_hole_is_square_and_anywhere():
    images = torch.full((BATCH, 2, 16, 16), 255, dtype=torch.uint8)
    images[: BATCH // 2] = 1
    changed, _ = cutout(images, torch.zeros(BATCH), generator())
    holes = changed == 128
    assert torch.equal(holes[:, 0], holes[:, 1])
    assert torch.equal(changed[~holes], images[~holes])
    heights, widths = holes[:, 0].any(dim=2).sum(dim=1), holes[:, 0].any(dim=1).sum(dim=1)
    assert torch.equal(holes[:, 0].sum(dim=(1, 2)), heights * widths)
    assert set(heights.tolist()) == set(widths.tolist()) == {2, 3, 4}
    assert holes[:, 0].any(dim=0).all()


def test_mixup_mixes_images_and_labels_alike():
    values = torch.arange(5, dtype=torch.uint8) * 50
    labels = torch.arange(BATCH) % 5
    images = values[labels].view(-1, 1, 1, 1).expand(-1, 3, 4, 4).contiguous()
    mixed, targets = pipeline(["mixup"], "classification", 5)(images, labels, generator())
    assert torch.allclose(targets.sum(dim=1), torch.ones(BATCH))
    expected = targets @ values.float()
    assert (mixed.float() - expected.view(-1, 1, 1, 1)).abs().max() <= 0.5 + 1e-3
    shares = targets.gather(1, labels.view(-1, 1))
    assert shares.min() < 0.05
    assert 0.45 < shares.mean() < 0.7
    assert (targets > 0).sum(dim=1).max() == 2


def test_the_order_is_the_one_given():
    images, labels, _ = batch()
    draws = generator()
    first, _ = flip(*cutout(images, labels, draws), draws)
    both, _ = pipeline(["cutout", "flip"], "classification", 5)(images, labels, generator())
    assert torch.equal(first, both)
    unchanged, same = pipeline([], "classification", 5)(images, labels, generator())
    assert unchanged is images
    assert same is labels


def test_soft_labels_whatever_comes_first():
    images, labels, _ = batch()
    _, targets = pipeline(["mixup", "flip", "crop"], "classification", 5)(images, labels, generator())
    assert targets.shape == (BATCH, 5)
    assert functional.cross_entropy(torch.zeros(BATCH, 5), targets, label_smoothing=0.1).isfinite()


def test_other_draws_are_not_disturbed():
    images, labels, _ = batch()
    state = torch.random.get_rng_state()
    pipeline(AUGMENTATIONS.names(), "classification", 5)(images, labels, generator())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_what_cannot_be_used_is_refused():
    with pytest.raises(
        ConfigError, match="mixup is for classification and multilabel, not for segmentation; leave it out"
    ):
        pipeline(["flip", "mixup"], "segmentation", 5)
    with pytest.raises(ConfigError, match="names `flip` twice"):
        check(["flip", "crop", "flip"])
    with pytest.raises(UnknownNameError, match="unknown augmentation `mixpu`; did you mean `mixup`"):
        check(["mixpu"])
    check(["mixup"])


def test_probabilities_are_mixed_by_the_same_share():
    images = torch.zeros(2, 1, 1, 1, dtype=torch.uint8)
    images[1] = 200
    mixed, targets = mixup(images, torch.eye(2), generator(5))
    assert torch.allclose(mixed.flatten().float(), 200 * targets[:, 1], atol=0.51)


@pytest.mark.parametrize(
    ("name", "others", "words"),
    [
        ("flip", ((1, 4, 5),), "flip moves images, and not the other inputs (1, 4, 5)"),
        ("crop", ((3,), (7, 2)), "crop moves images, and not the other inputs (3,), (7, 2)"),
        ("mixup", ((3,),), "mixup mixes images, and not the other inputs"),
        ("flip", ((3,), ()), None),
        ("cutout", ((1, 4, 5),), None),
        ("mixup", (), None),
    ],
)
def test_what_would_tear_images_and_other_inputs_apart_is_refused(
    name: str, others: tuple[tuple[int, ...], ...], words: str | None
) -> None:
    if words is None:
        check((name,), "classification", others)
        return
    with pytest.raises(ConfigError) as refused:
        check((name,), "classification", others)
    assert words in str(refused.value)
