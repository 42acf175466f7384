"""`fusion-nas ops`."""

from __future__ import annotations

from typing import Any

from search.cli.app import AsJson, app

CHANNELS, SIZE, R = 64, 32, 4
LETTERS = (
    "x, y: the inputs. σ: sigmoid. GAP, GMP: global average and maximum pooling. mean_c, mean_w, mean_h: over "
    "channels, width and height. W, A, P: 1×1 convolutions; M: two of them, a ReLU between; S: 7×7. L: local stack "
    "of MS-CAM, 1×1 convolution to C // r channels, BN, ReLU, 1×1 convolution back, BN; G: global stack, "
    "the same after GAP."
)


@app.command()
def ops(as_json: AsJson = False) -> None:
    """List the fusion operators with formula, options, cost and source, and the resamplers.

    The costs are those of one operator for two inputs of 64 channels and 32 × 32 positions, with r = 4, and of one
    resampler from half that size.

    Example: fusion-nas ops --json
    """
    import fusion_ops
    from search.cli.console import print_json

    found = [_description(name) for name in fusion_ops.names()]
    if as_json:
        sample = {"channels": CHANNELS, "size": [SIZE, SIZE], "r": R, "inputs": 2}
        print_json({"sample": sample, "operators": found, "resamplers": _resamplers()})
    else:
        _print(found)
        _print_resamplers(_resamplers())


def _description(name: str) -> dict[str, Any]:
    import fusion_ops

    operator = fusion_ops.operator(name)
    choice = fusion_ops.FusionChoice(name, R if operator.reduces else None)
    cost = fusion_ops.cost(choice, (CHANNELS, CHANNELS), CHANNELS, ((SIZE, SIZE), (SIZE, SIZE)))
    return {
        "name": name,
        "formula": operator.formula,
        "source": operator.source,
        "reduces": operator.reduces,
        "options": {key: list(values) for key, values in operator.options.items()},
        "params": cost.params,
        "flops": cost.flops,
    }


def _resamplers() -> list[dict[str, Any]]:
    import fusion_ops

    half, whole = (SIZE // 2, SIZE // 2), (SIZE, SIZE)
    found = []
    for name in fusion_ops.resamplers():
        cls, cost = fusion_ops.resampler(name), fusion_ops.Upsampling(name, CHANNELS, half, whole).cost()
        about = {"name": name, "formula": cls.formula, "any_ratio": cls.any_ratio}
        found.append({**about, "params": cost.params, "flops": cost.flops})
    return found


def _print_resamplers(found: list[dict[str, Any]]) -> None:
    from search.cli.console import print_table, print_text

    rows = [
        (
            entry["name"],
            "any" if entry["any_ratio"] else "whole factor f",
            entry["formula"],
            f"{entry['params']:,}",
            f"{entry['flops']:,}",
        )
        for entry in found
    ]
    print_text("")
    print_table(("resampler", "ratio of sizes", "formula"), ("parameters", "FLOPs"), rows)
    print_text(f"\nFrom {SIZE // 2} × {SIZE // 2} to {SIZE} × {SIZE}, where the inputs of a point differ in size.")


def _print(found: list[dict[str, Any]]) -> None:
    from search.cli.console import print_table, print_text

    rows = [
        (
            entry["name"],
            "yes" if entry["reduces"] else "no",
            entry["formula"],
            "; ".join(f"{key}: {', '.join(values)}" for key, values in entry["options"].items()) or "–",
            entry["source"] or "–",
            f"{entry['params']:,}",
            f"{entry['flops']:,}",
        )
        for entry in found
    ]
    print_table(("operator", "r", "formula", "options", "source"), ("parameters", "FLOPs"), rows)
    print_text(
        f"\nThe costs are those of one operator for two inputs of {CHANNELS} channels and {SIZE} × {SIZE} positions, "
        f"with r = {R}. FLOPs are 2 × multiply-adds for one image. The first value of an option is its default.\n\n"
        + LETTERS
    )
