"""What every operator does in every runtime: whether it is right there, how far off, and what it costs in time.

What it shows
    For each runtime that is installed here and each operator of the registry:
    - the largest difference from PyTorch at batch 1, 7 and 64, with two and three inputs, all parameters at random
      (`reports/runtimes/conformance.py`), or why it is refused;
    - `times`: how long a ResNet-20 with the operator at every residual sum takes for one image on one thread, as a
      multiple of the same network with sums: the two take turns, and the ratio is that of the least times. `load`: how
      many processes wanted to run on the machine beside it, over a minute.
    Runtimes of which one environment cannot hold all are run one after the other; the JSON keeps what other calls
    have found. `--page` writes the tables of `docs/deployment.md` from it, and one of what `benchmarks/int8.py` has
    found.

Result
    `benchmarks/results/runtimes.json`, in words in `docs/deployment.md`.

How to run
    python benchmarks/runtimes.py [--only openvino …] [--untimed | --operators aff …] [--json FILE] [--page]
    make runtimes-table        # all runtimes, each in an environment of its own
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

import fusion_ops
import spaces
from reports.runtimes import RUNTIMES, Runtime
from reports.runtimes.conformance import LIMIT, OperatorNetwork, differences

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "benchmarks" / "results" / "runtimes.json", ROOT / "docs" / "deployment.md"
INT8 = ROOT / "benchmarks" / "results" / "int8.json"
ROUNDS, CALLS, REDUCTION = 60, 5, 4
TIMED = ("times", "not_timed", "load")
ON_LINUX = ("torch", "torch-compiled", "onnxruntime", "openvino", "executorch", "litert", "ncnn", "tvm")


def network(operator: str) -> torch.nn.Module:
    """Return a ResNet-20 with the operator at every residual sum."""
    space = spaces.create("resnet", depth=20, width=16, ops=sorted({"sum", operator}), reductions=[REDUCTION])
    torch.manual_seed(0)
    r = REDUCTION if fusion_ops.operator(operator).reduces else None
    return space.build(space.uniform(operator, r=r)).eval()


def compared(runtime: Runtime) -> dict[str, dict[str, Any]]:
    """Return how far off each operator is: all in one file, or where that is refused, each in one of its own."""
    names = fusion_ops.names()
    try:
        found = differences(runtime, OperatorNetwork(names))
        return {name: {"difference": max(found[f"{name}_{inputs}"] for inputs in (2, 3))} for name in names}
    except Exception:
        return {name: _alone(runtime, name) for name in names}


def _alone(runtime: Runtime, operator: str) -> dict[str, Any]:
    try:
        return {"difference": max(differences(runtime, OperatorNetwork([operator])).values())}
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}


def timed(runtime: Runtime, operator: str, ours: Callable[[], object]) -> dict[str, Any]:
    """Return how many times as long a network with an operator takes as that of sums, which `ours` runs."""
    try:
        with runtime.ready(network(operator), [torch.randn(1, 3, 32, 32)], threads=1) as run:
            return {"times": round(ratio(ours, run), 3)}
    except Exception as error:
        return {"not_timed": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}


def ratio(first: Callable[[], object], second: Callable[[], object]) -> float:
    """Return how many times as long the second takes: least of many calls, some each in turns.

    Calls are timed one by one: a single one often goes through undisturbed even where several in a row never do.
    """
    least = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        for index, run in enumerate((first, second)):
            run()
            for _ in range(CALLS):
                started = time.perf_counter()
                run()
                least[index] = min(least[index], time.perf_counter() - started)
    return least[1] / least[0]


def found_in(
    name: str, *, times: bool, operators: Sequence[str] = (), before: dict[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield what is found of the operators in one runtime, again after each that was timed: some take minutes.

    Args:
        name: Of the runtime.
        times: Whether operators are timed.
        operators: Time these alone, and compare none. By default all.
        before: What an earlier call has found of the runtime, which is kept of what is not measured anew.
    """
    runtime = RUNTIMES[name]
    about = {"version": runtime.version, "torch": torch.__version__, "cpu": platform.processor() or platform.machine()}
    rows: dict[str, dict[str, Any]] = dict((before or {}).get("operators", {})) if operators else compared(runtime)
    print(f"{name}: {rows}", flush=True)
    yield about | {"operators": rows}
    if not times:
        return
    with ExitStack() as held:
        try:
            ours = held.enter_context(runtime.ready(network("sum"), [torch.randn(1, 3, 32, 32)], threads=1))
        except Exception as error:
            print(f"{name}: not timed: {error}")
            return
        for operator in operators or fusion_ops.names():
            rows[operator] = {key: value for key, value in rows[operator].items() if key not in TIMED}
            rows[operator] |= timed(runtime, operator, ours) | {"load": round(os.getloadavg()[0], 1)}
            print(f"{name} {operator}: {rows[operator]}", flush=True)
            yield about | {"operators": rows}


def tables(results: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the tables of the page: differences, times, and what int8 costs."""
    shown = [name for name in ON_LINUX if name in results]
    heads = [f"{RUNTIMES[name].title} {str(results[name]['version']).partition('+')[0]}" for name in shown]
    for title, cell in (("largest difference", _difference), ("time, of the sum's", _times)):
        yield f"| {title} | {' | '.join(heads)} |"
        yield "|---" * (len(shown) + 1) + "|"
        for operator in fusion_ops.names():
            cells = [cell(results[name]["operators"].get(operator, {})) for name in shown]
            yield f"| `{operator}` | {' | '.join(cells)} |"
        yield ""
    yield from int8_table(json.loads(INT8.read_text()))


def int8_table(measured: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of what `benchmarks/int8.py` has found: what eight bits cost, of the operators measured there."""
    found = {(row["operator"], row["runtime"]): row for row in measured["rows"] if row["form"] == "network"}
    shown = list(dict.fromkeys(runtime for _, runtime in found))
    heads = [f"{RUNTIMES[name].title} {measured['versions'][name]}" for name in shown]
    yield f"| int8: error of the logits, images of another class | {' | '.join(heads)} |"
    yield "|---" * (len(shown) + 1) + "|"
    for operator in sorted({operator for operator, _ in found}):
        rows = [found[operator, name] for name in shown]
        cells = [f"{row['error']:.3f}, {100 * (1 - row['same_class']):.1f} %" for row in rows]
        yield f"| `{operator}` | {' | '.join(cells)} |"
    yield ""


def _difference(row: dict[str, Any]) -> str:
    if "refused" in row:
        return "refused"
    return f"**{row['difference']:.0e}**" if row["difference"] > LIMIT else f"{row['difference']:.0e}"


def _times(row: dict[str, Any]) -> str:
    return f"{row['times']:.2f}" if "times" in row else "–"


def main() -> None:
    """Measure what is installed, keep it, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=ON_LINUX)
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--untimed", action="store_true", help="only compare: a minute in place of many")
    parser.add_argument("--operators", nargs="+", choices=fusion_ops.names(), help="only time these; all else is kept")
    parser.add_argument("--page", action="store_true", help="only write the tables of docs/deployment.md")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    results = json.loads(asked.json.read_text()) if asked.json.exists() else {}
    if not asked.page:
        torch.set_num_threads(1)
        for name in asked.only or [name for name in ON_LINUX if not RUNTIMES[name].missing()]:
            RUNTIMES[name].require()
            if asked.operators and name not in results:
                parser.error(f"--operators: nothing is known of {name} yet; leave --operators out once")
            found_by_one = found_in(
                name, times=not asked.untimed, operators=asked.operators or (), before=results.get(name)
            )
            for found in found_by_one:
                results[name] = found
                asked.json.write_text(json.dumps(results, indent=1) + "\n")
    text = PAGE.read_text()
    marked = re.compile(r"(<!-- tables -->\n).*?(<!-- end -->)", re.DOTALL)
    PAGE.write_text(marked.sub(lambda found: found[1] + "\n".join(tables(results)) + found[2], text))


if __name__ == "__main__":
    main()
