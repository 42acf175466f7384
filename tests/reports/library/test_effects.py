"""What a choice changes, and its error bar: differences to what stands there in the parent, seed by seed."""

from __future__ import annotations

import math

import numpy as np
import pytest

import spaces
from reports.library.effects import LibraryTraining, effects_of
from spaces.alone import every_choice_alone

SPACE = spaces.create("resnet", depth=8, width=8, num_classes=10, in_channels=1, ops=["sum", "aff"], reductions=[2, 4])
SUM, TWO, FOUR = SPACE.slots[0].choices


def trainings(seeds: int, images: int = 0, noise: float = 0.0) -> list[LibraryTraining]:
    """`aff r=2` takes 0.1 off the loss at the first slot, 0.2 at the second, …; `r=4` changes nothing."""
    rng, found = np.random.default_rng(0), []
    for seed in range(seeds):
        for index, slot in enumerate(SPACE.slots):
            level = 1.0 + index + seed
            for one in every_choice_alone(SPACE):
                if one.slot == index:
                    loss = level - (0.1 * (index + 1) if one.choice == TWO else 0.0) + noise * rng.normal()
                    got = {"loss": loss + np.linspace(-1, 1, images)} if images else {}
                    found.append(LibraryTraining(slot.name, one.architecture, seed, {"loss": loss}, got))
    return found


def test_an_effect_is_the_difference_to_the_parent_around_the_same_slot_with_the_same_seed() -> None:
    library = effects_of(SPACE, trainings(2), ["loss"])
    assert library.missing == ()
    for index, row in enumerate(library.effects):
        by_choice = {one.choice: one for one in row}
        assert by_choice[SUM].seeds == 0
        assert by_choice[SUM].changes["loss"].mean == 0
        assert by_choice[TWO].changes["loss"].mean == pytest.approx(-0.1 * (index + 1))
        assert by_choice[FOUR].changes["loss"].mean == pytest.approx(0.0)
    total = library.total([row[1] for row in library.effects], "loss")
    assert total.mean == pytest.approx(-0.6)
    assert library.total([row[0] for row in library.effects], "loss").error == 0


def test_the_noise_of_trainings_is_that_between_seeds() -> None:
    noise = effects_of(SPACE, trainings(400, noise=0.03), ["loss"])
    # A difference of two trainings.
    assert noise.noise["loss"] == pytest.approx(0.03 * math.sqrt(2), rel=0.1)
    one, three = noise.effects[0][1], [row[1] for row in noise.effects]
    assert noise.total([one], "loss").error == pytest.approx(noise.noise["loss"] / 20)
    assert noise.total(three, "loss").error == pytest.approx(noise.noise["loss"] * math.sqrt(3) / 20)


def test_images_give_an_error_where_one_seed_gives_none() -> None:
    library = effects_of(SPACE, trainings(1), ["loss"])
    assert library.noise == {}
    assert math.isnan(library.effects[0][1].changes["loss"].error)
    seen = trainings(1, images=50)
    rng = np.random.default_rng(1)
    shaken = [
        LibraryTraining(
            one.slot, one.architecture, one.seed, one.measures, {"loss": one.images["loss"] + rng.normal(size=50)}
        )
        for one in seen
    ]
    error = effects_of(SPACE, shaken, ["loss"]).effects[0][1].changes["loss"].error
    # Of a difference of two, each with a standard deviation of 1, over 50 images.
    assert error == pytest.approx(math.sqrt(2 / 50), rel=0.3)


def test_what_is_not_trained_is_missing_and_no_other_seed_stands_in() -> None:
    known = [one for one in trainings(2) if not (one.slot == SPACE.slots[1].name and one.seed == 0)]
    without = [one for one in known if one.architecture[SPACE.points[2].name] != FOUR]
    library = effects_of(SPACE, without, ["loss"])
    assert [(one.slot, one.choice) for one in library.missing] == [(2, FOUR)]
    assert [one.seeds for one in library.effects[1]] == [0, 1, 1]
    nothing = effects_of(SPACE, [], ["loss"])
    assert [(one.slot, one.choice) for one in nothing.missing] == [(slot, c) for slot in range(3) for c in (TWO, FOUR)]
