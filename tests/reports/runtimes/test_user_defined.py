"""Runtimes of users: what is wrong with one is said in one line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fusion_ops.errors import RunError, SpecError
from reports.exporting.formats import chosen
from reports.exporting.int8 import chosen_int8
from reports.runtimes import RUNTIMES, runtime, runtime_named
from reports.runtimes.onnxruntime import OnnxRuntime

OWN = """
from reports.runtimes import Runtime

class Whole(Runtime):
    title, file, packages = "Board", "board.bin", ()

    def convert(self, network, inputs, path, *, batch=None):
        path.write_bytes(b"")

class NoTitle(Whole):
    title = None

class NoFile(Runtime):
    title = "Board"

    def convert(self, network, inputs, path, *, batch=None):
        pass

class NoRunner(Whole):
    runner = "nowhere/run_board.py"

class Unplugged(Whole):
    def __init__(self):
        raise OSError("the board does not answer")

class Unfinished(Runtime):
    title, file = "Board", "board.bin"
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "boards_of_mine.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("boards_of_mine", None)


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NoTitle", "has no `title`"),
        ("NoFile", "has no `file`"),
        ("NoRunner", r"its `runner`, nowhere/run_board\.py, is no file; give its whole path, or `None`"),
        ("Unplugged", "cannot be made: OSError: the board does not answer"),
        ("Unfinished", "cannot be made: .*convert.*; define what `Runtime` leaves open"),
    ],
)
def test_what_is_wrong_with_a_runtime_is_said(name: str, words: str) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        runtime_named(f"boards_of_mine:{name}")
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("own")
def test_a_runtime_without_packages_has_no_version_and_lacks_nothing() -> None:
    board = runtime_named("boards_of_mine:Whole")
    assert (board.version, board.missing()) == (None, ())


def test_int8_in_openvino_asks_for_what_quantizes_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OnnxRuntime, "missing", lambda self, *, to_run=True: ("onnxruntime",))
    with pytest.raises(RunError, match=r"needs onnxruntime; run `pip install fusion-nas\[openvino,onnx\]`"):
        chosen_int8(["openvino"], lambda: ())


def test_a_runtime_without_a_file_of_its_own_is_no_format() -> None:
    with pytest.raises(SpecError, match=r"unknown format `torch-compiled`.*known: pt2, torch, onnx"):
        chosen(["torch-compiled"])
    assert chosen(["none"]) == ()
    with pytest.raises(RunError, match="or none alone; got 'pt2,none'"):
        chosen(["pt2", "none"])
    assert RUNTIMES["torch-compiled"].format == ""


def test_another_distribution_of_the_same_package_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "packages_distributions", lambda: {"some_runtime": ["torch"]})
    assert runtime.installed_version("some-runtime") == runtime.installed_version("torch")
    assert runtime.installed_version("no-runtime") is None
