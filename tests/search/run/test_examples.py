"""The example configs: all are valid, and the paper's networks have the paper's sizes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from search.config import SearchConfig

EXAMPLES = Path(__file__).parents[3] / "examples"
CONFIGS = sorted(EXAMPLES.rglob("*.yaml"))
PAPER = EXAMPLES / "paper"


@pytest.mark.parametrize("path", CONFIGS, ids=[str(path.relative_to(EXAMPLES)) for path in CONFIGS])
def test_is_valid_and_says_how_to_run_it(path: Path) -> None:
    SearchConfig.load(path)
    assert f"fusion-nas launch examples/{path.relative_to(EXAMPLES)}" in path.read_text()


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("imagenet_resnet50", {"sum": 25.56, "aff": 30.35, "iaff": 35.15}),
        ("imagenet_resnext50", {"sum": 25.03, "aff": 29.83, "iaff": 34.62}),
    ],
)
def test_sizes_on_imagenet_are_the_papers(name: str, millions: dict[str, float]) -> None:
    space = SearchConfig.load(PAPER / f"{name}.yaml").stated_space()
    assert space is not None
    found = {choice.op: space.cost(space.uniform(choice.op, choice.r)).params for choice in space.slots[0].choices}
    assert {op: round(params / 1e6, 2) for op, params in found.items()} == millions


@pytest.mark.parametrize(
    ("name", "key", "sizes"),
    [("cifar100_resnet", "space.depth", (8, 14, 20, 26)), ("cifar100_inception", "space.layers", (1, 2, 3, 4))],
)
def test_every_depth_of_the_paper_on_cifar(name: str, key: str, sizes: tuple[int, ...]) -> None:
    points = []
    for size in sizes:
        space = SearchConfig.load(PAPER / f"{name}.yaml", overrides={key: size}).stated_space()
        assert space is not None
        assert space.size() == 4
        points.append(len(space.points))
    per_block = points[0] // 3
    assert points == [3 * per_block * b for b in (1, 2, 3, 4)]


def test_a_dry_run_without_the_images_shows_the_sizes_and_what_is_missing() -> None:
    start = "from search.cli import main; main()"
    config = str(PAPER / "imagenet_resnet50.yaml")
    done = subprocess.run(
        [sys.executable, "-c", start, "launch", config, "--dry-run"],
        capture_output=True, text=True, cwd=EXAMPLES.parent, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "30,353,960 parameters" in done.stdout
    assert "35,150,888 parameters" in done.stdout
    assert done.stderr.startswith("data set image_folder: `data.path` does not exist")
    assert done.stderr.count("\n") == 1
