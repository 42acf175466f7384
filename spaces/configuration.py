"""What a candidate is: an architecture, and the hyperparameters that it is trained with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spaces.architecture import Architecture, frozen
from spaces.hyperparameter import HOST

__all__ = ["Configuration", "configuration_id"]


def configuration_id(architecture: Architecture, hyperparameters: Mapping[str, Any]) -> str:
    """Return ten hexadecimal digits that tell an architecture and its hyperparameters from any others.

    It is the SHA-256 of their canonical JSON; that of the architecture alone where it has no hyperparameters of
    training. Those of the host network are settings of the architecture already.
    """
    trained = {name: frozen(value) for name, value in hyperparameters.items() if not name.startswith(HOST)}
    if not trained:
        return architecture.id
    text = architecture.to_json() + json.dumps(trained, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


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

    def __getitem__(self, name: str) -> Any:
        return dict(self.hyperparameters)[name]
