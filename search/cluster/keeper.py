"""Files of candidates for workers that do not see the run directory: they go through Ray to the driver's machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import ray
from ray.exceptions import RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.study.run_directory import CHECKPOINTS, LOCK
from search.training.files import CandidateFiles, FolderFiles, Identified
from search.training.job import Job, Keeper

__all__ = ["KeptFiles", "files_of", "start_keeper"]


class KeptFiles:
    """Files of candidates in the run directory of another machine.

    Args:
        keeper: Name of the actor that reads and writes them there.
    """

    def __init__(self, keeper: str) -> None:
        self._keeper = keeper

    def read(self, candidate: Identified, name: str) -> bytes | None:
        """Return what a file holds, or `None` where there is none."""
        content: bytes | None = self._ask("read", candidate, name)
        return content

    def write(self, candidate: Identified, name: str, content: bytes) -> None:
        """Write a file whole or not at all.

        Raises:
            OSError: It cannot be written; `filename` is its path on the driver's machine.
        """
        self._ask("write", candidate, name, content)

    def remove(self, candidate: Identified, name: str) -> None:
        """Remove a file, if it is there."""
        self._ask("remove", candidate, name)

    def _ask(self, method: str, *arguments: object) -> Any:
        try:
            return ray.get(getattr(ray.get_actor(self._keeper), method).remote(*arguments))
        except RayTaskError as error:
            if isinstance(error.cause, OSError):
                raise error.cause from None
            raise


def start_keeper(run_dir: Path) -> tuple[Any, Keeper]:
    """Start the keeper on this machine; return its handle, and what a worker's job says of it.

    It lives as long as the handle.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    name = f"fusion-nas-keeper-{uuid4()}"
    actor = ray.remote(num_cpus=0)(FolderFiles)
    handle = actor.options(name=name, scheduling_strategy=here).remote(run_dir / CHECKPOINTS)
    return handle, Keeper(name, (run_dir / LOCK).read_text(encoding="utf-8"))


def files_of(job: Job) -> CandidateFiles:
    """Return where this process keeps the files of candidates.

    That is the run directory, if this machine has the one that the driver has locked, and else the keeper.
    """
    keeper = job.keeper
    if keeper is None or _text(job.run_dir / LOCK) == keeper.lock:
        return FolderFiles(job.run_dir / CHECKPOINTS)
    return KeptFiles(keeper.name)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None
