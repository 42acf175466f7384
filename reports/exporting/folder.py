"""Exporting a candidate: the folder, written whole or not at all."""

from __future__ import annotations

import copy
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from safetensors.torch import save_file
from torch import Tensor, nn

from fusion_ops.errors import RunError
from reports.exporting.card import model_card
from reports.exporting.documents import Selection, config, metrics, own_version, provenance, select
from reports.exporting.formats import Format, chosen, silently, write_format
from reports.exporting.formats_card import requirements
from reports.exporting.int8 import Calibration, chosen_int8, write_int8
from reports.exporting.int8_record import WrittenInt8
from reports.exporting.modeling import modeling_source
from reports.exporting.pick import picked, require_weights
from reports.exporting.sample import read_sample, write_sample
from reports.exporting.simplify import Evaluate, Timed
from reports.exporting.simplify import simplify as simplify_network
from reports.exporting.weights import load_weights
from reports.phrases import describe
from reports.run.run import load_run
from reports.runtimes import Runtime
from reports.runtimes.comparing import fits, returned
from reports.runtimes.folding import Folded
from reports.runtimes.folding import fold as fold_network
from reports.shipped import verify
from spaces.operator_paths import build_with_paths
from spaces.tied import distinct, tied
from spaces.tracing.outputs import Output

__all__ = ["Evaluate", "Timing", "export"]

Timing = Callable[[nn.Module, nn.Module], Timed]
TOLERANCE = 1e-6


def export(
    run_dir: str | Path,
    out_dir: str | Path,
    pick: str = "best",
    *,
    formats: Sequence[str] = ("pt2",),
    fold: bool = False,
    onnx: bool = False,
    int8: Sequence[str] = (),
    calibration: Calibration | None = None,
    evaluate: Evaluate | None = None,
    simplify: float | None = None,
    timing: Timing | None = None,
) -> Path:
    """Export a candidate as plain PyTorch source and weights, and return the folder.

    Where the architecture was retrained, the weights are those of the retraining with the best validation measure.

    The folder runs where torch, safetensors and numpy are; each further format needs its runtime. It is checked before
    it appears: its files are loaded again and compared with the trained network, in batches of 1, 7 and 64 images, or
    one image at a time where a runtime takes no other batches. Given images of another size, a format must refuse them
    or answer as the network does. When anything fails, nothing is left behind.

    Args:
        run_dir: The run directory.
        out_dir: The folder to write; must not exist, or be empty.
        pick: `best` (of the highest quality), `knee` (of the front), or the id of a complete candidate.
        formats: What the network is written as beside source and weights: names of runtimes or of their formats (see
            `reports.runtimes.RUNTIMES`), or a user-defined `module:Class`.
        fold: Whether batch normalisations are folded into the convolutions in front of them, in the formats; the
            weights of `modeling.py` stay as they were trained.
        onnx: Whether `onnx` is one of the formats, too.
        int8: Names of runtimes for which the network is written in int8, too: `onnx`, `openvino`. Needs `calibration`.
        calibration: Gives prepared training images, batches of all inputs; see `search.run.calibration`.
        evaluate: Measures a network on the run's validation images; the exported files, loaded again, must
            give the quality that the candidates table has.
        simplify: By how much outputs may differ for attention that is constant to be replaced by constants, 0.01 for
            instance; see `reports.exporting.simplify`. Needs `evaluate`. `None`: nothing is replaced.
        timing: Measures the latency of networks, as `search.run.timing.timing` does; without it the export does not
            say that of a simplified network.

    Raises:
        RunError: The run, the candidate or the folder cannot be used, a runtime is not installed, or it does not
            compute what the network does; the message says why.
        UnknownNameError: There is no such format.
        SpecError: The source of an operator cannot be taken along, or a class is no runtime.
    """
    target = Path(out_dir)
    run = load_run(run_dir)
    wanted, eight = chosen(formats, onnx=onnx), chosen_int8(int8, calibration)
    selection = select(run, picked(run, pick))
    if selection.retrained is None:
        require_weights(run, selection.candidate)
    _require_empty(target)
    network = selection.space.build(selection.architecture).eval()
    load_weights(network, selection.weights)
    if simplify is not None:
        selection, network = _simplified(selection, network, evaluate, simplify, timing)
    inputs = read_sample(selection)
    try:
        with _replacing(target) as folder:
            write8 = partial(_write_int8, runtimes=eight, calibration=calibration, evaluate=evaluate)
            _write(folder, selection, network, inputs, formats=wanted, fold=fold, evaluate=evaluate, write8=write8)
    except OSError as error:
        raise RunError(f"cannot write {target}: {error.strerror or error}.") from None
    return target


def _simplified(
    selection: Selection, trained: nn.Module, evaluate: Evaluate | None, tolerance: float, timing: Timing | None
) -> tuple[Selection, nn.Module]:
    """Return what is exported and its network, constant attention replaced."""
    if evaluate is None:
        raise RunError("`simplify` needs `evaluate`, which measures networks on the validation images; pass both.")
    space, architecture = selection.space, selection.architecture
    built = build_with_paths(space, architecture)
    built.network.load_state_dict(trained.state_dict())
    found = simplify_network(space, architecture, built, evaluate, selection.run.quality, tolerance)
    _confirm(selection, found.before, selection.quality)
    if timing is not None and found.replaced:
        found = replace(found, timed=timing(trained, found.network))
    simpler = found.architecture
    return replace(selection, architecture=simpler, cost=space.cost(simpler), simplification=found), found.network


def _write(
    folder: Path,
    selection: Selection,
    network: nn.Module,
    inputs: Sequence[Tensor],
    *,
    formats: Sequence[Format],
    fold: bool,
    evaluate: Evaluate | None,
    write8: Callable[[Path, nn.Module, Sequence[Tensor]], tuple[WrittenInt8, ...]],
) -> None:
    modeling = _write_source(folder, selection, network)
    save_file(distinct(network.state_dict()), folder / verify.WEIGHTS, metadata={"format": "pt"})
    prepared = (modeling.preprocess(inputs[0]), *inputs[1:])
    outputs = write_sample(folder, network, prepared)
    recomputed = None if evaluate is None else _confirmed(selection, evaluate(modeling.load_model(folder)))
    exported: nn.Module = modeling.load_model(folder)
    if fold:
        folded = _folded(exported, network, prepared)
        selection, exported = replace(selection, folded=folded), folded.network
    titles = partial(_titles, selection)
    written = tuple(write_format(folder, one, exported, network, prepared, titles) for one in formats)
    selection = replace(selection, formats=written, int8=write8(folder, network, prepared))
    _write_documents(folder, selection, outputs, recomputed=recomputed)
    with silently():
        found = verify.differences(folder)
    for problem in verify.problems(verify.changed_files(folder), found, folder):
        raise RunError(f"the export of candidate {selection.candidate} is not what was trained: {problem}.")


def _write_int8(
    folder: Path,
    network: nn.Module,
    inputs: Sequence[Tensor],
    *,
    runtimes: Sequence[Runtime],
    calibration: Calibration | None,
    evaluate: Evaluate | None,
) -> tuple[WrittenInt8, ...]:
    batches = calibration() if runtimes and calibration is not None else ()
    return tuple(write_int8(folder, runtime, network, inputs, batches, evaluate) for runtime in runtimes)


def _folded(exported: nn.Module, trained: nn.Module, inputs: Sequence[Tensor]) -> Folded:
    """Return the network with its batch normalisations folded, compared with the trained one."""
    try:
        found = fold_network(exported, inputs)
        # A copy: what is exported must not have run (findings/torch-export-after-a-pass.sh).
        folded = returned(copy.deepcopy(found.network), inputs)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(f"`fold` needs a network that torch.export can follow ({reason}); leave `fold` out.") from error
    difference = verify.difference(folded, returned(trained, inputs))
    if not fits(difference):
        raise RunError(
            f"folded, the network differs by {difference:.2g} (at most {verify.LIMIT:.0e}): some convolution gives "
            "such large values that rounding shows; leave `fold` out."
        )
    return found


def _titles(selection: Selection) -> dict[str, str]:
    """Return what the fusion operators are called, by their paths."""
    space, architecture = selection.space, selection.architecture
    paths = build_with_paths(space, architecture).paths
    return {path: f"fusion point `{point}` (`{architecture[point]}`)" for point, path in paths.items()}


def _write_source(folder: Path, selection: Selection, network: nn.Module) -> ModuleType:
    """Write `modeling.py` and return it, loaded."""
    architecture, space, data = selection.architecture, selection.space, selection.data
    source = modeling_source(
        space.recipe(architecture),
        title=f"Network {selection.candidate}: {space.name}, fused by {describe(architecture)}.",
        version=own_version(),
        own_modules=space.host.own_modules,
        tied=tied(network.state_dict()),
        input_shape=data["input_shape"],
        mean=data["mean"],
        std=data["std"],
        targets=data.get("targets"),
    )
    _write_text(folder / "modeling.py", source)
    return verify.load_module(folder / "modeling.py")


def _write_documents(
    folder: Path,
    selection: Selection,
    outputs: Sequence[Output],
    *,
    recomputed: Mapping[str, float] | None,
) -> None:
    _write_json(folder / "config.json", config(selection))
    _write_json(folder / "metrics.json", metrics(selection, recomputed))
    _write_text(folder / "README.md", model_card(selection, outputs, recomputed=recomputed))
    _write_text(folder / "requirements.txt", requirements(selection.formats, selection.int8))
    _write_text(folder / "verify.py", Path(verify.__file__).read_text(encoding="utf-8"))
    _write_json(folder / "provenance.json", provenance(selection, folder))


def _confirmed(selection: Selection, measured: Mapping[str, float]) -> Mapping[str, float]:
    """Return what was measured after checking that it is what the candidates table says."""
    quality, simplified = selection.run.quality, selection.simplification
    if quality.name in measured:
        _confirm(selection, measured[quality.name], simplified.quality if simplified else selection.quality)
    return measured


def _confirm(selection: Selection, measured: float, expected: float) -> None:
    quality = selection.run.quality
    if not abs(measured - expected) <= TOLERANCE:
        raise RunError(
            f"the exported candidate {selection.candidate} has a validation {quality.label} of "
            f"{quality.exactly(measured)}, and had {quality.exactly(expected)} in the "
            f"{'search' if selection.retrained is None else 'retraining'}: the data or the weights have changed since."
        )


def _require_empty(target: Path) -> None:
    if target.is_dir() and not any(target.iterdir()):
        return
    if target.exists() or target.is_symlink():
        what = "a folder that is not empty" if target.is_dir() else "a file"
        raise RunError(f"{target} is {what}; choose another one to export to.")


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `target` in the end, or vanishes if anything fails."""
    place = next(parent for parent in target.absolute().parents if parent.exists())
    temporary = Path(tempfile.mkdtemp(dir=place, prefix=f".{target.name}."))
    try:
        yield temporary
        for path in temporary.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        temporary.chmod(0o755)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    _write_text(path, json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _write_text(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "backslashreplace"))
