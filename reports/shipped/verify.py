"""Checks this folder: every file is unchanged, and every format computes what the network did that was exported.

    python verify.py

It needs torch, safetensors and numpy; `model.onnx`, where there is one, is compared if onnxruntime is
installed. It ends with exit code 1 and a line that says FAILED where something is not as it was exported.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

LIMIT = 1e-4
Network = Callable[..., Any]


class FormatError(Exception):
    """A format cannot be loaded or run."""


def changed_files(folder: Path) -> dict[str, str]:
    """Return what happened to each file since the export: `unchanged`, `changed` or `missing`."""
    provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    return {name: _fate(folder / name, digest) for name, digest in provenance["files"].items()}


def differences(folder: Path) -> dict[str, float | str]:
    """Return, by format, the largest difference from the stored outputs of what was exported, or why there is none.

    Outputs beyond ±1 are compared relatively to the largest one. Each format computes all images of the
    sample together, and the first one by itself.
    """
    sample = load_sample(folder / "sample.safetensors")
    out: dict[str, float | str] = {}
    for name, load in FORMATS.items():
        if not (folder / name).is_file():
            continue
        if name == "model.onnx" and importlib.util.find_spec("onnxruntime") is None:
            out[name] = "not compared: onnxruntime is not installed"
            continue
        try:
            out[name] = _compared(load, folder / name, *sample)
        except FormatError as error:
            out[name] = f"fails: {error}"
    return out


def load_sample(path: Path) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Return what a network takes, what it returned for it, and for the first image by itself."""
    stored = load_file(path)
    inputs = [stored["images"], *_numbered(stored, "input")]
    if "outputs" in stored:
        return inputs, [stored["outputs"]], [stored["outputs"][:1]]
    return inputs, _numbered(stored, "output"), _numbered(stored, "first_output")


def tensors(returned: Any) -> list[Tensor]:
    """Return the tensors of what a network returned: of tuples, lists, mappings and dataclasses, in their order."""
    if isinstance(returned, Tensor):
        return [returned]
    if isinstance(returned, Mapping):
        returned = list(returned.values())
    elif hasattr(returned, "__dataclass_fields__"):
        returned = [getattr(returned, name) for name in returned.__dataclass_fields__]
    inside = returned if isinstance(returned, tuple | list) else ()
    return [tensor for part in inside for tensor in tensors(part)]


def problems(files: dict[str, str], found: dict[str, float | str]) -> Iterator[str]:
    """Yield what is wrong, in words."""
    for name, fate in files.items():
        if fate != "unchanged":
            yield f"{name} is {fate}; its SHA-256 is not the one in provenance.json"
    for name, value in found.items():
        if isinstance(value, str):
            if value.startswith("fails"):
                yield f"{name} {value}"
        elif not value <= LIMIT:
            yield f"{name} differs by {value:.2e} from the network that was exported; at most {LIMIT:.0e} is allowed"


def load_module(path: Path) -> ModuleType:
    """Return the module in a file, without leaving compiled code beside it."""
    name = f"exported_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


def main() -> int:
    """Check the folder that this file is in, print what was found, and return the exit code."""
    folder = Path(__file__).resolve().parent
    files = changed_files(folder)
    _table(("file", "SHA-256"), files)
    intact = all(fate == "unchanged" for fate in files.values())
    found = differences(folder) if intact else {}
    if intact:
        shown = {name: value if isinstance(value, str) else f"{value:.2e}" for name, value in found.items()}
        _table(("format", "largest difference"), shown)
    else:
        print("The networks were not run, because files have changed.\n")
    wrong = list(problems(files, found))
    for problem in wrong:
        print(f"FAILED: {problem}.")
    if not wrong:
        print(
            f"Verified: {len(files)} files unchanged, every format within {LIMIT:.0e} of the network that was exported."
        )
    return 1 if wrong else 0


def _fate(path: Path, digest: str) -> str:
    if not path.is_file():
        return "missing"
    return "unchanged" if hashlib.sha256(path.read_bytes()).hexdigest() == digest else "changed"


def _numbered(stored: dict[str, Tensor], kind: str) -> list[Tensor]:
    names = [f"{kind}{index}" for index in range(len(stored))]
    return [stored[name] for name in names if name in stored]


def _compared(
    load: Callable[[Path], Network], path: Path, inputs: list[Tensor], expected: list[Tensor], first: list[Tensor]
) -> float:
    try:
        network = load(path)
        found = _differences(tensors(network(*inputs)), expected)
        found += _differences(tensors(network(*(given[:1] for given in inputs))), first)
        return float(torch.tensor(found).max())  # NaN where one of them is
    except Exception as error:
        raise FormatError(f"{type(error).__name__}: {' '.join(str(error).split())}") from error


def _differences(outputs: list[Tensor], expected: list[Tensor]) -> list[float]:
    if len(outputs) != len(expected):
        raise ValueError(f"{len(outputs)} outputs, expected {len(expected)}")
    return [_difference(*pair) for pair in zip(outputs, expected, strict=True)]


def _difference(output: Tensor, expected: Tensor) -> float:
    output, expected = output.double(), expected.double()
    if output.shape != expected.shape:
        raise ValueError(f"outputs {tuple(output.shape)}, expected {tuple(expected.shape)}")
    scale = max(1.0, float(expected.abs().max()))
    return float((output - expected).abs().max()) / scale


def _weights(path: Path) -> Network:
    network: nn.Module = load_module(path.with_name("modeling.py")).load_model(path.parent)
    return torch.inference_mode()(network)


def _exported_program(path: Path) -> Network:
    return torch.no_grad()(torch.export.load(path).module())


def _onnx(path: Path) -> Network:
    onnxruntime = importlib.import_module("onnxruntime")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [argument.name for argument in session.get_inputs()]

    def network(*inputs: Tensor) -> list[Tensor]:
        given = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
        return [torch.from_numpy(output) for output in session.run(None, given)]

    return network


FORMATS: dict[str, Callable[[Path], Network]] = {
    "model.safetensors": _weights,
    "model.pt2": _exported_program,
    "model.onnx": _onnx,
}


def _table(head: tuple[str, str], rows: dict[str, str]) -> None:
    width = max(len(name) for name in (head[0], *rows))
    for name, value in (head, *rows.items()):
        print(f"{name:<{width}}  {value}")
    print()


if __name__ == "__main__":
    sys.exit(main())
