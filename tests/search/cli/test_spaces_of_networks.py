"""`fusion-nas spaces --model`, and what launch tells of a user-defined network."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from search.cli import COMMANDS
from search.cli.app import app
from search.cli.errors import run

CONFIG = """
space: {name: traced, model: "traced_models:routed", kwargs: {channels: 1, classes: 10}}
data: {name: digits}
"""


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "spaces" / "tracing"))


def fusion_nas(*arguments: str) -> int:
    """Run a command in this process, which has torch loaded already."""
    for command in COMMANDS:
        import_module(f"search.cli.{command}")
    return run(app, arguments)


def test_notices_are_a_section_and_a_key(capsys: Any) -> None:
    command = ("spaces", "--model", "traced_models:routed", "--example", "1,2,8,8")
    assert fusion_nas(*command) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Notice: module `router` stays as it is" in text
    assert fusion_nas(*command, "--json") == 0
    (notice,) = json.loads(capsys.readouterr().out)["notices"]
    assert notice.startswith("module `router` stays as it is")
    assert fusion_nas("spaces", "resnet", "--json") == 0
    assert json.loads(capsys.readouterr().out)["notices"] == []


def test_one_example_for_each_input(capsys: Any) -> None:
    command = ("spaces", "--model", "traced_models:several", "--json", "--example", "1,2,8,8", "--example", "1,5")
    assert fusion_nas(*command) == 2
    assert "Give one example for each argument that has no default" in capsys.readouterr().err
    assert fusion_nas(*command, "--example", "") == 0
    assert [point["name"] for point in json.loads(capsys.readouterr().out)["points"]] == ["add"]


def test_an_example_that_is_no_shape_is_bad_usage(capsys: Any) -> None:
    assert fusion_nas("spaces", "--model", "traced_models:small", "--example", "1,a") == 2
    assert "`--example` is a shape like 1,3,224,224; got '1,a'." in capsys.readouterr().err


def test_a_dry_run_tells_the_notices(tmp_path: Path, capsys: Any, caplog: Any) -> None:
    (tmp_path / "a.yaml").write_text(CONFIG, encoding="utf-8")
    assert fusion_nas("launch", str(tmp_path / "a.yaml"), "--run-dir", str(tmp_path / "run"), "--dry-run") == 0
    assert "notice: module `router` stays as it is" in caplog.text
    told = capsys.readouterr().out
    assert "1 fusion points" in told
    assert "in a retraining" in told
