"""The user's own code, found by name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fusion_ops.errors import SpecError
from spaces.importing import import_modules, imported, is_reference, make_importable


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", list(sys.path))
    make_importable(tmp_path)
    return tmp_path


def test_finds_attributes_of_modules_and_classes(folder: Path) -> None:
    (folder / "own_found.py").write_text("class Net:\n    @classmethod\n    def make(cls):\n        return 7\n")
    assert imported("own_found:Net.make")() == 7


@pytest.mark.parametrize("name", ["", "x", "x:", ":x", "x y:z", "x:y:z", "../x:y", "x.py:y()"])
def test_refuses_what_is_no_reference(name: str) -> None:
    assert not is_reference(name)
    with pytest.raises(SpecError, match=r"package\.module:attribute"):
        imported(name)


def test_names_the_missing_module(folder: Path) -> None:
    with pytest.raises(SpecError, match="there is no module `own_missing`; install it"):
        imported("own_missing.part:x")


def test_names_the_nearest_attribute(folder: Path) -> None:
    (folder / "own_typo.py").write_text("def network():\n    pass\n")
    with pytest.raises(SpecError, match=r"has no `netwrok`; did you mean `network`\?"):
        imported("own_typo:netwrok")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("\nraise ValueError('no weights')", "own_broken.py, line 2: ValueError: no weights"),
        ("x = (", "own_broken.py, line 1: SyntaxError"),
        ("import own_dependency_that_is_not_there", "own_broken.py, line 1: No module named"),
    ],
)
def test_says_where_the_import_fails(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str, words: str) -> None:
    (folder / "own_broken.py").write_text(source)
    monkeypatch.delitem(sys.modules, "own_broken", raising=False)
    with pytest.raises(SpecError, match=words):
        imported("own_broken:x")


def test_what_is_installed_comes_first(folder: Path) -> None:
    (folder / "fusion_ops.py").write_text("raise RuntimeError")
    assert imported("fusion_ops:build")


def test_modules_are_imported_for_what_they_register(folder: Path) -> None:
    (folder / "own_operator.py").write_text("known = 1\n")
    import_modules(["own_operator", "own_operator"])
    assert "own_operator" in sys.modules
    for name, words in (("own operator", "is named `package.module`"), ("own_gone", "there is no module `own_gone`")):
        with pytest.raises(SpecError, match=words):
            import_modules([name])
