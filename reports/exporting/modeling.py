"""`modeling.py`: an architecture as a file of plain PyTorch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from fusion_ops import Recipe
from reports.exporting.bundle import bundle
from reports.exporting.expression import expression
from reports.exporting.sources import Import

__all__ = ["modeling_source"]

IMPORTS = {
    "Path": Import("pathlib", "Path"),
    "torch": Import("torch"),
    "Tensor": Import("torch", "Tensor"),
    "nn": Import("torch", "nn"),
}
FUNCTIONS = (
    "create_model",
    "load_model",
    "preprocess",
    "postprocess",
    "MEAN",
    "STD",
    "TARGET_MEAN",
    "TARGET_STD",
    "TIED",
)

NEEDS = "Plain PyTorch: nothing but torch is needed, and safetensors to load the weights."
NEEDS_MODULES = """\
Plain PyTorch around code of your own: module {modules} must be importable (its folder on PYTHONPATH), beside
torch, and safetensors to load the weights."""

LOAD = 'model.load_state_dict(load_file(path / "model.safetensors"))'
LOAD_TIED = """\
weights = load_file(path / "model.safetensors")
    model.load_state_dict(weights | {name: weights[stored] for name, stored in TIED.items()})"""

CALL = "model(preprocess(images))"

FILE = '''\
"""{title}

{needs}

    from modeling import {functions}

    model = load_model()
    {call}

Written by fusion-nas {version}, whose code is under the MIT licence:
Copyright (c) 2026 the fusion-nas developers, SPDX-License-Identifier: MIT.
"""

from __future__ import annotations

{imports}

__all__ = {exported}

MEAN = {mean}
STD = {std}{targets}{tied}


{source}

def create_model() -> nn.Module:
    """Return the network with fresh weights: `{shape} -> {returned}."""
    return {network}


def load_model(folder: str | Path | None = None) -> nn.Module:
    """Return the network with the exported weights, ready for inference.

    Args:
        folder: Where `model.safetensors` is; by default beside this file.
    """
    from safetensors.torch import load_file

    model = create_model()
    path = Path(__file__).parent if folder is None else Path(folder)
    {load}
    return model.eval()


def preprocess(images: Tensor) -> Tensor:
    """Return what the network sees of images: uint8 `{shape}` to float32, `(images / 255 - MEAN) / STD`."""
    mean, std = (torch.tensor(values, device=images.device).view(1, -1, 1, 1) for values in (MEAN, STD))
    return (images.float() / 255 - mean) / std
{postprocess}'''

POSTPROCESS = '''

def postprocess(outputs: Tensor) -> Tensor:
    """Return predictions in the unit of the training labels: `outputs * TARGET_STD + TARGET_MEAN`."""
    mean, std = (torch.tensor(values, device=outputs.device) for values in (TARGET_MEAN, TARGET_STD))
    return outputs.float() * std + mean
'''


def modeling_source(
    recipe: Recipe,
    *,
    title: str,
    version: str,
    own_modules: Sequence[str] = (),
    tied: Mapping[str, str] | None = None,
    input_shape: Sequence[int],
    mean: Sequence[float],
    std: Sequence[float],
    targets: Mapping[str, Sequence[float]] | None = None,
) -> str:
    """Return the source of a file that constructs a network, loads its weights and prepares its input.

    Args:
        recipe: How the network is constructed.
        title: What it is, in one line.
        version: Version of fusion-nas.
        own_modules: User-defined modules that the network imports.
        tied: Names of weights that are in the file under another name, which is given.
        input_shape: Channels, height and width of the images.
        mean: By channel, of images scaled to 0 … 1.
        std: By channel, of images scaled to 0 … 1.
        targets: Of a network that predicts values, `mean` and `std` of those that it was trained on.

    Raises:
        SpecError: The source of something in the recipe cannot be taken along.
    """
    functions = ["load_model", "preprocess", *(["postprocess"] if targets else [])]
    found = bundle(recipe, imports=IMPORTS, reserved=FUNCTIONS)
    return FILE.format(
        title=title.replace("\\", "/").replace('"', "'"),
        version=version,
        needs=NEEDS_MODULES.format(modules=" and ".join(own_modules)) if own_modules else NEEDS,
        imports=found.imports,
        mean=tuple(mean),
        std=tuple(std),
        source=found.source,
        tied=_assigned("TIED", tied) if tied else "",
        targets=_of_targets(targets) if targets else "",
        postprocess=POSTPROCESS if targets else "",
        functions=", ".join(sorted(functions)),
        exported=json.dumps(["create_model", *functions]),
        call=f"values = postprocess({CALL})" if targets else f"logits = {CALL}",
        returned=f"(B, {len(targets['mean'])})` values in units of TARGET_STD" if targets else "(B, classes)` logits",
        load=LOAD_TIED if tied else LOAD,
        shape=f"(B, {', '.join(map(str, input_shape))})",
        network=expression(recipe, found.names, "    ", len("return ")),
    )


def _of_targets(targets: Mapping[str, Sequence[float]]) -> str:
    """Return what a prediction is multiplied by, and what is added then, of every value."""
    return f"\nTARGET_MEAN = {tuple(targets['mean'])}\nTARGET_STD = {tuple(targets['std'])}"


def _assigned(name: str, values: Mapping[str, str]) -> str:
    """Return an assignment with a comment, an entry a line."""
    entries = "".join(f"    {json.dumps(key)}: {json.dumps(value)},\n" for key, value in values.items())
    return f"\n# Weights that are in the file once, under another name.\n{name} = {{\n{entries}}}"
