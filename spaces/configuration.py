"""What a candidate is: an architecture, and the hyperparameters that it is trained with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spaces.architecture import Architecture, frozen
from spaces.hyperparameter import HOST, label

__all__ = ["Configuration", "configuration_id"]


def configuration_id(architecture: Architecture, hyperparameters: Mapping[str, Any]) -> str:
    """Return ten hexadecimal digits that tell an architecture and its hyperparameters from any others.

    It is the SHA-256 of their canonical JSON, where lists are text, as tables keep them; that of the architecture alone
    where it has no hyperparameters of training. Those of the host network are settings of the architecture already.
    """
    trained = {name: frozen(label(value)) for name, value in hyperparameters.items() if not name.startswith(HOST)}
    if not trained:
        return architecture.id
    text = architecture.to_json() + json.dumps(trained, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True)
class Configuration:
    """An architecture and its hyperparameters, as a value.

    Args:
        architecture: The architecture.
        hyperparameters: `(key, value)`, in the order of the search space; those of the host network, too.
    """

    architecture: Architecture
    hyperparameters: tuple[tuple[str, Any], ...] = ()

    @property
    def id(self) -> str:
        """Ten hexadecimal digits, the architecture's own where there are no hyperparameters of training."""
        return configuration_id(self.architecture, dict(self.hyperparameters))

    def values(self) -> dict[str, Any]:
        """Return the hyperparameters by key, ready for JSON: lists as lists."""
        return {name: _listed(value) for name, value in self.hyperparameters}

    def __getitem__(self, name: str) -> Any:
        return dict(self.hyperparameters)[name]
