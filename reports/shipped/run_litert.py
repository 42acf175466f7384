"""Runs model.tflite with LiteRT: `run = load("model.tflite"); outputs = run(images)`.

It takes batches of the size that the file was written for: one image, unless another was asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

FILE = "model.tflite"
NEEDS = ("ai_edge_litert",)


def load(path: str | Path, threads: int | None = None) -> Callable[..., list[NDArray[Any]]]:
    """Return a function of one array for each input of the network, which returns one for each output.

    Args:
        path: The file.
        threads: CPU threads; `None` takes all cores.
    """
    interpreter = Interpreter(str(path), num_threads=threads or os.cpu_count())
    # By its signature, because the interpreter's own lists may be in another order.
    program = interpreter.get_signature_runner()
    names = sorted(program.get_input_details(), key=_place)
    outputs = sorted(program.get_output_details(), key=_place)

    def run(*inputs: NDArray[Any]) -> list[NDArray[Any]]:
        for name, given in zip(names, inputs, strict=True):
            expected = tuple(program.get_input_details()[name]["shape"])
            if given.shape != expected:
                raise ValueError(f"{path} takes {expected}; got {given.shape}.")
        found = program(**dict(zip(names, inputs, strict=True)))
        return [found[name] for name in outputs]

    return run


def _place(name: str) -> int:
    """Return the place of `args_0` or `output_0`."""
    return int(name.rpartition("_")[2])
