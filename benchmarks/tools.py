"""What the tools that people deploy with make of an export's `model.pt2` and `model.onnx`, by themselves.

What it shows
    An export has a file of its own for most runtimes (`export --format openvino,executorch,…`), compared before it is
    delivered. This is about the two general files, `model.pt2` and `model.onnx`, read by each tool as its own
    documentation says, without anything of fusion-nas: whether the answer is right in batches of 1, 7 and 64 images
    (one at a time, where a tool takes no others), by what largest difference, how images of twice the height and width
    are answered, or with which words the tool refuses the file.

Result
    `benchmarks/results/tools.json`; as a table in `docs/deployment.md`.

How to run
    fusion-nas launch examples/digits.yaml --run-dir runs/digits
    fusion-nas export runs/digits -o exported --format pt2,onnx
    python benchmarks/tools.py exported [--only openvino-pt2 …] [--json FILE]     # whatever is installed here
    python benchmarks/tools.py --page                                             # the table of docs/deployment.md

    The same with another candidate, such as one of all operators, adds a second table.
    It needs torch, safetensors and numpy. No environment holds all tools: each call keeps what others have found.
    `python benchmarks/tools.py --needs` prints what to install for each.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tools_list import ONNX, PT2, ROOT, TOOLS, Run, module_at, sample
from tools_words import error_words, words_of

RESULTS, PAGE = ROOT / "benchmarks" / "results" / "tools.json", ROOT / "docs" / "deployment.md"
BATCHES, LIMIT, SECONDS = (1, 7, 64), 1e-4, 900


def found_by(name: str, exported: Path) -> dict[str, Any]:
    """Return what a tool makes of its file: a difference for each batch size, or why there is none."""
    tool = TOOLS[name]
    images, expected = sample(exported)
    row: dict[str, Any] = {"version": tool.version}
    with tempfile.TemporaryDirectory() as folder:
        try:
            run = tool.load(exported / tool.file, Path(folder))
        except Exception as error:
            return row | {"refused": error_words(error)}
        for batch in BATCHES:
            chosen = np.arange(batch) % len(images)
            try:
                row[f"batch {batch}"] = _difference(_all(run, images[chosen], tool.batches), expected[chosen])
            except Exception as error:
                row[f"batch {batch}"] = error_words(error)
        row["other size"] = _other_size(run, exported, images[:1])
    return row


def _all(run: Run, images: NDArray[Any], together: bool) -> NDArray[Any]:
    if together:
        return run(images)
    return np.concatenate([run(images[place : place + 1]) for place in range(len(images))])


def _other_size(run: Run, exported: Path, image: NDArray[Any]) -> str:
    """Return how an image of twice the height and width is answered."""
    larger = np.tile(image, (1, 1, 2, 2))
    try:
        answer = run(larger)
    except Exception:
        return "refused"
    with torch.no_grad():
        expected = module_at(exported / "modeling.py").load_model(exported)(torch.from_numpy(larger)).numpy()
    try:
        seen = _difference(answer, expected)
    except ValueError:
        return "answered wrongly"
    return "answered as the network does" if seen <= LIMIT else f"answered wrongly, by {seen:.1g}"


def _difference(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """Return the largest difference, relative to the largest value where that is beyond ±1."""
    if found.shape != expected.shape:
        raise ValueError(f"outputs {found.shape}, expected {expected.shape}")
    seen = float(np.abs(found - expected).max()) / max(1.0, float(np.abs(expected).max()))
    return math.inf if math.isnan(seen) else seen


def in_a_process(name: str, exported: Path) -> dict[str, Any]:
    """Return what is found by a tool in a process of its own: some end theirs."""
    command = [sys.executable, "-W", "ignore", __file__, str(exported.resolve()), "--here", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return {"version": TOOLS[name].version, "refused": f"not done after {SECONDS} s"}
    marked = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not done.returncode and marked:
        found: dict[str, Any] = json.loads(marked[-1])
        return found
    said = f"its process ended with {done.returncode}: {words_of(done.stderr)}"
    return {"version": TOOLS[name].version, "refused": said}


def operators_of(exported: Path) -> str:
    """Return the operators of an export's network, by which its table is called."""
    architecture = json.loads((exported / "config.json").read_text())["architecture"]
    return ", ".join(sorted({f"`{choice['op']}`" for choice in architecture["choices"]}))


def tables(networks: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the tables, one for each network."""
    for operators, results in networks.items():
        yield from table(operators, results)
        yield ""


def table(operators: str, results: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a table: a tool a line, a file a column."""
    yield f"| a network of {operators} | `model.pt2` | `model.onnx` |"
    yield "|---|---|---|"
    for title in dict.fromkeys(tool.title for tool in TOOLS.values()):
        cells, versions = {PT2: "–", ONNX: "–"}, []
        for name, tool in TOOLS.items():
            if tool.title == title and name in results:
                cells[tool.file] = _cell(results[name])
                versions.append(f"{tool.how} {results[name]['version']}".strip())
        if versions:
            yield f"| {title} {', '.join(dict.fromkeys(versions))} | {cells[PT2]} | {cells[ONNX]} |"


def _cell(row: dict[str, Any]) -> str:
    if "refused" in row:
        return f"refused by the tool: `{row['refused'][:160]}`"
    seen = {batch: row[f"batch {batch}"] for batch in BATCHES}
    numbers = [value for value in seen.values() if not isinstance(value, str)]
    largest = max(numbers, default=math.inf)
    if not numbers:
        return f"refused by the tool: `{seen[BATCHES[0]][:160]}`"
    words = f"right ({largest:.0e})" if largest <= LIMIT else f"**wrong, by {largest:.2g}**"
    refused = [str(batch) for batch, value in seen.items() if isinstance(value, str)]
    batches = f"; batch {' and '.join(refused)}: refused" if refused else ""
    return f"{words}{batches}; 16 × 16: {row['other size']}"


def main() -> None:
    """Run what is installed here, keep it, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exported", type=Path, nargs="?", help="a folder of `fusion-nas export --format pt2,onnx`")
    parser.add_argument("--only", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--here", choices=TOOLS, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--page", action="store_true", help="only write the table of docs/deployment.md")
    parser.add_argument("--needs", action="store_true", help="only print what each tool needs")
    asked = parser.parse_args()
    if asked.here:
        print("\n" + json.dumps(found_by(asked.here, asked.exported)))
        return
    if asked.needs:
        print("\n".join(f"{name}: pip install {' '.join(tool.packages)}" for name, tool in TOOLS.items()))
        return
    networks = json.loads(asked.json.read_text()) if asked.json.exists() else {}
    if not asked.page:
        results = networks.setdefault(operators_of(asked.exported), {})
        for name in (name for name in asked.only if TOOLS[name].version is not None):
            results[name] = in_a_process(name, asked.exported)
            print(name, results[name], flush=True)
            asked.json.write_text(json.dumps(networks, indent=1) + "\n")
    marked = re.compile(r"(<!-- tools -->\n).*?(<!-- end of tools -->)", re.DOTALL)
    lines = "\n".join(tables(networks))
    PAGE.write_text(marked.sub(lambda found: found[1] + lines + found[2], PAGE.read_text()))


if __name__ == "__main__":
    main()
