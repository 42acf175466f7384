"""Augmentation of batches on the device: `flip`, `crop`, `cutout`, `mixup`.

All draws come from the generator that is handed in, on the device; nothing waits for the device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from fusion_ops.errors import ConfigError
from fusion_ops.registry import Registry
from search.training.tasks import TASKS, Task
from search.training.tasks.segmentation import IGNORED

__all__ = ["AUGMENTATIONS", "Augment", "Augmentation", "check", "crop", "cutout", "flip", "mixup", "pipeline"]

Augment = Callable[[Tensor, Tensor, Generator], tuple[Tensor, Tensor]]
PADDING = 8
HOLE = 4


@dataclass(frozen=True, slots=True)
class Augmentation:
    """One way to change a batch at random.

    Args:
        apply: From images `(B, C, H, W)` uint8, labels and a generator on their device to new images and labels.
            Labels are those of the task, or probabilities `(B, K)` where it is `soft`.
        tasks: The tasks that it is for.
        soft: Whether it needs and returns labels as probabilities `(B, K)`.
        moves: Whether it moves what is in an image.
    """

    apply: Augment
    tasks: tuple[Task, ...] = ("classification", "multilabel", "segmentation", "regression")
    soft: bool = False
    moves: bool = False


AUGMENTATIONS: Registry[Augmentation] = Registry("augmentation")


def check(names: Sequence[str], task: Task | None = None, others: Sequence[Sequence[int]] = ()) -> None:
    """Check the names in `train.augment`, and that they fit the task where it is known.

    Images alone are changed: what moves their contents does not fit `others`, shapes of further inputs, if one of those
    has positions, and what mixes images fits none.

    Raises:
        UnknownNameError: No such augmentation.
        ConfigError: One is named twice, or is not for this task.
    """
    for index, name in enumerate(names):
        tasks = AUGMENTATIONS[name].tasks
        if name in names[:index]:
            raise ConfigError(f"`train.augment` names `{name}` twice; leave one out.")
        if task is not None and task not in tasks:
            raise ConfigError(f"`train.augment`: {name} is for {_and(tasks)}, not for {task}; leave it out.")
        if AUGMENTATIONS[name].soft and others:
            raise ConfigError(f"`train.augment`: {name} mixes images, and not the other inputs; leave it out.")
        if AUGMENTATIONS[name].moves and any(len(shape) > 1 for shape in others):
            shapes = ", ".join(str(tuple(shape)) for shape in others)
            raise ConfigError(f"`train.augment`: {name} moves images, and not the other inputs {shapes}; leave it out.")


def _and(names: Sequence[str]) -> str:
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last


def pipeline(names: Sequence[str], task: Task, classes: int) -> Augment:
    """Return one function that applies the augmentations in the order given.

    The labels keep their form, unless one of the augmentations is soft (`mixup`): then they become probabilities
    `(B, K)` of the K classes, float32, which the losses of the task take, too. Raises what `check` raises.
    """
    check(names, task)
    steps = [AUGMENTATIONS[name] for name in names]
    soft = any(step.soft for step in steps)

    def augment(images: Tensor, labels: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        if soft:
            labels = TASKS[task].soft(labels, classes)
        for step in steps:
            images, labels = step.apply(images, labels, generator)
        return images, labels

    return augment


def flip(images: Tensor, labels: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Mirror half of the images, and their masks, left to right."""
    chosen = _random(images, generator) < 0.5
    mirrored = torch.where(chosen.view(-1, 1, 1, 1), images.flip(-1), images)
    if labels.ndim == 3:
        labels = torch.where(chosen.view(-1, 1, 1), labels.flip(-1), labels)
    return mirrored, labels


def crop(images: Tensor, labels: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Shift images, and their masks, by up to an eighth of their size each way.

    They are padded by that much and a window of their own size is cut out; images are padded with black, masks with
    255. He et al., "Deep Residual Learning" (2016), section 4.2: 4 pixels at 32.
    """
    *_, height, width = images.shape
    pads = height // PADDING, width // PADDING
    starts = [(_random(images, generator) * (2 * pad + 1)).long() for pad in pads]
    shifted = _windows(images, pads, starts, 0)
    if labels.ndim == 3:
        labels = _windows(labels.unsqueeze(1), pads, starts, IGNORED).squeeze(1)
    return shifted, labels


def cutout(images: Tensor, labels: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Fill a square of every image, a quarter of its shorter side, with the batch's mean by channel.

    Its centre is anywhere, so that it may reach over the edge. Masks stay as they are. DeVries and Taylor, "Improved
    Regularization of Convolutional Neural Networks with Cutout" (2017): 8 pixels at 32 on CIFAR-100.
    """
    *_, height, width = images.shape
    side = max(1, min(height, width) // HOLE)
    inside = []
    for length in (height, width):
        start = (_random(images, generator) * length).long() - side // 2
        place = torch.arange(length, device=images.device)
        inside.append((place >= start.view(-1, 1)) & (place < start.view(-1, 1) + side))
    hole = inside[0].unsqueeze(2) & inside[1].unsqueeze(1)
    mean = images.sum(dim=(0, 2, 3), keepdim=True).div(images.numel() // images.shape[1], rounding_mode="floor")
    return torch.where(hole.unsqueeze(1), mean.to(images.dtype), images), labels


def mixup(images: Tensor, labels: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Mix every image and its probabilities with those of another of the batch: `λ a + (1 − λ) b`.

    λ is uniform between 0 and 1 and drawn for every image; images are rounded to whole grey levels. Zhang et al.,
    "mixup: Beyond Empirical Risk Minimization" (2018), with α = 1, as on CIFAR there.
    """
    other = torch.randperm(len(images), generator=generator, device=images.device)
    share = _random(images, generator)
    weight = share.view(-1, 1, 1, 1)
    mixed = images.float().mul_(weight).addcmul_(images[other].float(), 1 - weight).round_().to(images.dtype)
    return mixed, labels * share.view(-1, 1) + labels[other] * (1 - share).view(-1, 1)


def _random(images: Tensor, generator: Generator) -> Tensor:
    return torch.rand(len(images), generator=generator, device=images.device)


def _windows(images: Tensor, pads: tuple[int, int], starts: Sequence[Tensor], value: int) -> Tensor:
    """Return a window of the images' own size out of each after padding: `(B, C, H, W) -> (B, C, H, W)`."""
    batch, _, height, width = images.shape
    padded = functional.pad(images, (pads[1], pads[1], pads[0], pads[0]), value=value)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    return windows[torch.arange(batch, device=images.device), :, starts[0], starts[1]]


AUGMENTATIONS.register("flip")(Augmentation(flip, moves=True))
AUGMENTATIONS.register("crop")(Augmentation(crop, moves=True))
AUGMENTATIONS.register("cutout")(Augmentation(cutout, tuple(TASKS)))
AUGMENTATIONS.register("mixup")(Augmentation(mixup, ("classification", "multilabel"), soft=True))
