"""What an axis of a tensor is, and what becomes of that where axes meet, join and split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

__all__ = [
    "BATCH",
    "CONFLICT",
    "FEATURES",
    "NORM",
    "OTHER",
    "PLANAR",
    "Role",
    "Roles",
    "agreed",
    "confirmed",
    "joined",
    "split",
]

LAYER, NORM, FEATURES = 3, 2, 1


class Role(NamedTuple):
    """What an axis is.

    Attributes:
        what: `batch`; `channels`; `positions`; `part`, one of several into which channels were split; `other`,
            images and their parts together; `conflict`, where the evidence differs.
        weight: How much that is worth: a convolution's word more than a linear layer's.
    """

    what: Literal["batch", "channels", "positions", "part", "other", "conflict"]
    weight: int = LAYER


Roles = tuple[Role | None, ...]
BATCH, POSITIONS, PART, OTHER, CONFLICT = map(Role, ("batch", "positions", "part", "other", "conflict"))  # type: ignore[arg-type]
CHANNELS = Role("channels")
# The axes after the first, of maps that a convolution reads.
PLANAR = {ndim: (CHANNELS, *(POSITIONS,) * (ndim - 2)) for ndim in (3, 4, 5)}


def agreed(roles: Sequence[Role]) -> Role | None:
    """Return what several say of one axis; a linear layer's word does not count against others'."""
    if not roles:
        return None
    heavy = [role for role in roles if role.weight > FEATURES] or list(roles)
    if {role.what for role in roles} == {"channels", "part"}:  # all of one head
        heavy = [role for role in roles if role.what == "channels"]
    return max(heavy, key=lambda role: role.weight) if len({role.what for role in heavy}) == 1 else CONFLICT


def joined(roles: Sequence[Role | None]) -> Role | None:
    """Return the role of an axis into which several go."""
    if len(roles) < 2:
        return roles[0] if roles else None
    what = {role.what if role is not None else None for role in roles}
    if "conflict" in what:
        return CONFLICT
    if what & {"batch", "other"}:
        return OTHER
    if what == {"part"}:
        return Role("channels", FEATURES)
    return POSITIONS if what <= {"positions", "part"} else None


def split(role: Role | None) -> Role | None:
    """Return the role of each of the axes into which one is split."""
    if role is None or role.what == "other":
        return None
    return {"channels": PART, "batch": OTHER}.get(role.what, role)


def confirmed(role: Role | None, stated: Role) -> Role:
    """Return an axis's role where a layer says what it is."""
    if role is None or role.what in ("conflict", "other") or (role.what != stated.what and role.weight == FEATURES):
        return stated
    if role.what == stated.what:
        return max(role, stated, key=lambda r: r.weight)
    if role.what == "part":
        return stated if stated.what == "channels" else role
    return CONFLICT
