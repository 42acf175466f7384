"""Whether int8 costs accuracy, on many images: an export in float32 and in int8, the same images in both.

What it shows
    The accuracy of an exported network in float32 and in int8 on the validation images of its run, and on as many test
    images as are asked for, of a data set that is generated (`cluttered_digits`):
    how many images are right in one of both only, the difference in points, and its 95 % interval. That is of a
    difference of pairs: of n images of which b are right in float32 alone and c in int8 alone, (c − b)/n ± 1.96
    √(b + c − (c − b)²/n)/n.

The result
    In `benchmarks/results/int8_accuracy.json`; `docs/int8.md` says what follows from it.

How to run
    fusion-nas launch examples/short_skip.yaml --run-dir runs/short_skip
    fusion-nas export runs/short_skip -o exported --format onnx,openvino --int8 onnx,openvino
    python benchmarks/int8_accuracy.py runs/short_skip exported [--images 20000] [--json FILE]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch import Tensor

from search.run.environment import describe_environment
from search.training.data import load
from search.training.settings import DataConfig

FILES = {
    "onnxruntime": (("run_onnx.py", "model.onnx"), ("run_onnx_int8.py", "model.int8.onnx")),
    "openvino": (("run_openvino.py", "model.xml"), ("run_openvino_int8.py", "model.int8.xml")),
}
BATCH = 500


def main() -> None:
    """Measure in every runtime that the export has, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("exported", type=Path)
    parser.add_argument("--images", type=int, default=20_000, help="of the test")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    section = yaml.safe_load((asked.run / "config.yaml").read_text())["data"]
    data = load(DataConfig(**(section | {"test_images": asked.images})))
    rows = [
        {"runtime": runtime, "images": name, **compared(asked.exported, *files, part.images, part.labels)}
        for runtime, files in FILES.items()
        if all((asked.exported / model).is_file() for _, model in files)
        for name, part in (("validation", data.validation), ("test", data.test))
    ]
    for row in rows:
        print(
            f"{row['runtime']:12}{row['images']:11}{row['count']:7}  {100 * row['float32']:6.2f} % → "
            f"{100 * row['int8']:6.2f} %, {row['points']:+.2f} points, {row['low']:+.2f} to {row['high']:+.2f}; "
            f"right in float32 alone {row['float32_alone']}, in int8 alone {row['int8_alone']}"
        )
    if asked.json:
        choices = json.loads((asked.exported / "config.json").read_text())["architecture"]["choices"]
        about = {"date": datetime.now(UTC).date().isoformat(), "environment": describe_environment(), "data": section}
        asked.json.write_text(json.dumps(about | {"network": choices, "rows": rows}, indent=1) + "\n")


def compared(
    exported: Path, full: tuple[str, str], eight: tuple[str, str], images: Tensor, labels: Tensor
) -> dict[str, Any]:
    """Return both accuracies, and their difference in points with its interval."""
    truth = labels.numpy()
    right32, right8 = (answers(exported, *files, images) == truth for files in (full, eight))
    count, lost, won = len(truth), int((right32 & ~right8).sum()), int((right8 & ~right32).sum())
    points = 100 * (won - lost) / count
    reach = 196 * math.sqrt(lost + won - (won - lost) ** 2 / count) / count
    return {
        "count": count,
        "float32": float(right32.mean()),
        "int8": float(right8.mean()),
        "float32_alone": lost,
        "int8_alone": won,
        "points": round(points, 3),
        "low": round(points - reach, 3),
        "high": round(points + reach, 3),
    }


def answers(exported: Path, runner: str, model: str, images: Tensor) -> NDArray[Any]:
    """Return the class of every image, as a file of the export says."""
    preprocess: Callable[[Tensor], Tensor] = module_at(exported / "modeling.py").preprocess
    run = module_at(exported / runner).load(exported / model, threads=1)
    return np.concatenate([run(preprocess(part).numpy())[0].argmax(1) for part in batches(images)])


def batches(images: Tensor) -> Iterator[Tensor]:
    """Yield the images in parts."""
    yield from torch.split(images, BATCH)


def module_at(path: Path) -> Any:
    """Return a Python file of the export as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
