"""Latency as a sum: the rest of the network, and the time of the operator at every fusion point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fusion_ops import FusionChoice
from fusion_ops.errors import SpecError
from spaces import Architecture, FusionPoint, SearchSpace

__all__ = ["LatencyTable", "Operator", "operators"]

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
        """Return the operator of `choice` at a point."""
        return cls(choice, point.in_channels, point.out_channels, point.sizes)

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


def operators(space: SearchSpace) -> tuple[Operator, ...]:
    """Return every operator that a network of the space can have, each once."""
    found = (Operator.at(point, c) for slot in space.slots for point in slot.points for c in slot.choices)
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class LatencyTable:
    """What inference takes on one device, in milliseconds, by parts.

    Args:
        rest: Time of the network without its fusion operators.
        times: Time of each operator; `None` where it could not be measured.
        device: Name of the device.
        protocol: How it was timed: runtime, precision, threads, batch size, seconds.
    """

    rest: float
    times: Mapping[Operator, float | None]
    device: str
    protocol: Mapping[str, Any]

    def time(self, point: FusionPoint, choice: FusionChoice) -> float:
        """Return the time of a choice at a point: one that could not be measured counts as the slowest there.

        Raises:
            SpecError: The table has nothing of such a point or of this choice.
        """
        operator = Operator.at(point, choice)
        if operator not in self.times:
            raise SpecError(
                f"the table of operators' latencies lacks {operator}, at {point.name}: it was measured for another "
                "space. Call `search.measure_operators` with this one."
            )
        known = self.times[operator]
        return known if known is not None else self._slowest(operator)

    def predict(self, architecture: Architecture, space: SearchSpace) -> float:
        """Return the predicted latency of an architecture: the rest and the sum over the fusion points.

        Raises:
            SpecError: The table was measured for another space.
        """
        return self.rest + sum(self.time(point, architecture[point.name]) for point in space.points)

    def _slowest(self, operator: Operator) -> float:
        """Return the time of the slowest operator in the place of this one."""
        alike = (ms for other, ms in self.times.items() if replace(other, choice=operator.choice) == operator)
        return max((ms for ms in alike if ms is not None), default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return the table as JSON-ready values."""
        return {
            "schema_version": SCHEMA_VERSION,
            "rest_ms": self.rest,
            "device": self.device,
            "protocol": dict(self.protocol),
            "operators": [operator.to_dict() | {"ms": ms} for operator, ms in self.times.items()],
        }

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
        times = {Operator.from_dict(entry): entry["ms"] for entry in values["operators"]}
        return cls(values["rest_ms"], times, values["device"], values["protocol"])
