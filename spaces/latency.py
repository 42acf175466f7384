"""Latency as a sum: the rest of the network, and the time of operator and resampler at every fusion point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fusion_ops import FusionChoice, Upsampling
from fusion_ops.choice import BILINEAR
from fusion_ops.errors import SpecError
from spaces import Architecture, FusionPoint, SearchSpace

__all__ = ["LatencyTable", "Operator", "Part", "operators"]

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Operator:
    """A choice as it stands at a fusion point; points of equal shapes have equal operators.

    Args:
        choice: Operator and settings.
        in_channels: Channels of each input.
        out_channels: Channels of the output.
        sizes: Size of each input in its spatial dimensions.
    """

    choice: FusionChoice
    in_channels: tuple[int, ...]
    out_channels: int
    sizes: tuple[tuple[int, ...], ...]

    def __str__(self) -> str:
        maps = dict.fromkeys(zip(self.in_channels, self.sizes, strict=True))
        return f"{self.choice} of {', '.join(' × '.join(map(str, (c, *size))) for c, size in maps)}"

    @classmethod
    def at(cls, point: FusionPoint, choice: FusionChoice) -> Operator:
        """Return the operator of `choice` at a point; its resampler is a part of its own."""
        return cls(choice.operator, point.in_channels, point.out_channels, point.sizes)

    def to_dict(self) -> dict[str, Any]:
        """Return the operator as JSON-ready values."""
        return {
            "choice": self.choice.to_dict(),
            "in_channels": list(self.in_channels),
            "out_channels": self.out_channels,
            "sizes": [list(size) for size in self.sizes],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Operator:
        """Return the operator that `to_dict` described."""
        sizes = tuple(map(tuple, values["sizes"]))
        channels = tuple(values["in_channels"]), values["out_channels"]
        return cls(FusionChoice.from_dict(values["choice"]), *channels, sizes)


Part = Operator | Upsampling


def operators(space: SearchSpace) -> tuple[Part, ...]:
    """Return every operator that a network of the space can have, each once, and then every resampler.

    Where all of them resample bilinearly, that belongs to the rest of the network.
    """
    found = (Operator.at(point, c) for slot in space.slots for point in slot.points for c in slot.choices)
    if space.resamplers == (BILINEAR,):
        return tuple(dict.fromkeys(found))
    resampled = (point.upsampling(name) for point in space.points if point.before for name in space.resamplers)
    return tuple(dict.fromkeys([*found, *(one for one in resampled if one is not None)]))


@dataclass(frozen=True, slots=True)
class LatencyTable:
    """What inference takes on one device, in milliseconds, by parts.

    Args:
        rest: Time of the network without these.
        times: Time of each operator and resampler; `None` where it could not be measured.
        device: Name of the device.
        protocol: How it was timed: runtime, precision, threads, batch size, seconds.
    """

    rest: float
    times: Mapping[Part, float | None]
    device: str
    protocol: Mapping[str, Any]

    def time(self, point: FusionPoint, choice: FusionChoice) -> float:
        """Return the time of a choice at a point: one that could not be measured counts as the slowest there.

        Raises:
            SpecError: The table has nothing of such a point or of this choice.
        """
        return sum(self._time(point, part) for part in self._parts(point, choice))

    def measured(self, point: FusionPoint, choice: FusionChoice) -> bool:
        """Return whether a choice at a point could be measured, resampler included."""
        return all(self.times.get(part) is not None for part in self._parts(point, choice))

    def _parts(self, point: FusionPoint, choice: FusionChoice) -> tuple[Part, ...]:
        """Return of what a choice at a point consists, but for what belongs to the rest of the network."""
        resampling = point.upsampling(choice.resampler)
        apart = choice.resampler != BILINEAR or any(isinstance(part, Upsampling) for part in self.times)
        return (Operator.at(point, choice), *((resampling,) if resampling is not None and apart else ()))

    def _time(self, point: FusionPoint, part: Part) -> float:
        if part not in self.times:
            raise SpecError(
                f"the table of operators' latencies lacks {part}, at {point.name}: it was measured for another "
                "space. Call `search.measure_operators` with this one."
            )
        known = self.times[part]
        return known if known is not None else self._slowest(part)

    def predict(self, architecture: Architecture, space: SearchSpace) -> float:
        """Return the predicted latency of an architecture: the rest and the sum over the fusion points.

        Raises:
            SpecError: The table was measured for another space.
        """
        return self.rest + sum(self.time(point, architecture[point.name]) for point in space.points)

    def _slowest(self, part: Part) -> float:
        """Return the time of the slowest operator, or resampler, in the place of this one."""
        place = _place(part)
        return max((ms for other, ms in self.times.items() if ms is not None and _place(other) == place), default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return the table as JSON-ready values; resamplers have an entry where they were measured."""
        resamplers = [asdict(one) | {"ms": ms} for one, ms in self.times.items() if isinstance(one, Upsampling)]
        return {
            "schema_version": SCHEMA_VERSION,
            "rest_ms": self.rest,
            "device": self.device,
            "protocol": dict(self.protocol),
            "operators": [one.to_dict() | {"ms": ms} for one, ms in self.times.items() if isinstance(one, Operator)],
        } | ({"resamplers": resamplers} if resamplers else {})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LatencyTable:
        """Return the table that `to_dict` described.

        Raises:
            SpecError: It is of another version.
        """
        if values.get("schema_version") != SCHEMA_VERSION:
            raise SpecError(
                f"a table of operators' latencies has schema_version {SCHEMA_VERSION}; got "
                f"{values.get('schema_version')!r}. Measure it again with this version."
            )
        times: dict[Part, float | None] = {Operator.from_dict(entry): entry["ms"] for entry in values["operators"]}
        for entry in values.get("resamplers", ()):
            sizes = tuple(entry["before"]), tuple(entry["after"])
            times[Upsampling(entry["name"], entry["channels"], *sizes)] = entry["ms"]
        return cls(values["rest_ms"], times, values["device"], values["protocol"])


def _place(part: Part) -> tuple[Any, ...]:
    """Return what parts have in common that can take each other's place."""
    if isinstance(part, Operator):
        return part.in_channels, part.out_channels, part.sizes
    return part.channels, part.before, part.after
