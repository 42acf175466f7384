"""Checks this folder: every file is unchanged, and every format computes what the network did that was exported.

    python verify.py

It needs torch, safetensors and numpy. Every other format has a file `run_….py` that runs it; what that needs is in
`requirements.txt`, and a format whose packages are not installed is named and left out. It ends with exit code 1 and a
line that says FAILED where something is not as it was exported.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

LIMIT = 1e-4
WEIGHTS = "model.safetensors"
Network = Callable[..., list[Tensor]]


class FormatError(Exception):
    """A format cannot be loaded or run."""


@dataclass(frozen=True)
class Format:
    """A file that computes what the network did, and how it is compared.

    Args:
        file: Its name.
        load: Loads it.
        missing: Packages that it needs and that are not installed.
        machine: The only kind of machine that it runs on; empty where it runs on every one.
        batches: Whether it takes several images at once.
        sample: The file that holds what it must return.
        limit: By how much it may differ from that.
    """

    file: str
    load: Callable[[Path], Network]
    missing: tuple[str, ...] = ()
    machine: str = ""
    batches: bool = True
    sample: str = "sample.safetensors"
    limit: float = LIMIT


def changed_files(folder: Path) -> dict[str, str]:
    """Return what happened to each file since the export: `unchanged`, `changed` or `missing`."""
    provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    return {name: _fate(folder / name, digest) for name, digest in provenance["files"].items()}


def formats(folder: Path) -> list[Format]:
    """Return the formats of a folder: the weights, and what each `run_….py` runs."""
    known = _described(folder)
    found = [Format(WEIGHTS, _weights)] if (folder / WEIGHTS).is_file() else []
    for runner in sorted(folder.glob("run_*.py")):
        constants = constants_of(runner)
        file = str(constants.get("FILE", ""))
        if file and (folder / file).exists():
            about = {
                key: known[file][key] for key in ("machine", "batches", "sample", "limit") if key in known.get(file, {})
            }
            found.append(Format(file, _by(runner), not_installed(constants.get("NEEDS", ())), **about))
    return found


def differences(folder: Path) -> dict[str, float | str]:
    """Return, by format, the largest difference from the stored outputs of what was exported, or why there is none.

    Outputs beyond ±1 are compared relatively to the largest one. Each format computes all images of the
    sample together, and the first one by itself; one that takes single images computes the first one.
    """
    out: dict[str, float | str] = {}
    for one in formats(folder):
        if one.missing:
            needs = " and ".join(one.missing)
            out[one.file] = f"not compared: {needs} {'is' if len(one.missing) == 1 else 'are'} not installed"
            continue
        if one.machine not in ("", this_machine()):
            out[one.file] = f"not compared: it is machine code for {one.machine}, and this is {this_machine()}"
            continue
        try:
            out[one.file] = _compared(one, folder)
        except FormatError as error:
            out[one.file] = f"fails: {error}"
    for file, about in _described(folder).items():
        if file not in out and (folder / file).exists() and not about.get("runner"):
            out[file] = "not compared: this folder has nothing that runs it"
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


def difference(outputs: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """Return the largest difference of outputs, relative to the largest value of one where that is beyond ±1.

    NaN where one of the outputs has one. Raises `ValueError` where number or shapes of outputs differ.
    """
    if len(outputs) != len(expected):
        raise ValueError(f"{len(outputs)} outputs, expected {len(expected)}")
    found = [_difference(*pair) for pair in zip(outputs, expected, strict=True)]
    return float(torch.tensor(found).max()) if found else 0.0


def problems(files: Mapping[str, str], found: Mapping[str, float | str], folder: Path | None = None) -> Iterator[str]:
    """Yield what is wrong, in words."""
    for name, fate in files.items():
        if fate != "unchanged":
            yield f"{name} is {fate}; its SHA-256 is not the one in provenance.json"
    limits = {} if folder is None else {one.file: one.limit for one in formats(folder)}
    for name, value in found.items():
        limit = limits.get(name, LIMIT)
        if isinstance(value, str):
            if value.startswith("fails"):
                yield f"{name} {value}"
        elif not value <= limit:
            yield f"{name} differs by {value:.2e} from the network that was exported; at most {limit:.0e} is allowed"


def constants_of(path: Path) -> dict[str, Any]:
    """Return the constants of a Python file, such as `FILE` and `NEEDS`, without running it."""
    found = {}
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                found[statement.targets[0].id] = ast.literal_eval(statement.value)
            except ValueError:
                continue
    return found


def not_installed(names: Iterable[str]) -> tuple[str, ...]:
    """Return the packages that cannot be imported."""
    return tuple(name for name in names if not _importable(name))


def this_machine() -> str:
    """Return which kind of machine this is: `Linux x86_64`."""
    return f"{platform.system()} {platform.machine()}"


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
    wrong = list(problems(files, found, folder if intact else None))
    for problem in wrong:
        print(f"FAILED: {problem}.")
    if not wrong:
        print(f"Verified: {len(files)} files unchanged, {_agreement(found, formats(folder))}.")
    return 1 if wrong else 0


def _agreement(found: Mapping[str, float | str], known: Iterable[Format]) -> str:
    left = [name for name, value in found.items() if isinstance(value, str)]
    which = "every format" if not left else "every format that was compared"
    named = f"; not compared: {', '.join(left)}" if left else ""
    rounded = [one for one in known if one.limit != LIMIT and one.file not in left]
    itself = "".join(f"; {one.file} within {one.limit:.0e} of what it gave then" for one in rounded)
    return f"{which} within {LIMIT:.0e} of the network that was exported{itself}{named}"


def _fate(path: Path, digest: str) -> str:
    if not path.is_file():
        return "missing"
    return "unchanged" if hashlib.sha256(path.read_bytes()).hexdigest() == digest else "changed"


def _described(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what config.json says of the formats."""
    path = folder / "config.json"
    found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")).get("formats", {})
    return found


def _numbered(stored: dict[str, Tensor], kind: str) -> list[Tensor]:
    names = [f"{kind}{index}" for index in range(len(stored))]
    return [stored[name] for name in names if name in stored]


def _importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # what it is a part of is not there
        return False


def _compared(one: Format, folder: Path) -> float:
    try:
        inputs, expected, first = load_sample(folder / one.sample)
        network = one.load(folder / one.file)
        found = [difference(network(*(given[:1] for given in inputs)), first)]
        if one.batches:
            found.append(difference(network(*inputs), expected))
        return float(torch.tensor(found).max())  # NaN where one of them is
    except Exception as error:
        raise FormatError(f"{type(error).__name__}: {' '.join(str(error).split())}") from error


def _difference(output: Tensor, expected: Tensor) -> float:
    output, expected = output.double(), expected.double()
    if output.shape != expected.shape:
        raise ValueError(f"outputs {tuple(output.shape)}, expected {tuple(expected.shape)}")
    if not expected.numel():
        return 0.0
    scale = max(1.0, float(expected.abs().max()))
    return float((output - expected).abs().max()) / scale


def _weights(path: Path) -> Network:
    network: nn.Module = load_module(path.with_name("modeling.py")).load_model(path.parent)

    def run(*inputs: Tensor) -> list[Tensor]:
        with torch.inference_mode():
            return tensors(network(*inputs))

    return run


def _by(runner: Path) -> Callable[[Path], Network]:
    """Return a function that loads a file by its runner, which takes and returns arrays."""

    def load(path: Path) -> Network:
        run = load_module(runner).load(path)
        return lambda *inputs: [torch.from_numpy(output) for output in run(*(given.numpy() for given in inputs))]

    return load


def _table(head: tuple[str, str], rows: Mapping[str, str]) -> None:
    width = max(len(name) for name in (head[0], *rows))
    for name, value in (head, *rows.items()):
        print(f"{name:<{width}}  {value}")
    print()


if __name__ == "__main__":
    sys.exit(main())
