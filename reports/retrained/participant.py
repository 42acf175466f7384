"""Who takes part in a retraining, and as what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from spaces import Architecture, Configuration, configuration_id

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
        hyperparameters: What was searched beside its choices, by key: it is trained with these.
    """

    architecture: Architecture
    roles: tuple[tuple[str, str], ...]
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Id of its architecture and hyperparameters."""
        return configuration_id(self.architecture, self.hyperparameters)

    @property
    def configuration(self) -> Configuration:
        """Its architecture and hyperparameters, as a value."""
        return Configuration(self.architecture, tuple(self.hyperparameters.items()))

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
        found = {"id": self.id, "role": self.role, "roles": roles, "architecture": self.architecture.to_json()}
        return found | ({"hyperparameters": dict(self.hyperparameters)} if self.hyperparameters else {})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Participant:
        """Return the participant that `to_dict` described."""
        roles = tuple((str(entry["role"]), str(entry.get("of", ""))) for entry in values["roles"])
        return cls(Architecture.from_json(values["architecture"]), roles, dict(values.get("hyperparameters", {})))


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
    """Return every network with its hyperparameters once, with all of its roles, in the order in which they come."""
    found: dict[str, Participant] = {}
    for one in participants:
        known = found.get(one.id)
        roles = (*known.roles, *one.roles) if known else one.roles
        found[one.id] = replace(known or one, roles=tuple(dict.fromkeys(roles)))
    return tuple(found.values())
