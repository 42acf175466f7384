"""Files of candidates for workers that do not see the run directory: they go through Ray to the driver's machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray
from ray.exceptions import RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.study.run_directory import CHECKPOINTS, LOCK
from search.training.files import FolderFiles, Identified

__all__ = ["KeptFiles", "start_keeper"]


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """Files of candidates in the driver's run directory, through the keeper where this machine does not see it.

    Args:
        run_dir: The run directory.
        lock: Content of its lock file, so that an equal path on another machine does not pass for it.
        keeper: Name of the actor that reads and writes on the driver's machine.
    """

    run_dir: Path
    lock: str
    keeper: str

    def read(self, candidate: Identified, name: str) -> bytes | None:
        """Return what a file holds, or `None` where there is none."""
        content: bytes | None = self._do("read", candidate, name)
        return content

    def write(self, candidate: Identified, name: str, content: bytes) -> None:
        """Write a file whole or not at all.

        Raises:
            OSError: It cannot be written; `filename` is its path on the driver's machine.
        """
        self._do("write", candidate, name, content)

    def remove(self, candidate: Identified, name: str) -> None:
        """Remove a file, if it is there."""
        self._do("remove", candidate, name)

    def _do(self, method: str, *arguments: object) -> Any:
        if _text(self.run_dir / LOCK) == self.lock:
            return getattr(FolderFiles(self.run_dir / CHECKPOINTS), method)(*arguments)
        try:
            return ray.get(getattr(ray.get_actor(self.keeper), method).remote(*arguments))
        except RayTaskError as error:
            if isinstance(error.cause, OSError):
                raise error.cause from None
            raise


def start_keeper(run_dir: Path) -> tuple[Any, KeptFiles]:
    """Start the keeper on this machine, which lives as long as the handle that is returned; return its files, too.

    It knows nothing that the folder does not hold, and each of its calls can be made twice. So where its process is
    lost, another one takes its place, and does again what was asked meanwhile.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    name = f"fusion-nas-keeper-{uuid4()}"
    actor = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(FolderFiles)
    handle = actor.options(name=name, scheduling_strategy=here).remote(run_dir / CHECKPOINTS)
    return handle, KeptFiles(run_dir, (run_dir / LOCK).read_text(encoding="utf-8"), name)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None
