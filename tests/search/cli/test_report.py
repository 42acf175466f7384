"""`fusion-nas report`: of a run, of several, of a study; bad input is one line and exit code 2."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import optuna
import pandas as pd
import pytest

import spaces
from search.cli.errors import run
from tests.reports.exportable import record, write_run


def fusion_nas(*arguments: object) -> int:
    from search.cli.app import app

    import_module("search.cli.report")
    return run(app, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield tmp_path
    optuna.logging.set_verbosity(before)


@pytest.fixture
def runs(here: Path) -> list[str]:
    space = spaces.create("resnet", depth=8, width=2, num_classes=3, in_channels=1, input_size=(8, 8))
    for name, op in (("a", "sum"), ("b", "concat")):
        architecture = space.uniform(op)
        write_run(here / name, space, [record(0, architecture, space.cost(architecture))])
    return ["a", "b"]


@pytest.fixture
def url(here: Path) -> str:
    study = optuna.create_study(storage="sqlite:///s.db", directions=["maximize", "minimize"])
    space = spaces.create("resnet")
    study.optimize(lambda trial: (0.9, space.cost(space.suggest(trial)).params), n_trials=2)
    return "sqlite:///s.db"


def test_one_run_and_its_table(runs: list[str], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fusion_nas("report", "a", "--table", "t.parquet") == 0
    assert capsys.readouterr().out.split() == ["a/report.html", "t.parquet"]
    table = pd.read_parquet("t.parquet")
    assert table["rank"].tolist() == [1]
    assert "run" not in table.columns


def test_several_runs_and_their_table(runs: list[str], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fusion_nas("report", *runs, "--table", "t.json", "--assets", "directory") == 0
    assert capsys.readouterr().out.split() == ["runs.html", "t.json"]
    assert (here / "report-assets").is_dir()
    rows = json.loads(Path("t.json").read_text())
    assert [(row["run"], row["rank"], row["knee"]) for row in rows] == [("a", 1, True), ("b", 1, True)]


def test_a_study_with_its_space(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--study", url, "--objectives", "accuracy,params")
    assert fusion_nas("report", *arguments) == 0
    assert capsys.readouterr().out == "study.html\n"
    assert 'id="architecture"' not in Path("study.html").read_text()
    assert fusion_nas("report", *arguments, "--space", "resnet", "-o", "net.html", "--table", "t.csv") == 0
    assert 'id="architecture"' in Path("net.html").read_text()
    table = pd.read_csv("t.csv")
    assert table["curve"].tolist() == ["[]", "[]"]
    assert table["rank"].notna().all()


def test_a_space_of_the_users_own(url: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "users_space.py").write_text(
        "import spaces\nfrom spaces.hyperparameter import Range\n"
        "def make():\n    return spaces.create('resnet')\ndef wrong():\n    return 3\n"
        "def beside():\n    return spaces.JointSpace(make(), [Range('train.lr', 0.1, 1.0)])\n"
    )
    arguments = ("report", "--study", url, "--objectives", "accuracy,params", "--space")
    assert fusion_nas(*arguments, "users_space:make") == 0
    # Hyperparameters that the study has not are no matter.
    assert fusion_nas(*arguments, "users_space:beside") == 0
    assert fusion_nas(*arguments, "users_space:wrong", "-o", "x.html") == 2
    assert "`--space` names a function that returns a space" in capsys.readouterr().err
    assert not Path("x.html").exists()


WRONG = [
    ((), "give a run directory, two to five of them, or --study URL"),
    (("a", "--study", "sqlite:///s.db"), "not both, nor none"),
    (("a", "a"), "got a twice. Name it once"),
    (("a", "b", "c", "d", "e", "f"), "two to 5 runs can be compared; got 6"),
    (("a", "nothing"), "there is no run directory nothing"),
    (("a", "--space", "resnet"), "`--space` is for --study"),
    (("a", "--table", "t.xlsx"), "a table is written as .csv, .json, .parquet, by the file's suffix; got t.xlsx"),
    (("--study", "sqlite:///none.db"), "names the file none.db, which does not exist"),
    (("--study", "sqlite:///two.db", "--objectives", "accuracy,"), "needs a name; got 'accuracy', ''"),
    (("--study", "postgresql://me:secret@127.0.0.1:1/db?connect_timeout=1"), "postgresql://me:***@127.0.0.1:1/db"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_bad_input_is_one_line(
    runs: list[str], here: Path, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    optuna.create_study(storage="sqlite:///two.db", directions=["maximize", "minimize"])
    before = sorted(here.rglob("*"))
    assert fusion_nas("report", *arguments) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert "secret" not in said.err
    assert sorted(here.rglob("*")) == before


def test_advice_on_several_studies_works(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    optuna.create_study(storage=url, study_name="other").optimize(lambda trial: 1.0, n_trials=1)
    assert fusion_nas("report", "--study", url) == 2
    assert "name one with --study-name: no-name-" in capsys.readouterr().err
    assert fusion_nas("report", "--study", url, "--study-name", "other") == 0
