"""The paper's question: are AFF and iAFF better than the sum, at equal parameters and at equal FLOPs?

    for task in classification segmentation; do
        fusion-nas launch benchmarks/evidence/$task.yaml --run-dir runs/$task
        fusion-nas retrain runs/$task --top 3 --seeds 5 --recipe benchmarks/evidence/long.yaml
    done
    python benchmarks/evidence.py runs/classification runs/segmentation [--json benchmarks/results/evidence.json]

It is asked with the product's own commands: a search over three networks, all-`sum`, all-`aff` and all-`iaff`, then
each of them, and all-`sum` networks widened to the parameters and to the FLOPs of both, trained from scratch on five
seeds under two recipes, and shown the test images once. This script compares every attentional network with the sum
and with its own controls. The intervals of one task and recipe hold together (95 %).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ops

from reports.comparison import compare, simultaneous
from reports.judging.candidate import control
from reports.phrases import uniform_operator
from reports.retrained.arm import Arm, recipes_of
from reports.retrained.arms import arms
from reports.run.run import load_run

REFERENCES = {"sum": "the sum", "matched_params": "its parameters", "matched_flops": "its FLOPs"}


def operator_of(arm: Arm) -> str:
    """Return the operator of a uniform network; empty for any other."""
    found = uniform_operator(arm.architecture) if arm.plays("uniform") and arm.architecture is not None else None
    return found or ""


def references(there: Sequence[Arm], finalist: Arm) -> Iterator[tuple[str, Arm]]:
    """Yield what an attentional network is compared with."""
    yield from (("sum", arm) for arm in there if arm.recipe == finalist.recipe and operator_of(arm) == "sum")
    for role in ("matched_params", "matched_flops"):
        found = control(there, finalist.recipe, role, finalist.id)
        if found is not None:
            yield role, found


def compared(run_dir: Path) -> Iterator[dict[str, Any]]:
    """Yield a row for each attentional network, recipe and reference of a run."""
    run = load_run(run_dir)
    there = arms(run)
    for recipe in recipes_of(there):
        own = [arm for arm in there if arm.recipe == recipe and operator_of(arm) in ("aff", "iaff")]
        pairs = [(one, against, other) for one in own for against, other in references(there, one)]
        found = simultaneous([compare(one.scores, other.scores) for one, _, other in pairs])
        for (one, against, other), contrast in zip(pairs, found, strict=True):
            yield {
                "measure": run.quality.name,
                "recipe": recipe,
                "operator": operator_of(one),
                "params": one.params,
                "flops": one.flops,
                "test": round(one.mean, 5),
                "against": against,
                "reference_params": other.params,
                "reference_flops": other.flops,
                "reference_test": round(other.mean, 5),
                "gain": round(contrast.gain, 5),
                "low": round(contrast.low, 5),
                "high": round(contrast.high, 5),
                "seeds": min(contrast.seeds),
                "images": contrast.images,
                "outcome": contrast.outcome,
            }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table, in points."""
    lines = [
        "| measure | recipe | network | parameters | test | against | parameters | test | gain, 95 % | |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [
            row["measure"],
            row["recipe"],
            row["operator"],
            f"{row['params']:,}",
            f"{100 * row['test']:.1f}",
            REFERENCES[row["against"]],
            f"{row['reference_params']:,}",
            f"{100 * row['reference_test']:.1f}",
            f"{100 * row['gain']:+.1f} ({100 * row['low']:+.1f} to {100 * row['high']:+.1f})",
            row["outcome"],
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines).replace("-", "−").replace("|−−−", "|---")


def main() -> None:
    """Compare, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = [row for run_dir in options.runs for row in compared(run_dir)]
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps({"hardware": ops.hardware(1), "comparisons": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
