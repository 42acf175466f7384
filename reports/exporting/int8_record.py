"""An int8 file of an export: what was quantized, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports.runtimes.runtime import Runtime

__all__ = ["WrittenInt8"]


@dataclass(frozen=True, slots=True)
class WrittenInt8:
    """A file of eight bits.

    Args:
        runtime: What runs it.
        file: Its name.
        further_files: Names of what belongs to it.
        runner: Name of the file that runs it.
        sample: Name of the file that holds what it gave for the sample.
        error: By how much its outputs for the sample differ from the network's, relative to the largest where that is
            beyond ±1.
        limit: By how much `verify.py` lets it differ from what it gave.
        images: Images that its ranges were calibrated on.
        quantized: What was quantized and what was left, as `Runtime.quantize` returns it.
        validation: Its measures on the validation images, by name; `None` where they were not measured.
    """

    runtime: Runtime
    file: str
    further_files: tuple[str, ...]
    runner: str
    sample: str
    error: float
    limit: float
    images: int
    quantized: Mapping[str, Any]
    validation: Mapping[str, float] | None

    @property
    def files(self) -> tuple[str, ...]:
        """Names of all its files."""
        return (self.file, *self.further_files, self.runner, self.sample)

    def about(self) -> dict[str, Any]:
        """Return what `config.json` says of it among the formats, by which `verify.py` goes."""
        return {
            "runtime": self.runtime.title,
            "version": self.runtime.version,
            "runner": self.runner,
            "batches": self.runtime.batches,
            "precision": "int8",
            "sample": self.sample,
            "limit": self.limit,
        }

    def measured(self) -> dict[str, Any]:
        """Return what `metrics.json` says of it: measures by name, such as `accuracy@int8`."""
        validation = None if self.validation is None else {f"{name}@int8": one for name, one in self.validation.items()}
        return {
            "difference": self.error,
            "calibration_images": self.images,
            "validation": validation,
            "quantized": dict(self.quantized),
        }
