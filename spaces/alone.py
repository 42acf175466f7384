"""Architectures that differ from the network as it is in one decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fusion_ops import FusionChoice
from spaces.architecture import Architecture
from spaces.slot import Slot
from spaces.space import SearchSpace

__all__ = ["Alone", "every_choice_alone", "put_alone"]


@dataclass(frozen=True, slots=True)
class Alone:
    """One choice of one slot, in the network as it is.

    Args:
        slot: Index of the slot.
        choice: The choice.
        architecture: The network with that choice there, and everywhere else what it has itself: the network itself
            where that is what the choice is.
    """

    slot: int
    choice: FusionChoice
    architecture: Architecture


def every_choice_alone(space: SearchSpace) -> Iterator[Alone]:
    """Yield every choice of every slot of a space, alone, in the order of the slots."""
    original = space.original()
    for index, slot in enumerate(space.slots):
        for choice in slot.choices:
            yield Alone(index, choice, put_alone(original, slot, choice))


def put_alone(original: Architecture, slot: Slot, choice: FusionChoice) -> Architecture:
    """Return a network with a choice at one slot, and everywhere else what it has."""
    put = {point.name: slot.at(point, choice) for point in slot.points}
    return Architecture(original.space, tuple((name, put.get(name, kept)) for name, kept in original.choices))
