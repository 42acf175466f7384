"""Checkpoints of workers that do not see the run directory: they go through Ray to the driver's machine and back."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray
from ray.exceptions import RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.checkpoint import TRAINING, WEIGHTS, discard_training
from search.run_directory import LOCK

__all__ = ["CheckpointKeeper", "Workplace", "start_keeper"]

CHECKPOINTS = "checkpoints"
_ID = re.compile(r"[0-9a-f]{4,64}")


class CheckpointKeeper:
    """Reads and writes candidates' files in the run directory, on the machine that has it.

    Args:
        run_dir: The run directory.
    """

    def __init__(self, run_dir: str) -> None:
        self._root = Path(run_dir, CHECKPOINTS)

    def fetch(self, candidate_id: str) -> dict[str, bytes]:
        """Return the files of a candidate by name: its weights, or the state from which its training goes on."""
        folder = self._folder(candidate_id)
        paths = (folder / name for name in (WEIGHTS, TRAINING))
        return {path.name: path.read_bytes() for path in paths if path.is_file()}

    def store(self, candidate_id: str, files: Mapping[str, bytes]) -> None:
        """Write files of a candidate, each atomically; weights replace the training state."""
        folder = self._folder(candidate_id)
        folder.mkdir(parents=True, exist_ok=True)
        for name in (WEIGHTS, TRAINING):
            if name in files:
                temporary = folder / f"{name}.tmp"
                temporary.write_bytes(files[name])
                temporary.replace(folder / name)
        if WEIGHTS in files:
            discard_training(folder)

    def _folder(self, candidate_id: str) -> Path:
        if _ID.fullmatch(candidate_id) is None:
            raise ValueError(f"a candidate's id is a hexadecimal number; got {candidate_id!r}")
        return self._root / candidate_id


def start_keeper(run_dir: Path) -> tuple[Any, dict[str, str]]:
    """Start the keeper on this machine; return its handle, and what a worker's job says of it.

    It lives as long as the handle.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    name = f"fusion-nas-keeper-{uuid4()}"
    actor = ray.remote(num_cpus=0)(CheckpointKeeper)
    handle = actor.options(name=name, scheduling_strategy=here).remote(str(run_dir))
    return handle, {"keeper": name, "lock": (run_dir / LOCK).read_text(encoding="utf-8")}


class Workplace:
    """Where a worker keeps the files of its candidates.

    That is the run directory, if this machine has the one that the driver has locked, and else a folder of this
    machine whose files come from and go to the keeper.

    Args:
        job: What all candidates share; its `keeper` is missing where Ray is private to this machine.
    """

    def __init__(self, job: Mapping[str, Any]) -> None:
        run_dir = Path(job["run_dir"])
        self._keeper = job.get("keeper")
        self.shared = self._keeper is None or _text(run_dir / LOCK) == job["lock"]
        self._root = run_dir / CHECKPOINTS if self.shared else Path(tempfile.mkdtemp(prefix="fnas-worker-"))

    def prepare(self, candidate_id: str) -> Path:
        """Return the folder of a candidate, with what is kept of its training so far."""
        folder = self._root / candidate_id
        if not self.shared:
            files: dict[str, bytes] = ray.get(self._actor().fetch.remote(candidate_id))
            for name, content in files.items():
                folder.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
        return folder

    def deliver(self, folder: Path) -> None:
        """Have the files of a candidate kept; what is complete leaves this machine's own folder.

        Raises:
            OSError: The driver's machine cannot write them.
        """
        if self.shared:
            return
        files = {name: (folder / name).read_bytes() for name in (WEIGHTS, TRAINING) if (folder / name).is_file()}
        try:
            ray.get(self._actor().store.remote(folder.name, files))
        except RayTaskError as error:
            if isinstance(error.cause, OSError):
                raise OSError(error.cause.errno, f"on the driver's machine: {error.cause.strerror}") from None
            raise
        if WEIGHTS in files:
            shutil.rmtree(folder)

    def _actor(self) -> Any:
        return ray.get_actor(str(self._keeper))


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None
