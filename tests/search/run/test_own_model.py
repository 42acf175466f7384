"""The example of a user-defined network: launched, resumed, reported, exported, and verified."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[3]
SMALLER = ("search.trials=4", "train.epochs=1", "search.pruner=none", "space.ops=[sum, concat]", "ray.max_concurrent=1")


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from search.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", start, *arguments], capture_output=True, text=True, cwd=cwd, timeout=240, check=False
    )


RETRAIN_ORIGINAL = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from search.cluster.worker import CandidateTrainable
from search.run.retrain import prospect
from search.run.retrain_request import RetrainRequest
from search.training.files import FolderFiles
from search.training.job import Assignment, Job

found = prospect("run", RetrainRequest())
config, record = found.config, found.record
(original,) = (one for one in record.participants if one.plays("original"))
job = Job(
    FolderFiles(Path("again")), config.objectives, train=config.train, data=config.data, imports=config.imports,
    folders=config.folders, recipes=found.recipes, test_digest=record.test_digest,
)
assignment = Assignment(99, original.architecture, record.seed_list[0], "default")
progress = CandidateTrainable({{"job": job, "candidate": assignment}}).step()["progress"]
print(original.architecture.choices, progress.measured["test_accuracy"])
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "examples" / "own_model", folder / "mine", ignore=shutil.ignore_patterns("__pycache__"))
    settings = [part for setting in SMALLER for part in ("--set", setting)]
    done = command("launch", "mine/search.yaml", "--run-dir", "run", *settings, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_the_points_are_named_as_in_the_network(project: Path) -> None:
    table = pd.read_csv(project / "run" / "candidates.csv").query("state == 'complete'")
    assert len(table) == 4
    for text in table.architecture:
        assert [choice["point"] for choice in json.loads(text)["choices"]] == ["trunk.0.add", "trunk.2.add", "cat"]


@pytest.mark.slow
def test_the_pretrained_weights_are_the_start(project: Path) -> None:
    """In one epoch a network from scratch comes to about 20 %; the pretrained one begins at 90 %."""
    table = pd.read_csv(project / "run" / "candidates.csv")
    assert table.accuracy.max() > 0.7


@pytest.mark.slow
def test_the_original_is_retrained_from_its_pretrained_weights(project: Path) -> None:
    """What its own points do, from the weights that the search began with, whatever the seed; then tested."""
    start = [sys.executable, "-c", RETRAIN_ORIGINAL]
    done = subprocess.run(start, capture_output=True, text=True, cwd=project, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    choices, accuracy = done.stdout.rsplit(maxsplit=1)
    assert choices.count("op='sum'") == 2
    assert choices.count("op='concat'") == 1
    assert float(accuracy) > 0.7


@pytest.mark.slow
def test_the_report_names_points_as_in_the_network_and_says_what_it_needs(project: Path) -> None:
    assert "trunk.2.add" in (project / "run" / "report.html").read_text()
    (project / "mine").rename(project / "elsewhere")
    try:
        done = command("report", "run", cwd=project)
    finally:
        (project / "elsewhere").rename(project / "mine")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "there is no module `my_model`" in done.stderr


@pytest.mark.slow
def test_a_network_that_was_changed_is_not_searched_on(project: Path) -> None:
    code = project / "mine" / "my_model.py"
    before = code.read_text()
    code.write_text(before.replace("x + self.conv2(self.conv1(x).relu())", "self.conv2(self.conv1(x).relu()) + x"))
    try:
        done = command("resume", "run", "--set", "search.trials=5", cwd=project)
    finally:
        code.write_text(before)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "the network of my_model has changed since the run was launched" in done.stderr


@pytest.mark.slow
def test_resumed_and_exported(project: Path, tmp_path: Path) -> None:
    done = command("resume", "run", "--set", "search.trials=5", cwd=project)
    assert done.returncode == 0, done.stderr
    assert (pd.read_csv(project / "run" / "candidates.csv").state == "complete").sum() == 5
    done = command("export", "run", "-o", str(tmp_path / "out"), cwd=project)
    assert done.returncode == 0, done.stderr
    assert "imports your module my_model" in done.stderr
    assert "`my_model`" in (tmp_path / "out" / "README.md").read_text()
    alone, beside = (
        subprocess.run(
            [sys.executable, "-P", "verify.py"],
            capture_output=True, text=True, cwd=tmp_path / "out", timeout=120, check=False,
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | more,
        )
        for more in ({}, {"PYTHONPATH": str(project / "mine")})
    )  # fmt: skip
    assert beside.returncode == 0, beside.stdout
    assert alone.returncode == 1
    assert "add the folder of `my_model` to PYTHONPATH" in alone.stdout
