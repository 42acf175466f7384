"""Run directories for the tests of reports: real architectures and costs, plausible accuracies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

import spaces
from reports.candidates import table as candidates
from spaces import Architecture, SearchSpace
from tests.reports import exportable

if TYPE_CHECKING:
    from tests.reports.opened import Open

EPOCHS = 8
MERIT = {"sum": 0.0, "concat": 0.001, "sk": 0.004, "aff": 0.007, "iaff": 0.010}
STATES = ("complete", "pruned", "complete", "complete", "pruned", "infeasible", "complete", "failed", "duplicate")
REASONS = {
    "pruned": "at epoch {epochs} its optimistic end is dominated by candidate 3",
    "failed": "non-finite loss at epoch {epochs}",
    "infeasible": "params 31,412 exceeds 30,000",
    "duplicate": "same architecture as candidate 0",
}

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Calculate on one thread, from one seed."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def space() -> SearchSpace:
    return spaces.create("resnet", depth=14, width=8, in_channels=1, input_size=(8, 8))


def quality(architecture: Architecture, rng: np.random.Generator) -> float:
    depth = len(architecture.choices)
    gain = sum(MERIT[choice.op] * (1 + index / depth) for index, (_, choice) in enumerate(architecture.choices))
    return float(np.clip(0.955 + 0.25 * gain + rng.normal(0, 0.006), 0, 1))


def learning_curve(final: float, epochs: int, rng: np.random.Generator) -> list[float]:
    steps = np.arange(1, EPOCHS + 1)
    curve = final - (final - 0.25) * np.exp(-0.75 * steps) + rng.normal(0, 0.006, EPOCHS)
    curve[-1] = final
    return [round(float(value), 6) for value in np.clip(curve[:epochs], 0, 1)]


def record(
    number: int, architecture: Architecture, space: SearchSpace, rng: np.random.Generator, **known: Any
) -> dict[str, Any]:
    state = known.get("state", "complete")
    epochs = {"complete": EPOCHS, "pruned": int(rng.integers(2, 5)), "failed": 3}.get(state, 0)
    curve = learning_curve(quality(architecture, rng), epochs, rng)
    cost = space.cost(architecture)
    minute, second = divmod(3 * number, 60)
    return {
        "number": number,
        "id": architecture.id,
        "state": state,
        "reason": REASONS.get(state, "").format(epochs=epochs),
        "kind": "search",
        "seed": 0,
        "epochs": epochs,
        "accuracy": max(curve) if curve else None,
        "loss": round(2.4 * (1 - max(curve)), 5) if curve else None,
        "params": cost.params,
        "flops": cost.flops,
        "seconds": round(0.7 * epochs + 1e-5 * cost.flops, 3) if curve else None,
        "worker": f"node-1:{4100 + number % 2}" if curve else "",
        "retries": 0,
        "started": f"2026-03-02T10:{minute % 60:02d}:{second:02d}.000+00:00",
        "finished": f"2026-03-02T10:{(minute + 1) % 60:02d}:{second:02d}.000+00:00",
        "architecture": architecture.to_json(),
        "curve": curve,
    } | known


def config(objectives: list[str]) -> dict[str, Any]:
    return {
        "space": {"name": "resnet", "depth": 14, "width": 8},
        "data": {"name": "digits", "seed": 0},
        "train": {"epochs": EPOCHS, "batch_size": 128},
        "objectives": objectives,
        "constraints": {"params": 30000},
        "search": {"trials": 40, "seed": 0},
        "resolved": {
            "dataset": {
                "name": "digits",
                "task": "classification",
                "classes": [str(digit) for digit in range(10)],
                "input_shape": [1, 8, 8],
                "mean": [0.3],
                "std": [0.4],
                "train": 1149,
                "validation": 288,
                "test": 360,
            },
            "environment": {
                "fusion_nas": "0.1.0",
                "python": "3.11.2",
                "torch": "2.13.0",
                "cpu": "Example CPU",
                "gpus": [],
            },
            "started": "2026-03-02T10:00:00.000+00:00",
        },
    }


@pytest.fixture(scope="session")
def make_records(space: SearchSpace) -> Callable[..., list[dict[str, Any]]]:
    """Return a maker of records: the uniform baselines, then random architectures in all states."""

    def make(count: int = 40, seed: int = 0) -> list[dict[str, Any]]:
        rng = np.random.default_rng(seed)
        rows = [
            record(number, architecture, space, rng, kind="baseline")
            for number, architecture in enumerate(space.baselines()[:count])
        ]
        while len(rows) < count:
            number = len(rows)
            state = STATES[number % len(STATES)]
            architecture = (
                Architecture.from_json(rows[0]["architecture"]) if state == "duplicate" else space.sample(rng)
            )
            rows.append(record(number, architecture, space, rng, state=state))
        return rows

    return make


@pytest.fixture(scope="session")
def make_table(make_records: Callable[..., list[dict[str, Any]]]) -> Callable[..., pd.DataFrame]:
    def make(count: int = 40, seed: int = 0, objectives: tuple[str, ...] = ("accuracy", "params")) -> pd.DataFrame:
        return candidates.frame(make_records(count, seed), objectives)

    return make


def write_run(
    run: Path, records: list[dict[str, Any]], objectives: tuple[str, ...] = ("accuracy", "params"), **changes: Any
) -> Path:
    run.mkdir(parents=True)
    values = json.loads(json.dumps(config(list(objectives)) | changes))
    (run / "config.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    candidates.write(candidates.frame(records, objectives), run)
    return run


@pytest.fixture
def make_run(tmp_path: Path, make_records: Callable[..., list[dict[str, Any]]]) -> Callable[..., Path]:
    """Return a maker of run directories."""

    def make(records: list[dict[str, Any]] | None = None, name: str = "demo", **settings: Any) -> Path:
        return write_run(tmp_path / name, make_records() if records is None else records, **settings)

    return make


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory, make_records: Callable[..., list[dict[str, Any]]]) -> Path:
    """Return a run directory that tests only read."""
    return write_run(tmp_path_factory.mktemp("runs") / "demo", make_records())


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium, by playwright."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no chromium on the PATH; `apt-get install chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def open_report(browser: Any) -> Iterator[Open]:
    """Return an opener of reports, each in a fresh profile without a network."""
    from tests.reports.opened import MOVED, Opened

    contexts = []

    def open_(path: Path, *, width: int = 1280, **settings: Any) -> Opened:
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **settings)
        contexts.append(context)
        opened = Opened(context.new_page(), path)
        opened.page.add_init_script(MOVED)
        opened.page.on(
            "console",
            lambda message: opened.errors.append(message.text) if message.type in ("error", "warning") else None,
        )
        opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.goto(path.as_uri())
        return opened

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture
def plain_run(tmp_path: Path) -> Callable[..., tuple[Path, Architecture]]:
    def make(**changes: Any) -> tuple[Path, Architecture]:
        space = spaces.create("resnet", depth=8, width=2, num_classes=3, in_channels=1, input_size=(8, 8))
        architecture = space.uniform("sum")
        run = exportable.write_run(
            tmp_path / "run", space, [exportable.record(0, architecture, space.cost(architecture))], **changes
        )
        exportable.write_checkpoint(run, architecture, space.build(architecture))
        return run, architecture

    return make
