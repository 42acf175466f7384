"""TensorBoard event files of a run: a folder a candidate, with its curves, its costs and its choices."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fusion_ops.errors import ConfigError
from reports.candidates.candidate import TERMINAL, Candidate
from reports.candidates.hyperparameters import written

__all__ = ["TensorBoardFiles", "require_tensorboard"]

FOLDER = "tensorboard"


def require_tensorboard() -> None:
    """Raise `ConfigError` unless TensorBoard is installed."""
    if find_spec("tensorboard") is None:
        raise ConfigError("`--tensorboard` needs a package that is not installed: pip install fusion-nas[tensorboard].")


class TensorBoardFiles:
    """Writes what TensorBoard reads: `tensorboard/NUMBER-ID/events.out.tfevents…` in the run directory.

    Scalars `validation/MEASURE` by epoch, `cost/params`, `cost/flops` and what was measured; in the HParams tab
    the choice at each fusion point, and the hyperparameters that are searched beside.

    Args:
        run_dir: The run directory.
        candidates: Those that there are already; their files are written anew.
    """

    def __init__(self, run_dir: Path, candidates: Iterable[Candidate] = ()) -> None:
        self._folder = run_dir / FOLDER
        self._writers: dict[int, Any] = {}
        self._epochs: dict[int, int] = {}
        for candidate in candidates:
            self.update("finished" if candidate.state in TERMINAL else "progress", candidate)

    def update(self, event: str, candidate: Candidate) -> None:
        """Append what is new of a candidate; what was never trained has no file."""
        done = self._epochs.get(candidate.number, 0)
        fresh = candidate.curve[done:]
        if candidate.state == "duplicate" or not (fresh or (event == "finished" and done)):
            return
        if candidate.number not in self._writers:
            self._writers[candidate.number] = self._begun(candidate)
        writer = self._writers[candidate.number]
        for epoch, measures in enumerate(fresh, done + 1):
            _add(writer, "validation", measures, epoch)
        self._epochs[candidate.number] = candidate.epochs
        if event == "finished":
            _add(writer, "cost", {**candidate.exact, **candidate.measured}, candidate.epochs)
            writer.close()
        else:
            writer.flush()

    def _begun(self, candidate: Candidate) -> Any:
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        folder = self._folder / f"{candidate.number:04d}-{candidate.id}"
        shutil.rmtree(folder, ignore_errors=True)
        writer: Any = SummaryWriter(str(folder))
        choices = {name: str(choice) for name, choice in candidate.architecture.choices}
        searched = {name: written(value) for name, value in candidate.hyperparameters.items()}
        _, start, _ = hparams(choices | searched | {"kind": candidate.kind}, {})  # type: ignore[no-untyped-call]
        writer.file_writer.add_summary(start)
        return writer


def _add(writer: Any, group: str, measures: Mapping[str, float], epoch: int) -> None:
    for name, value in measures.items():
        if math.isfinite(value):
            writer.add_scalar(f"{group}/{name}", value, epoch)
