"""Ray as workers need it, imported before they begin: what is copied has drawn no random number of Ray's.

Ray's library seeds its generator with the first draw, and copies of a process that has drawn all go on alike: two
workers give their objects one name, and Ray ends one of them (`findings/ray-copies-draw-alike.sh`, Ray 2.60.0).
Importing Ray draws nothing, but for the ids of the classes of actors that its modules define.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import ray.actor
from ray._raylet import ActorClassID

__all__ = ["import_for_workers"]

MODULES = ("ray.tune", "ray._private.workers.default_worker", "search.cluster.worker")


class _FromTheSystem:
    """Draws the ids of actors' classes without Ray's generator."""

    @staticmethod
    def from_random() -> ActorClassID:
        return ActorClassID(os.urandom(ActorClassID.size()))


def import_for_workers() -> None:
    """Import what workers need.

    Raises:
        ImportError: Copies of this process would draw alike.
    """
    actor: Any = ray.actor
    actor.ActorClassID = _FromTheSystem
    try:
        for name in MODULES:
            import_module(name)
    finally:
        actor.ActorClassID = ActorClassID
    if len({_drawn_by_a_copy() for _ in range(2)}) < 2:
        raise ImportError("copies of this process draw alike")


def _drawn_by_a_copy() -> bytes:
    """Return a random id that a copy of this process has drawn."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            os.write(writing, ray.ObjectRef.from_random().binary())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        return file.read()
