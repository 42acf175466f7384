"""Who takes part in a retraining, and as what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from spaces import Architecture

__all__ = ["CONTROLS", "ROLES", "NoControl", "Participant", "merged"]

# The column `role` has the first of a network's roles in this order.
ROLES: Final = ("finalist", "original", "uniform", "matched_params", "matched_flops", "baseline", "ablation")
CONTROLS: Final[Mapping[str, str]] = {"params": "matched_params", "flops": "matched_flops"}


@dataclass(frozen=True, slots=True)
class Participant:
    """A network that is trained again, and all that it is there for.

    Args:
        architecture: The network; that of a widened control belongs to a space of its own.
        roles: Pairs of a role and what it refers to. `finalist`, `original`: nothing. `uniform`: the operator.
            `matched_params`, `matched_flops`: the id of the finalist whose cost it has. `baseline`: the series of the
            search's baseline that it is the best of. `ablation`: the fusion point that was set back.
    """

    architecture: Architecture
    roles: tuple[tuple[str, str], ...]

    @property
    def id(self) -> str:
        """Id of its architecture."""
        return self.architecture.id

    @property
    def role(self) -> str:
        """The first of its roles."""
        return min((role for role, _ in self.roles), key=ROLES.index)

    @property
    def kind(self) -> str:
        """The kind of its candidates."""
        return "control" if self.role in CONTROLS.values() else "retrain"

    def plays(self, role: str) -> bool:
        """Return whether it takes part as that, too."""
        return any(known == role for known, _ in self.roles)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        roles = [{"role": role, **({"of": of} if of else {})} for role, of in self.roles]
        return {"id": self.id, "role": self.role, "roles": roles, "architecture": self.architecture.to_json()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Participant:
        """Return the participant that `to_dict` described."""
        roles = tuple((str(entry["role"]), str(entry.get("of", ""))) for entry in values["roles"])
        return cls(Architecture.from_json(values["architecture"]), roles)


@dataclass(frozen=True, slots=True)
class NoControl:
    """A finalist that no network of sums has the cost of.

    Args:
        of: Id of the finalist.
        measure: `params` or `flops`.
        why: Why there is none, and which network takes its place, if any.
        instead: Id of that network; empty where there is none.
    """

    of: str
    measure: str
    why: str
    instead: str = ""


def merged(participants: Iterable[Participant]) -> tuple[Participant, ...]:
    """Return every network once, with all of its roles, in the order in which they come."""
    found: dict[Architecture, tuple[tuple[str, str], ...]] = {}
    for one in participants:
        roles = (*found.get(one.architecture, ()), *one.roles)
        found[one.architecture] = tuple(dict.fromkeys(roles))
    return tuple(Participant(architecture, roles) for architecture, roles in found.items())
