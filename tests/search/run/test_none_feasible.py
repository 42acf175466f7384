"""A search in which no complete candidate meets the constraints: every command says so, and names the nearest."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from fusion_ops.errors import RunError
from search.cli.outcome import print_run
from search.config import SearchConfig
from search.run.jobs import begun
from search.run.planning import plan
from search.run.retrain import prospect
from search.run.retrain_request import RetrainRequest
from search.run.run import Run
from search.study.run_directory import RunDirectory
from search.training.job import Progress
from search.watching.status import read_status

CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, aff], reductions: [4]}
data: {name: digits}
train: {epochs: 2}
constraints: {accuracy: 0.9}
search: {trials: 3, sampler: random, pruner: none, baselines: false}
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that has ended: three complete candidates below the accuracy that it asks for."""
    (tmp_path / "small.yaml").write_text(CONFIG)
    config = SearchConfig.load(tmp_path / "small.yaml")
    directory = RunDirectory(tmp_path / "run")
    space, dataset = plan(config)
    directory.create()
    driver = begun(config, directory, space, dataset)
    for accuracy in (0.6, 0.81, 0.7):
        curve = tuple({"accuracy": value, "loss": 1 - value} for value in (0.3, accuracy))
        driver.ledger.report(driver.ledger.ask().number, Progress(curve, 2.0, "host:1", done=True))
    driver.log.write("ended", complete=3)
    driver._write_table()
    return directory.path


def test_every_command_names_the_nearest(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = Run(run).candidates()
    best = table.loc[table["accuracy"] == 0.81, "id"].item()
    status = read_status(run)
    assert (status["best"], status["front"], status["nearest"]) == (None, 0, best)
    said = (
        "None of the 3 complete candidates meets accuracy ≥ 90.00 %. "
        f"The nearest is {best}: accuracy 81.00 %, 10 % beyond."
    )
    with pytest.raises(typer.Exit) as ended:
        print_run(Run(run))
    assert ended.value.exit_code == 3
    assert f"no candidate meets the constraints: {said}" in capsys.readouterr().err
    assert f"The nearest is {best}" in Run(run).report().read_text(encoding="utf-8").replace("<code>", "").replace(
        "</code>", ""
    )
    with pytest.raises(RunError, match="there is no best to export") as refused:
        Run(run).export(run.parent / "out")
    assert best in str(refused.value)


def test_there_is_no_finalist_to_retrain(run: Path) -> None:
    with pytest.raises(RunError, match=r"none of the 3 complete candidates of .* meets the constraints, so that"):
        prospect(run, RetrainRequest())
    assert not (run / "retrain.yaml").exists()
