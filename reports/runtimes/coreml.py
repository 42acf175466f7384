"""Core ML: `model.mlpackage.zip`, which runs on Apple's systems alone."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.export import ExportedProgram

from reports.runtimes.apart import convert_apart
from reports.runtimes.program import exported_program, input_names
from reports.runtimes.runtime import RUNTIMES, Runtime
from reports.scratch import scratch_folder

__all__ = ["CoreMl", "mil_program"]


class CoreMl(Runtime):
    """Core ML: converted anywhere, run on macOS and iOS. To be unzipped there.

    A file takes one image at a time, or another fixed batch where one is asked for: only models of fixed sizes run on
    the Neural Engine. Numbers keep their 32 bits, which the Neural Engine rounds to 16 where it takes over.
    """

    title = "Core ML"
    format = "coreml"
    file = "model.mlpackage.zip"
    extra = "coreml"
    converters = ("coremltools",)
    packages = ("coremltools",)
    verified = "9.0"
    runner = None
    batches = False

    def convert(self, network: nn.Module, inputs: Sequence[Tensor], path: Path, *, batch: int | None = None) -> None:
        """Write an ML program, its package zipped."""
        convert_apart(__name__, exported_program(network, inputs, batch=batch or 1), path)


def write(program: ExportedProgram, path: Path) -> None:
    """Write a program as a zipped package."""
    with scratch_folder() as folder:
        package = folder / "model.mlpackage"
        converted(program).save(str(package))
        packed = shutil.make_archive(str(folder / "packed"), "zip", root_dir=folder, base_dir=package.name)
        shutil.move(packed, path)


def mil_program(program: ExportedProgram) -> Any:
    """Return the operations that a program is converted to, as coremltools has them; what can be checked anywhere."""
    return converted(program)._mil_program


def converted(program: ExportedProgram) -> Any:
    """Return Core ML's form of a program: an `MLModel`."""
    coremltools = import_module("coremltools")
    plain = program.run_decompositions({})
    shapes = [node.meta["val"].shape for node in plain.graph.find_nodes(op="placeholder")][-_inputs(plain) :]
    names = input_names(shapes)
    return coremltools.convert(
        plain,
        inputs=[coremltools.TensorType(name, shape=tuple(shape)) for name, shape in zip(names, shapes, strict=True)],
        compute_precision=coremltools.precision.FLOAT32,
        minimum_deployment_target=coremltools.target.iOS16,
        skip_model_load=True,
    )


def _inputs(program: ExportedProgram) -> int:
    return len(program.graph_signature.user_inputs)


RUNTIMES.register("coreml")(CoreMl())
