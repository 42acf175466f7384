"""Search spaces: fusion points, architectures, and the networks around them.

Every module of this package that registers a host network is imported here, so adding a space is adding
a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from fusion_ops.errors import SpecError, nearest
from spaces.architecture import Architecture, SpaceRef
from spaces.configuration import Configuration, configuration_id
from spaces.host import HOSTS, HostNetwork
from spaces.hyperparameter import Hyperparameter, Range, Values
from spaces.joint import JointSpace
from spaces.point import FusionPoint
from spaces.space import SearchSpace

__all__ = [
    "Architecture",
    "Configuration",
    "FusionPoint",
    "HostNetwork",
    "Hyperparameter",
    "JointSpace",
    "Range",
    "SearchSpace",
    "SpaceRef",
    "Values",
    "configuration_id",
    "create",
    "from_ref",
    "names",
    "register",
    "trace",
]

register = HOSTS.register
_CHOICES = ("ops", "reductions", "tie", "resamplers", "standing")


def names() -> tuple[str, ...]:
    """Return the names of all registered spaces."""
    return HOSTS.names()


def create(name: str, **settings: Any) -> SearchSpace:
    """Return the space `name`, its network verified: a traced one computes what the user's does.

    Args:
        name: Registered name of its host network, for example `resnet`.
        **settings: Settings of the host network, and `ops`, `reductions`, `tie`, `resamplers`, `standing` of
            `SearchSpace`.

    Raises:
        UnknownNameError: No such space.
        SpecError: An unknown setting, or one that has an impossible value; or the network cannot be traced.
    """
    space = _created(name, settings)
    space.verify()
    return space


def from_ref(ref: SpaceRef, **choices: Any) -> SearchSpace:
    """Return the space whose host network `ref` describes, with the choices of `SearchSpace` from `choices`.

    It was verified when it was created.
    """
    return _created(ref.name, {**dict(ref.settings), **choices})


def _created(name: str, settings: Mapping[str, Any]) -> SearchSpace:
    host_class = HOSTS[name]
    known = [field.name for field in fields(host_class) if field.init]  # type: ignore[arg-type]
    for key in settings:
        if key not in (*known, *_CHOICES):
            hint = nearest(key, (*known, *_CHOICES))
            raise SpecError(f"space `{name}` has no setting `{key}`{hint}; known: {', '.join((*known, *_CHOICES))}.")
    choices = {key: settings[key] for key in _CHOICES if key in settings}
    host = host_class(**{key: value for key, value in settings.items() if key in known})
    return SearchSpace(name, host, **choices)


for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

from spaces.traced import trace  # noqa: E402 - after all, so that spaces register in one known order
