"""The model card: what someone who finds the folder must know."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reports.candidates.hyperparameters import settings_in_words
from reports.exporting.documents import FLOPS_UNIT, TESTED, UNTESTED, Selection, own_version
from reports.exporting.formats_card import format_files, format_limits, formats_section, named, runners
from reports.exporting.int8_card import int8_files, int8_section
from reports.exporting.simplified_card import simplified, table
from reports.measures import MEASURES
from reports.phrases import describe
from spaces.tracing.outputs import Output, in_words

__all__ = ["model_card"]

SHOWN_CLASSES = 20
ABSENT = "not measured"

CARD = """\
# {title}

{summary}

## Measures

{measures}

{spread}

## Usage

{needs}```python
from modeling import {functions}

model = load_model()
images = ...  # uint8, {shape}
{usage}
```

## Architecture

{architecture}

{simplified}## Data

{data}

## Limits

{knows}- It was trained on images of {size} pixels, prepared by `preprocess`.
{limits}
{formats}## Files

{files}

`python verify.py` checks that every file is as it was exported, and that every format computes what the
network did then. It finds damage; it cannot tell who made a file.

## Licence

{shipped} are under the MIT licence of fusion-nas {version}, except operators of
others that `modeling.py` may hold. The weights belong to whoever trained them, under the terms of the data.
"""

ONE_SEED = """\
One training with one seed: there is no spread to show. The validation images also chose this network, so
that its accuracy on new images is likely to be a little lower."""
RETRAINED = """\
These are the weights of the best of {seeds} by validation {quality}, trained from scratch after the search
by the recipe `{recipe}`. The validation images chose them, so that their value flatters; the test images chose
nothing."""
KNOWS = "- It knows the {classes} classes above and no others{always}.\n"
ALWAYS = "; it answers with one of them whatever it is shown"
SEVERAL = "multilabel"

FILES = {
    "modeling.py": "the network as plain PyTorch: `create_model`, `load_model`, `preprocess`",
    "model.safetensors": "the weights of the best validation epoch",
    "config.json": "architecture, input, preprocessing, classes",
    "metrics.json": "what was measured, on which split, in which unit",
    "provenance.json": "candidate, seed, versions, hardware, SHA-256 of every file",
    "sample.safetensors": "a few images and what this network made of them",
    "verify.py": "checks this folder",
    "requirements.txt": "what it needs",
}


def model_card(selection: Selection, outputs: Sequence[Output], *, recomputed: Mapping[str, float] | None) -> str:
    """Return `README.md`.

    Args:
        selection: What is exported.
        outputs: What the network returns.
        recomputed: The validation measures of the exported files, loaded again.
    """
    data = selection.data
    channels, height, width = data["input_shape"]
    return CARD.format(
        title=f"Network {selection.candidate}",
        summary=_summary(selection),
        measures=table(("measure", "value", "how"), _measures(selection, recomputed)),
        spread=_spread(selection),
        needs=_needs(selection),
        shape=f"(B, {channels}, {height}, {width})",
        simplified=simplified(selection),
        architecture=table(("fusion point", "kind", "operator", "parameters", "FLOPs"), _points(selection)),
        data=_data(data),
        functions="load_model, postprocess, preprocess" if "targets" in data else "load_model, preprocess",
        usage=_usage(data, outputs),
        knows=_knows(data),
        size=f"{height} × {width}",
        limits=format_limits(selection),
        formats=formats_section(selection) + int8_section(selection.int8, recomputed),
        files=table(("file", "what it is"), _files(selection)),
        shipped=named(["modeling.py", "verify.py", *runners(selection), *(one.runner for one in selection.int8)]),
        version=own_version(),
    )


def _files(selection: Selection) -> Iterable[Sequence[str]]:
    files = dict(FILES)
    weights = {name: files.pop(name) for name in ("modeling.py", "model.safetensors")}
    shipped = dict(format_files(selection)) | dict(int8_files(selection.int8))
    return ((f"`{name}`", text) for name, text in (weights | shipped | files).items())


def _summary(selection: Selection) -> str:
    space, data = selection.architecture.space, selection.data
    searched = settings_in_words(selection.hyperparameters)
    return (
        f"A `{space.name}` network for `{_plain(data.get('name', 'images'))}`. Its feature maps are fused by "
        f"{describe(selection.architecture)}. {_origin(selection)} `{_plain(selection.run.name)}`."
        f"{f' Searched beside the fusion: {_plain(searched)}.' if searched else ''}"
    )


def _origin(selection: Selection) -> str:
    """Return which training the weights are of, up to the name of the run."""
    retrained, row = selection.retrained, selection.row
    if retrained is None:
        return f"It is candidate {int(row['number'])} of the search"
    role = str(row.get("role", "finalist"))
    part = "" if role == "finalist" else f" as `{_plain(role)}`"
    return f"It was retrained{part}: seed {int(row['seed'])}, recipe `{_plain(retrained.recipe)}`, after the search"


def _usage(data: Mapping[str, Any], outputs: Sequence[Output]) -> str:
    others = "".join(f", input{index}" for index in range(1, len(data.get("other_shapes", ())) + 1))
    call = f"model(preprocess(images){others})"
    single = len(outputs) == 1 and not outputs[0].name
    if single and "targets" in data:
        return f"print(postprocess({call}))  # in the unit of the labels"
    if single and data["classes"]:
        return f"print({call}.{'sigmoid()' if data.get('task') == SEVERAL else 'softmax(dim=1)'})"
    return f"returned = {call}  # {in_words(outputs)}"


def _knows(data: Mapping[str, Any]) -> str:
    if not data["classes"] or "targets" in data:
        return ""
    return KNOWS.format(classes=len(data["classes"]), always="" if data.get("task") == SEVERAL else ALWAYS)


def _needs(selection: Selection) -> str:
    modules = " and ".join(f"`{module}`" for module in selection.space.host.own_modules)
    return f"It imports {modules}, code of your own: the folder of it must be on `PYTHONPATH`.\n\n" if modules else ""


def _measures(selection: Selection, recomputed: Mapping[str, float] | None) -> Iterable[Sequence[str]]:
    row, data = selection.row, selection.data
    how = f"n = {data.get('validation', 'unknown')}, 1 seed, best of {int(row['epochs'])} epochs"
    for measure in (MEASURES[name] for name in MEASURES if MEASURES[name].quality):
        if measure.column in row and math.isfinite(row[measure.column]):
            again = "; measured again with these files" if measure.name in (recomputed or {}) else ""
            value = row[measure.column]
            if selection.is_simpler and recomputed and measure.name in recomputed:
                again = f"; {measure.format(value)} before it was simplified"
                value = recomputed[measure.name]
            yield f"{measure.label}, validation", measure.format(value), how + again
    yield from _over_seeds(selection)
    yield "parameters", f"{selection.cost.params:,}", "exact"
    yield "FLOPs", f"{selection.cost.flops:,}", f"exact; {FLOPS_UNIT}"
    latency = MEASURES["latency"]
    if selection.is_simpler and selection.timed is not None:
        before = latency.format(selection.timed.before)
        yield latency.label, latency.format(selection.timed.after), f"{before} before it was simplified; metrics.json"
    elif math.isfinite(row.get(latency.column, math.nan)) and not selection.is_simpler:
        yield latency.label, latency.format(row[latency.column]), "hardware in metrics.json"
    else:
        yield latency.label, ABSENT, "time it on the hardware that it is for"
    for measure in selection.run.measures:
        if measure.base == "latency" and measure.place and measure.column in row and not selection.is_simpler:
            yield measure.label, measure.format(row[measure.column]), "hardware in metrics.json"


def _spread(selection: Selection) -> str:
    retrained = selection.retrained
    if retrained is None:
        return ONE_SEED
    seeds = f"{retrained.seeds} retrainings" if retrained.seeds != 1 else "one retraining"
    return RETRAINED.format(seeds=seeds, quality=selection.run.quality.label, recipe=_plain(retrained.recipe))


def _over_seeds(selection: Selection) -> Iterable[Sequence[str]]:
    """Yield what all seeds have, and what the test images say, where the network was retrained."""
    retrained, quality = selection.retrained, selection.run.quality
    if retrained is None:
        yield f"{quality.label}, test", ABSENT, UNTESTED
        return
    which = "before it was simplified" if selection.is_simpler else "these weights"
    how = f"n = {selection.data.get('test', 'unknown')}, {which}; {TESTED}"
    for name, value in retrained.best_test().items():
        yield f"{MEASURES[name].label}, test", MEASURES[name].format(value), how
    for split, measures in (("validation", retrained.validation()), ("test", retrained.test())):
        if quality.name in measures and retrained.seeds > 1:
            over = measures[quality.name]
            shown = f"{quality.format(over.mean)} ± {quality.format(over.deviation)}"
            yield f"{quality.label}, {split}, all seeds", shown, f"mean ± standard deviation of {retrained.seeds} seeds"


def _points(selection: Selection) -> Iterable[Sequence[str]]:
    costs = selection.space.point_costs(selection.architecture)
    for point in selection.space.points:
        cost = costs[point.name]
        operator = f"`{selection.architecture[point.name]}`"
        yield point.name, point.kind.replace("_", " "), operator, f"{cost.params:,}", f"{cost.flops:,}"


def _data(data: Mapping[str, Any]) -> str:
    classes = [_plain(name) for name in data["classes"]]
    shown = ", ".join(classes[:SHOWN_CLASSES])
    more = f" and {len(classes) - SHOWN_CLASSES} more, see config.json" if len(classes) > SHOWN_CLASSES else ""
    parts = ", ".join(f"{data[part]:,} {part}" for part in ("train", "validation", "test") if part in data)
    known = f"\n\n{'Values' if 'targets' in data else 'Classes'}: {shown}{more}." if classes else ""
    return f"`{_plain(data.get('name', 'images'))}`, images: {parts}.{known}"


def _plain(text: Any) -> str:
    """Return a text in one line that Markdown takes as text."""
    return "".join(" " if mark in "|`<>*_[]\\" else mark for mark in " ".join(str(text).split()))
