"""ncnn: `model.ncnn.param`, weights in `model.ncnn.bin`; by pnnx."""

from __future__ import annotations

import copy
import subprocess
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import fusion_ops
from fusion_ops.errors import RunError
from reports.runtimes.program import example
from reports.runtimes.runtime import RUNTIMES, Runtime
from reports.scratch import scratch_folder
from spaces.tracing.outputs import tensors_in

__all__ = ["Ncnn"]

SHIPPED = Path(__file__).parents[1] / "shipped"


class Ncnn(Runtime):
    """ncnn on the CPU, in full precision; its own default is half.

    It knows no batches: a file takes one image at a time. ncnn compares no sizes; they stand in the file, and the
    runner compares them.
    """

    title = "ncnn"
    format = "ncnn"
    file = "model.ncnn.param"
    further_files = ("model.ncnn.bin",)
    extra = "ncnn"
    converters = ("pnnx",)
    packages = ("ncnn",)
    verified = "1.0.20261020"
    runner = str(SHIPPED / "run_ncnn.py")
    batches = False
    largest_batch = 1

    def convert(self, network: nn.Module, inputs: Sequence[Tensor], path: Path, *, batch: int | None = None) -> None:
        """Write an ncnn model for single images.

        Raises:
            RunError: `batch` is not 1, or pnnx has no layer for an operation.
        """
        if batch not in (None, 1):
            raise RunError(f"ncnn takes one image at a time; got a batch of {batch}. Use a batch size of 1.")
        given = example(inputs, 1)
        with scratch_folder() as folder:
            traced = folder / "traced.pt"
            _traced(network, given).save(traced)
            _pnnx(traced, given, path)
        path.write_text(_with_sizes(_known(path.read_text()), given))


def _traced(network: nn.Module, given: tuple[Tensor, ...]) -> Any:
    with torch.no_grad(), fusion_ops.plain_spelling():
        return torch.jit.trace(_Tensors(copy.deepcopy(network)).eval(), given, check_trace=False)  # type: ignore[no-untyped-call]


class _Tensors(nn.Module):
    """Returns the tensors of a network without names, which a trace cannot return."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(tensors_in(self.network(*inputs)).values())


def _pnnx(traced: Path, given: Sequence[Tensor], path: Path) -> None:
    """Let pnnx translate a trace.

    Raises:
        RunError: It failed.
    """
    shapes = ",".join(f"[{','.join(map(str, tensor.shape))}]f32" for tensor in given)
    files = {"ncnnparam": path.resolve(), "ncnnbin": path.resolve().with_suffix(".bin"), "ncnnpy": "ncnn.py"}
    files |= {"pnnxparam": "pnnx.param", "pnnxbin": "pnnx.bin", "pnnxpy": "pnnx.py", "pnnxonnx": "pnnx.onnx"}
    command = [import_module("pnnx").EXEC_PATH, str(traced), f"inputshape={shapes}", "fp16=0"]
    command += [f"{key}={value}" for key, value in files.items()]
    done = subprocess.run(command, cwd=traced.parent, capture_output=True, text=True)
    if done.returncode or not path.is_file():
        raise RunError(f"pnnx failed with exit code {done.returncode}: {' '.join(done.stderr.split())[-300:]}")


def _known(param: str) -> str:
    """Return a model whose layers ncnn has; those of pnnx that it lacks are named as PyTorch's operations.

    Raises:
        RunError: It has one that ncnn lacks; ncnn would not load it.
    """
    unknown = sorted({line.split()[0] for line in param.splitlines()[2:] if "." in line.split()[0]})
    if unknown:
        raise RunError(f"ncnn has no layer for {', '.join(unknown)}; export this network in another format.")
    return param


def _with_sizes(param: str, given: Sequence[Tensor]) -> str:
    """Return a model with the sizes of its inputs: 0 is the width, 1 the height, 2 the channels."""
    lines = []
    for line in param.splitlines():
        if line.split()[:1] == ["Input"]:
            words = line.split()[:5]
            shape = given[int(words[4].removeprefix("in"))].shape[1:]
            line = " ".join([*words, *(f"{place}={size}" for place, size in enumerate(reversed(shape)))])
        lines.append(line)
    return "\n".join(lines) + "\n"


RUNTIMES.register("ncnn")(Ncnn())
