"""What is used of Ray beyond its public interface: each use, and why, stands here."""

from __future__ import annotations

from typing import Any

import ray

__all__ = ["kill_workers"]


def kill_workers(tune_controller: Any) -> None:
    """End all workers of a Tune run at once; what they have trained since their last rung is lost.

    Tune itself would wait for the end of their rungs, up to ten seconds, and then do the same.
    """
    for actor, _ in list(tune_controller._actor_manager._live_actors_to_ray_actors_resources.values()):
        ray.kill(actor)
