"""TensorBoard event files of a run: a folder a candidate, with its curves, its costs and its choices."""

from __future__ import annotations

import math
import shutil
import socket
import time
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fusion_ops.errors import ConfigError
from reports.candidate import TERMINAL, Candidate

__all__ = ["TensorBoardFiles", "require_tensorboard"]

FOLDER = "tensorboard"
_VERSION = "brain.Event:2"


def require_tensorboard() -> None:
    """Raise `ConfigError` unless TensorBoard is installed."""
    if find_spec("tensorboard") is None:
        raise ConfigError("`--tensorboard` needs a package that is not installed: pip install fusion-nas[tensorboard].")


class TensorBoardFiles:
    """Writes what TensorBoard reads: `tensorboard/NUMBER-ID/events.out.tfevents…` in the run directory.

    Scalars `validation/MEASURE` by epoch, `cost/params`, `cost/flops` and what was measured; in the HParams tab
    the choice at each fusion point.

    Args:
        run_dir: The run directory.
        candidates: Those that there are already; their files are written anew.
    """

    def __init__(self, run_dir: Path, candidates: Iterable[Candidate] = ()) -> None:
        self._folder = run_dir / FOLDER
        self._files: dict[int, Path] = {}
        self._epochs: dict[int, int] = {}
        for candidate in candidates:
            self.update("finished" if candidate.state in TERMINAL else "progress", candidate)

    def update(self, event: str, candidate: Candidate) -> None:
        """Append what is new of a candidate; what was never trained has no file."""
        done = self._epochs.get(candidate.number, 0)
        fresh = candidate.curve[done:]
        if candidate.state == "duplicate" or not (fresh or (event == "finished" and done)):
            return
        records = [self._scalars(epoch, measures) for epoch, measures in enumerate(fresh, done + 1)]
        if event == "finished":
            records.append(self._scalars(candidate.epochs, _costs(candidate), "cost"))
        self._append(candidate, records)
        self._epochs[candidate.number] = candidate.epochs

    def _append(self, candidate: Candidate, records: Iterable[Any]) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        path = self._files.get(candidate.number) or self._begin(candidate)
        with path.open("ab") as file:
            writer = RecordWriter(file)
            for record in records:
                writer.write(record.SerializeToString())
            writer.flush()

    def _begin(self, candidate: Candidate) -> Path:
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        folder = self._folder / f"{candidate.number:04d}-{candidate.id}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        path = folder / f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}"
        self._files[candidate.number] = path
        choices = {name: str(choice) for name, choice in candidate.architecture.choices}
        start = hparams_pb(choices | {"kind": candidate.kind}, trial_id=candidate.id)
        self._append(candidate, [_event(file_version=_VERSION), _event(summary=start)])
        return path

    @staticmethod
    def _scalars(step: int, measures: Mapping[str, float], group: str = "validation") -> Any:
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=f"{group}/{name}", simple_value=value) for name, value in measures.items()]
        return _event(step=step, summary=Summary(value=values))


def _costs(candidate: Candidate) -> dict[str, float]:
    costs = {"params": float(candidate.params), "flops": float(candidate.flops), **candidate.measured}
    return {name: value for name, value in costs.items() if math.isfinite(value)}


def _event(**fields: Any) -> Any:
    from tensorboard.compat.proto.event_pb2 import Event

    return Event(wall_time=time.time(), **fields)
