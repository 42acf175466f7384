"""Runs model.ncnn.param (weights in model.ncnn.bin) with ncnn: `run = load("model.ncnn.param"); outputs = run(images)`.

It takes one image at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ncnn
import numpy as np
from numpy.typing import NDArray

FILE = "model.ncnn.param"
NEEDS = ("ncnn",)


def load(path: str | Path, threads: int | None = None) -> Callable[..., list[NDArray[Any]]]:
    """Return a function of one array for each input of the network, which returns one for each output.

    Args:
        path: The file.
        threads: CPU threads; `None` takes all cores.
    """
    network = ncnn.Net()
    network.opt.num_threads = threads or os.cpu_count() or 1
    for half in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(network.opt, half, False)
    failed = network.load_param(str(path)) or network.load_model(str(Path(path).with_suffix(".bin")))
    if failed:
        raise ValueError(f"ncnn cannot load {path}.")
    sizes = _sizes(Path(path))
    # ncnn lists them in the order in which they stand in the file; pnnx has numbered them.
    names = [f"in{place}" for place in range(len(network.input_names()))]
    outputs = [f"out{place}" for place in range(len(network.output_names()))]

    def run(*inputs: NDArray[Any]) -> list[NDArray[Any]]:
        # ncnn itself compares no sizes.
        for given, size in zip(inputs, sizes, strict=True):
            if given.shape != (1, *size):
                raise ValueError(f"{path} takes {(1, *size)}; got {given.shape}.")
        with network.create_extractor() as extractor:
            kept = [ncnn.Mat(np.ascontiguousarray(given[0], dtype=np.float32)).clone() for given in inputs]
            for name, given in zip(names, kept, strict=True):
                extractor.input(name, given)
            return [_extracted(extractor, name) for name in outputs]

    return run


def _extracted(extractor: Any, name: str) -> NDArray[Any]:
    failed, output = extractor.extract(name)
    if failed:
        raise ValueError(f"ncnn could not calculate {name}.")
    return np.array(output)[None]


def _sizes(path: Path) -> list[tuple[int, ...]]:
    """Return the sizes of the inputs, without the batch, as they stand in the file."""
    lines = [line.split() for line in path.read_text().splitlines()]
    by_name = {line[4]: line[5:] for line in lines if line[:1] == ["Input"]}
    inputs = [by_name[f"in{place}"] for place in range(len(by_name))]
    return [tuple(int(word.partition("=")[2]) for word in reversed(words)) for words in inputs]
