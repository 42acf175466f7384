"""What every test image got in many trainings of a few networks: real data for the statistics of the verdict.

    python benchmarks/tables/outcomes.py benchmarks/tables/cluttered_digits.yaml [--seeds 40] [--seconds 900]

The YAML file names the space, the data and the training, as for `build.py`. All-`sum`, -`aff` and -`iaff` networks
(r = 4) are trained from scratch on each seed, seed after seed, the last epoch counts, and 2,000 test images are
looked at once a training, after it. After `--seconds` the seed that has been begun is the last one.

Written beside the YAML file:

- `NAME.outcomes.npz`: for each network an array (seeds, images / 8): right or wrong, packed by `numpy.packbits`.
- `NAME.outcomes.json`: what was trained, costs, test accuracies, hardware and versions.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from search.config import SearchConfig
from search.run.environment import describe_environment
from search.training import data
from search.training.loop import DeviceData, Session, train

CPU = torch.device("cpu")
NETWORKS: tuple[tuple[str, int | None], ...] = (("sum", None), ("aff", 4), ("iaff", 4))
TEST_IMAGES = 2_000


@torch.inference_mode()
def tested(session: Session, held: DeviceData, dataset: data.Dataset) -> NDArray[np.bool_]:
    """Return whether each test image is classified rightly."""
    session.model.eval()
    rows = []
    for images, labels in zip(dataset.test.images.split(500), dataset.test.labels.split(500), strict=True):
        rows.append(session.model(held.normalize(images)).argmax(dim=1) == labels)
    return torch.cat(rows).numpy()


def main() -> None:
    """Train, seed after seed, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=900.0, help="stop after so long")
    options = parser.parse_args()
    torch.set_num_threads(1)
    config = SearchConfig.load(options.config, overrides={"data.test_images": TEST_IMAGES})
    dataset = data.load(config.data)
    space, held, settings = config.create_space(dataset), DeviceData(dataset, CPU), config.train
    architectures = {op: space.uniform(op, r=r) for op, r in NETWORKS}
    rows: dict[str, list[NDArray[np.bool_]]] = {op: [] for op in architectures}
    started = time.monotonic()
    for seed in range(options.seeds):
        for op, architecture in architectures.items():
            torch.manual_seed(seed)
            session = Session(space.build(architecture, init=settings.init), settings, CPU)
            for _ in train(session, held, settings, seed=seed):
                pass
            rows[op].append(tested(session, held, dataset))
        if time.monotonic() - started > options.seconds:
            break
    write(options.config, rows, {op: space.cost(architecture) for op, architecture in architectures.items()})


def write(config: Path, rows: dict[str, list[NDArray[np.bool_]]], costs: dict[str, Any]) -> None:
    """Write what every image got, and what was trained."""
    arrays = {op: np.packbits(np.stack(got), axis=1) for op, got in rows.items()}
    np.savez_compressed(config.with_suffix(".outcomes.npz"), **arrays)
    networks = {
        op: {"params": costs[op].params, "flops": costs[op].flops, "accuracy": [round(float(r.mean()), 5) for r in got]}
        for op, got in rows.items()
    }
    about = {"config": config.name, "images": TEST_IMAGES, "networks": networks, "environment": describe_environment()}
    config.with_suffix(".outcomes.json").write_text(json.dumps(about, indent=1) + "\n")
    for op, network in networks.items():
        print(f"{op:<5} {np.mean(network['accuracy']):.4f} ± {np.std(network['accuracy'], ddof=1):.4f}")


if __name__ == "__main__":
    main()
