"""The network around the fusion points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar, Literal

from fusion_ops import Cost, Recipe
from fusion_ops.errors import SpecError
from fusion_ops.registry import Registry
from spaces.architecture import SpaceRef
from spaces.point import FusionPoint

__all__ = ["HOSTS", "HostNetwork", "check_whole", "image_size"]


class HostNetwork(ABC):
    """A network with holes where feature maps are fused.

    Subclasses are frozen dataclasses whose fields are the network's settings; they check them when
    constructed and raise `SpecError`. All have `num_classes`, `in_channels` and `input_size` (height and
    width in pixels, on which FLOPs depend).

    Attributes:
        task: What the network's output is for: `classification`, logits `(B, K)`; `segmentation`, logits
            `(B, K, H, W)` of the images' size.
        sized: Whether it can be created for images of a known shape alone, such as a data set's.
    """

    task: ClassVar[Literal["classification", "segmentation"]] = "classification"

    sized: ClassVar[bool] = False

    num_classes: int
    in_channels: int
    input_size: tuple[int, int]

    @property
    @abstractmethod
    def fusion_points(self) -> tuple[FusionPoint, ...]:
        """The fusion points, in the order in which data pass them."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What was left alone in the network without being asked, a line each."""
        return ()

    def verify(self) -> tuple[str, ...]:
        """Check that the network computes what it stands for, and return what could not be checked, a line each.

        Raises:
            SpecError: It does not.
        """
        return ()

    @abstractmethod
    def cost(self) -> Cost:
        """Return the exact cost of everything but the fusion operators."""

    @abstractmethod
    def recipe(self, fusions: Mapping[str, Recipe]) -> Recipe:
        """Return how to construct the network with these operators at its points.

        A point that says from which size its first input is brought (`FusionPoint.before`) has its resampler beside its
        operator, under `FusionPoint.resampler_name`: a module that is called with the map and the size.
        """

    def widths(self) -> dict[str, int]:
        """Return the settings that make it wider, and the parts that one channel of each may go in.

        All of them grow in proportion. A width that doubles three times may go in eighths: the last stage grows by a
        channel. Empty where the network cannot be widened.
        """
        return {}

    @property
    def other_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of what it takes beside an image."""
        return ()

    @property
    def fingerprint(self) -> str:
        """What networks of one structure share where settings do not say it all, as user-defined code may change."""
        return ""

    @property
    def own_modules(self) -> tuple[str, ...]:
        """User-defined modules that must be importable wherever the network is built, exports included."""
        return ()

    def settings(self) -> dict[str, Any]:
        """Return the settings by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.init}  # type: ignore[arg-type]

    def ref(self, name: str) -> SpaceRef:
        """Return the reference that recreates this network from the registry."""
        return SpaceRef(name, tuple(self.settings().items()))


HOSTS: Registry[type[HostNetwork]] = Registry("space")


def check_whole(**settings: Any) -> None:
    """Check settings of a host network, given by name.

    Raises:
        SpecError: One is not a whole number of at least 1.
    """
    for name, value in settings.items():
        if not _is_whole(value):
            raise SpecError(f"`{name}` must be a whole number of at least 1; got {value!r}.")


def image_size(value: Sequence[int]) -> tuple[int, int]:
    """Return the setting `input_size` as height and width.

    Raises:
        SpecError: It is not two whole numbers of at least 1.
    """
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(map(_is_whole, value)):
        raise SpecError(f"`input_size` must be height and width in pixels, at least 1; got {value!r}.")
    return value[0], value[1]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
