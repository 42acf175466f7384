"""The export's JSON files: what the network is, what was measured, where it comes from."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from fusion_ops import Cost
from fusion_ops.errors import RunError
from reports.candidates.hyperparameters import kept
from reports.exporting.formats import Written
from reports.exporting.int8_record import WrittenInt8
from reports.exporting.retrained import OverSeeds, Retrainings, retrainings_of
from reports.exporting.simplify import Simplification, Timed
from reports.measures import MEASURES
from reports.run.run import CONFIG, RunRecord
from reports.runtimes.folding import Folded
from reports.runtimes.runtime import installed_version
from spaces import Architecture, SearchSpace, from_ref

__all__ = ["Selection", "config", "metrics", "provenance", "select"]

SCHEMA_VERSION = 1
FLOPS_UNIT = "2 × multiply-adds, one input"
TESTED = "measured once after training; the test set chose neither this network nor its weights"
UNTESTED = "the test set is kept for the retraining of finalists; this network was chosen on the validation set alone"
RECOMPUTED = "before the network was simplified; `recomputed`: after"
UNTIMED = "not measured since the network was simplified"
HARDWARE = ("cpu", "cpus", "gpus")
WANTED = ("classes", "input_shape", "mean", "std")


@dataclass(frozen=True, slots=True)
class Selection:
    """What is exported.

    Args:
        run: The run that it comes from.
        row: Row of the candidates table of the training whose weights are exported.
        architecture: Its architecture.
        space: The space of that.
        cost: Its exact cost.
        weights: The weights.
        retrained: The retrainings that they are the best of; `None` where they are the search's.
        simplification: What was replaced in it after the search, if that was asked for.
        folded: Which batch normalisations are folded in the formats, if that was asked for.
        formats: The formats that were written.
    """

    run: RunRecord
    row: Mapping[str, Any]
    architecture: Architecture
    space: SearchSpace
    cost: Cost
    weights: Path
    retrained: Retrainings | None
    simplification: Simplification | None = None
    folded: Folded | None = None
    formats: tuple[Written, ...] = ()
    int8: tuple[WrittenInt8, ...] = ()

    @property
    def candidate(self) -> str:
        """Id of the candidate, whose architecture may have been simplified since."""
        return str(self.row["id"])

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """What was searched beside its operators, by key: it was trained with these; empty where nothing was."""
        return kept(self.row, self.run.hyperparameters)

    @property
    def is_simpler(self) -> bool:
        """Whether something was replaced in it after the training."""
        return self.simplification is not None and bool(self.simplification.replaced)

    @property
    def timed(self) -> Timed | None:
        """Its latency since it was simplified, where that was measured."""
        return None if self.simplification is None else self.simplification.timed

    @property
    def data(self) -> Mapping[str, Any]:
        """What the run says of its data set."""
        return self.run.dataset

    @property
    def quality(self) -> float:
        """The quality of its best validation epoch, by which it was chosen."""
        return float(self.row[self.run.quality.column])


def select(run: RunRecord, row: Mapping[str, Any]) -> Selection:
    """Return what a row of the candidates table stands for: the best retraining of its architecture, else itself.

    Raises:
        SpecError: Its architecture is damaged, or its space or an operator is not registered here.
        RunError: The run does not say enough about its data.
    """
    missing = [key for key in WANTED if not isinstance(run.dataset.get(key), list)]
    if missing:
        raise RunError(f"{run.path / CONFIG} does not say `resolved.dataset.{missing[0]}`, which an export needs.")
    architecture = Architecture.from_json(row["architecture"])
    space = from_ref(architecture.space)
    retrained = retrainings_of(run, str(row["id"]))
    weights = run.checkpoint(str(row["id"])) if retrained is None else retrained.weights
    best = row if retrained is None else retrained.best
    return Selection(run, best, architecture, space, space.cost(architecture), weights, retrained)


def config(selection: Selection) -> dict[str, Any]:
    """Return `config.json`: what the network is, takes and gives."""
    data = selection.data
    return {
        "schema_version": SCHEMA_VERSION,
        "candidate": selection.candidate,
        "architecture": selection.architecture.to_dict(),
        **_hyperparameters(selection),
        "task": data.get("task", "classification"),
        "input_shape": list(data["input_shape"]),
        "preprocessing": {"scale": 1 / 255, "mean": list(data["mean"]), "std": list(data["std"])},
        **({"postprocessing": data["targets"]} if "targets" in data else {}),
        "classes": list(data["classes"]),
        "own_modules": list(selection.space.host.own_modules),
        "formats": {written.file: written.to_dict() for written in selection.formats}
        | {written.file: written.about() for written in selection.int8},
        "folded": None if selection.folded is None else selection.folded.to_dict(),
    }


def metrics(selection: Selection, recomputed: Mapping[str, float] | None) -> dict[str, Any]:
    """Return `metrics.json`: what was measured, on which split, in which unit.

    Args:
        selection: What is exported.
        recomputed: The validation measures of the exported files, loaded again.
    """
    row, data = selection.row, selection.data
    validation: dict[str, Any] = {
        name: _number(row.get(measure.column)) for name, measure in _qualities() if measure.column in row
    }
    validation |= {"n": data.get("validation"), "seed": int(row["seed"]), "seeds": 1, "epochs": int(row["epochs"])}
    retrained = selection.retrained
    if retrained is not None:
        validation |= _over_seeds(retrained.seeds, retrained.validation())
    validation["recomputed"] = None if recomputed is None else {key: float(value) for key, value in recomputed.items()}
    return {
        "schema_version": SCHEMA_VERSION,
        "validation": validation,
        **({"validation_note": RECOMPUTED} if selection.is_simpler else {}),
        "recipe": None if retrained is None else retrained.recipe,
        "test": None if retrained is None else _test(selection, retrained),
        "test_note": UNTESTED if retrained is None else TESTED + _before(selection),
        "params": selection.cost.params,
        "flops": {"value": selection.cost.flops, "unit": FLOPS_UNIT},
        "latency": _latency(selection),
        "formats": {written.file: {"difference": written.difference} for written in selection.formats},
        **({"int8": {written.file: written.measured() for written in selection.int8}} if selection.int8 else {}),
        **_latencies(selection),
        **({"latency_note": UNTIMED} if selection.is_simpler and selection.timed is None else {}),
    } | ({"simplified": selection.simplification.to_dict()} if selection.simplification else {})


def provenance(selection: Selection, folder: Path) -> dict[str, Any]:
    """Return `provenance.json`: where the export comes from, and the SHA-256 of the files in its folder."""
    row, run = selection.row, selection.run
    return {
        "schema_version": SCHEMA_VERSION,
        "candidate": selection.candidate,
        "number": int(row["number"]),
        "kind": row["kind"],
        "seed": int(row["seed"]),
        "recipe": None if selection.retrained is None else selection.retrained.recipe,
        **_hyperparameters(selection),
        "run": run.name,
        "config_sha256": _sha256(run.path / CONFIG),
        "checkpoint_sha256": _sha256(selection.weights),
        "trained_with": dict(run.environment),
        "exported_with": {"fusion_nas": own_version(), "torch": torch.__version__} | dict(_versions(selection)),
        "exported": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {
            path.relative_to(folder).as_posix(): _sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()
        },
    }


def own_version() -> str:
    """Return the version of fusion-nas."""
    try:
        return version("fusion-nas")
    except PackageNotFoundError:
        return "unknown"


def _hyperparameters(selection: Selection) -> dict[str, Any]:
    found = selection.hyperparameters
    return {"hyperparameters": found} if found else {}


def _versions(selection: Selection) -> Iterator[tuple[str, str | None]]:
    """Yield the versions of what wrote and ran the formats."""
    runtimes = (*(one.format.runtime for one in selection.formats), *(one.runtime for one in selection.int8))
    for runtime in runtimes:
        for name in (*runtime.converters, *runtime.packages):
            if name != "torch":
                yield name, installed_version(name)


def _test(selection: Selection, retrained: Retrainings) -> dict[str, Any]:
    images, seed = selection.data.get("test"), int(retrained.best["seed"])
    return retrained.best_test() | {"n": images, "seed": seed} | _over_seeds(retrained.seeds, retrained.test())


def _before(selection: Selection) -> str:
    return "; before the network was simplified" if selection.is_simpler else ""


def _over_seeds(seeds: int, measures: Mapping[str, OverSeeds]) -> dict[str, Any]:
    over = {name: {"mean": one.mean, "standard_deviation": one.deviation} for name, one in measures.items()}
    return {"seeds": seeds, "over_seeds": over}


def _qualities() -> Iterable[tuple[str, Any]]:
    return ((name, MEASURES[name]) for name in MEASURES if MEASURES[name].quality)


def _latency(selection: Selection) -> dict[str, Any] | None:
    """Return the latency of what is exported: a network that was simplified is another one than was timed before."""
    if selection.is_simpler:
        timed = selection.timed
        if timed is None:
            return None
        return {"value": timed.after, "unit": "ms", "before": timed.before, **timed.protocol}
    value = _number(selection.row.get(MEASURES["latency"].column))
    if value is None:
        return None
    return {"value": value, "unit": "ms", "hardware": {key: selection.run.environment.get(key) for key in HARDWARE}}


def _latencies(selection: Selection) -> dict[str, Any]:
    """Return the latencies of what is exported in other runtimes, by measure: `latency@openvino`."""
    if selection.is_simpler:
        return {}
    row, hardware = selection.row, {key: selection.run.environment.get(key) for key in HARDWARE}
    placed = (measure for measure in selection.run.measures if measure.base == "latency" and measure.place)
    values = {measure.name: _number(row.get(measure.column)) for measure in placed}
    return {
        name: {"value": value, "unit": "ms", "hardware": hardware}
        for name, value in values.items()
        if value is not None
    }


def _number(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
