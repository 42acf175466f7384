"""What a difference between two networks varies by: seeds, images, and their interaction.

A score of training `s` on image `i` is modelled as

    x[s, i] = μ + seed[s] + image[i] + rest[s, i]

in each arm, all terms random, no normal distribution assumed for images and rest. The images are the same in both arms,
so that only the *difference* of their effects matters. The variance of the difference of the two means is then

    σ²(seed, 1) / S₁ + σ²(seed, 2) / S₂  +  σ²(image difference) / N  +  σ²(rest, 1) / (S₁ N) + σ²(rest, 2) / (S₂ N)

Three things are measured, each of them a mean square of the two-way table (Searle, Casella and McCulloch, "Variance
Components", 1992, chapter 4):

- `between_seeds[k]`, the variance of the seeds' means over S: estimates σ²(seed) / S + σ²(rest) / (S N)
- `rest[k]`: estimates σ²(rest) / (S N)
- `between_images`, the variance of the images' differences over N: estimates σ²(image difference) / N + Σ rest

so that Σ between_seeds + between_images − Σ rest is unbiased: the rest is in both of them, and is counted once.

Where scores are right or wrong, and hardly any image tells the networks apart, the spread that was seen says too
little of what new images would show: with none at all it is 0. There the squared differences are made to add up to that
of one typical image more. What is typical say the m images that trainings disagree on, and one that was right in every
training of one network and wrong in every one of the other: (Σ squares + 1) / (m + 1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["ArmParts", "Components", "components"]

Floats = NDArray[np.float64]
FLOOR = 0.1
# So few images make a difference that more degrees of freedom than they show would be too many.
FEW = 6


@dataclass(frozen=True, slots=True)
class Components:
    """Parts of the squared standard error of a gain, all in units of the score squared.

    Every field but the counts may be an array, one entry for each of many studies.

    Args:
        gain: Mean of the candidate minus mean of the reference.
        between_images: From the images, the rest included.
        images_freedom: Degrees of freedom of `between_images`: as many as its own spread shows, fewer where few images
            make the difference.
        between_seeds: From the seeds, the rest included; candidate, reference.
        rest: What is no effect of seed or image alone; candidate, reference.
        seeds: Trainings; candidate, reference.
        images: Test images.
        errors: Share of the scores that are wrong; candidate, reference. `None`: scores are not right or wrong.
    """

    gain: Floats
    between_images: Floats
    images_freedom: Floats
    between_seeds: tuple[Floats, Floats]
    rest: tuple[Floats, Floats]
    seeds: tuple[int, int]
    images: int
    errors: tuple[Floats, Floats] | None = None

    @property
    def images_only(self) -> Floats:
        """What would be left with any number of seeds: σ²(image difference) / N, not below 0."""
        return np.maximum(self.between_images - self.rest[0] - self.rest[1], 0.0)

    @property
    def seeds_only(self) -> Floats:
        """What would be left with any number of images: σ²(seed) / S of both, not below 0."""
        return np.maximum(self.between_seeds[0] + self.between_seeds[1] - self.rest[0] - self.rest[1], 0.0)

    @property
    def variance(self) -> Floats:
        """Squared standard error of the gain: unbiased, so its parts are not cut at 0 one by one.

        Not below a tenth of what the images alone show: few seeds can have nearly equal means by chance.
        """
        unbiased = self.between_images + self.between_seeds[0] + self.between_seeds[1] - self.rest[0] - self.rest[1]
        return np.maximum(unbiased, FLOOR * self.between_images)

    @property
    def shared(self) -> Floats:
        """The part of `variance` that is no network's alone: the images', not below a tenth of what they show."""
        own = self.between_seeds[0] + self.between_seeds[1]
        return np.maximum(self.variance - own, FLOOR * self.between_images)

    @property
    def freedom(self) -> Floats:
        """Degrees of freedom of `variance` (Satterthwaite), at least those of its least certain part.

        Of the images only what the rest does not make of them is uncertain: the rest is in `between_images` with all
        its chance, and is taken off again with the same. Where the variance is at its least nothing is known of it.
        """
        noise = self.images_only**2 / self.images_freedom
        for part, seeds in zip(self.between_seeds, self.seeds, strict=True):
            noise = noise + part**2 / (seeds - 1)
        least = np.minimum(self.images_freedom, min(self.seeds) - 1)
        known = (noise > 0.0) & (self.variance > FLOOR * self.between_images)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(known, np.maximum(self.variance**2 / noise, least), least)

    def with_seeds(self, candidate: int, reference: int) -> Components:
        """Return what other numbers of seeds would give, were gain and variances of a single training the same."""
        ratios = self.seeds[0] / candidate, self.seeds[1] / reference
        rest = self.rest[0] * ratios[0], self.rest[1] * ratios[1]
        return replace(
            self,
            between_images=self.images_only + rest[0] + rest[1],
            between_seeds=(self.between_seeds[0] * ratios[0], self.between_seeds[1] * ratios[1]),
            rest=rest,
            seeds=(candidate, reference),
        )


def components(candidate: Floats, reference: Floats) -> Components:
    """Return the components of the difference of two arms.

    Args:
        candidate: `(..., seeds, images)`.
        reference: `(..., seeds, images)`, the same images.
    """
    first, second = ArmParts.of(candidate), ArmParts.of(reference)
    images = candidate.shape[-1]
    differences = first.by_image - second.by_image
    gain = differences.mean(axis=-1)
    squares = (differences - gain[..., None]) ** 2
    total, fourth = squares.sum(axis=-1), (squares**2).sum(axis=-1)
    errors = None
    if _right_or_wrong(candidate) and _right_or_wrong(reference):
        errors = 1.0 - first.by_image.mean(axis=-1), 1.0 - second.by_image.mean(axis=-1)
        lacking = np.maximum(_typical(total, candidate, reference) - total, 0.0)
        total, fourth = total + lacking, fourth + lacking**2 / 2
    return Components(
        gain=gain,
        between_images=total / (images - 1) / images,
        images_freedom=_images_freedom(total, fourth, images),
        between_seeds=(first.between_seeds, second.between_seeds),
        rest=(first.rest, second.rest),
        seeds=(candidate.shape[-2], reference.shape[-2]),
        images=images,
        errors=errors,
    )


@dataclass(frozen=True, slots=True)
class ArmParts:
    """What one arm's scores vary by.

    Args:
        by_image: Mean over the seeds of each image, `(..., images)`.
        between_seeds: Variance of the seeds' means over the number of seeds.
        rest: What is no effect of seed or image alone, over seeds and images.
    """

    by_image: Floats
    between_seeds: Floats
    rest: Floats

    @classmethod
    def of(cls, scores: Floats) -> ArmParts:
        """Return it of scores `(..., seeds, images)`."""
        seeds, images = scores.shape[-2:]
        by_image, by_seed = scores.mean(axis=-2), scores.mean(axis=-1)
        rest = scores - by_image[..., None, :]
        rest -= (by_seed - by_seed.mean(axis=-1, keepdims=True))[..., None]
        squares = np.einsum("...si,...si->...", rest, rest)
        return cls(
            by_image, by_seed.var(axis=-1, ddof=1) / seeds, squares / ((seeds - 1) * (images - 1) * seeds * images)
        )


def _typical(total: Floats, candidate: Floats, reference: Floats) -> Floats:
    """Return the squared difference of a typical image, of scores that are right or wrong.

    Images that every training got alike say nothing of it.
    """
    least = np.minimum(candidate.min(axis=-2), reference.min(axis=-2))
    most = np.maximum(candidate.max(axis=-2), reference.max(axis=-2))
    typical: Floats = (total + 1.0) / ((least < most).sum(axis=-1) + 1.0)
    return typical


def _right_or_wrong(scores: Floats) -> bool:
    return bool(((scores == 0.0) | (scores == 1.0)).all())


def _images_freedom(total: Floats, fourth: Floats, images: int) -> Floats:
    """Degrees of freedom of a variance: those that its own sampling variance shows, and up to twice as many.

    That variance is from the fourth moment. Where m of n values are not 0 it shows 2 m, as Satterthwaite has it. Of
    six values or fewer more are too many: where they all point one way, 90 % would cover in place of 95 %. Of twelve or
    more 2 m are too few, since gain and variance grow together: 4 m. It is n − 1 at most.
    """
    second = total / images
    noise = (fourth / images - second**2) / images
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = np.where(noise > 0.0, second**2 / noise, images)
    freedom = 2.0 * effective * (1.0 + np.clip((effective - FEW) / FEW, 0.0, 1.0))
    return np.clip(freedom, 1.0, images - 1.0)
