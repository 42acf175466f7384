"""What a trained network passes on to those that begin with its weights: one file, read by every worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from search.training.loop import Session
from search.training.packed import packed, unpacked
from spaces import Architecture, SearchSpace
from spaces.inheriting import Heir, build_heir
from spaces.supernet import heir_of_path
from spaces.tied import distinct

__all__ = ["Inheritance", "pass_on_momentum", "read_inheritance", "written_inheritance"]


@dataclass(frozen=True)
class Inheritance:
    """A trained network.

    Args:
        architecture: Its architecture.
        weights: Its parameters and buffers by name.
        momentum: The momentum of SGD by name of the parameter; empty where it belongs to other weights.
        paths: Whether it is a supernet, in which every architecture of its space has a path of its own.
    """

    architecture: Architecture
    weights: Mapping[str, Tensor]
    momentum: Mapping[str, Tensor]
    paths: bool = False

    def heir(self, space: SearchSpace, architecture: Architecture) -> Heir:
        """Construct the network of an architecture as it begins with these weights: its own path's, or the parent's.

        Raises:
            SpecError: The architecture belongs to another host network.
        """
        if self.paths:
            return heir_of_path(space, architecture, self.weights)
        return build_heir(space, architecture, self.architecture, self.weights)


def written_inheritance(
    architecture: Architecture, weights: Mapping[str, Tensor], session: Session | None, *, paths: bool = False
) -> bytes:
    """Return what is kept of a trained network.

    Args:
        architecture: Its architecture.
        weights: Its parameters and buffers by name.
        session: Its training, where that ended with these weights.
        paths: Whether it is a supernet.
    """
    momentum = {} if session is None else _momentum(session)
    return packed(
        {"architecture": architecture.to_json(), "weights": dict(weights), "momentum": momentum, "paths": paths}
    )


def read_inheritance(written: bytes) -> Inheritance:
    """Return what `written_inheritance` wrote.

    Raises:
        DamagedStateError: It is not what was written.
    """
    content = unpacked(written)
    architecture = Architecture.from_json(content["architecture"])
    return Inheritance(architecture, content["weights"], content["momentum"], content["paths"])


def pass_on_momentum(session: Session, heir: Heir, momentum: Mapping[str, Tensor]) -> None:
    """Let an optimiser go on with the momentum of the parameters that its network has inherited; others have none."""
    if not momentum:
        return
    for name, parameter in session.model.named_parameters():
        if not parameter.requires_grad:
            continue
        known = momentum.get(name) if name in heir.inherited else None
        # The fused step reads memory in the parameter's order.
        buffer = torch.zeros_like(parameter, requires_grad=False)
        if known is not None:
            buffer.copy_(known)
        session.optimizer.state[parameter] = {"momentum_buffer": buffer}


def _momentum(session: Session) -> dict[str, Tensor]:
    found = {}
    for name, parameter in session.model.named_parameters():
        buffer = session.optimizer.state.get(parameter, {}).get("momentum_buffer")
        if buffer is not None:
            found[name] = buffer.detach().cpu()
    return distinct(found)
