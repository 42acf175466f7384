"""The network around the fusion points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from fusion_ops import Cost, Recipe
from fusion_ops.registry import Registry
from spaces.architecture import SpaceRef
from spaces.point import FusionPoint

__all__ = ["HOSTS", "HostNetwork"]


class HostNetwork(ABC):
    """A network with holes where feature maps are fused.

    Subclasses are frozen dataclasses whose fields are the network's settings; they check them when
    constructed and raise `SpecError`. All have `num_classes`, `in_channels` and `input_size` (height and
    width in pixels, on which FLOPs depend).
    """

    num_classes: int
    in_channels: int
    input_size: tuple[int, int]

    @property
    @abstractmethod
    def points(self) -> tuple[FusionPoint, ...]:
        """The fusion points, in the order in which data pass them."""

    @abstractmethod
    def cost(self) -> Cost:
        """Return the exact cost of everything but the fusion operators."""

    @abstractmethod
    def recipe(self, fusions: Mapping[str, Recipe]) -> Recipe:
        """Return how to construct the network with these operators at its points."""

    def settings(self) -> dict[str, Any]:
        """Return the settings by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    def ref(self, name: str) -> SpaceRef:
        """Return the reference that recreates this network from the registry."""
        return SpaceRef(name, tuple(self.settings().items()))


HOSTS: Registry[type[HostNetwork]] = Registry("space")
