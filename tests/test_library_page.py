"""The examples of docs/library.md run as they stand there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.reports.conftest import demo_run, make_records, space  # noqa: F401 - fixtures

PAGE = Path(__file__).parents[1] / "docs" / "library.md"


def test_the_examples_run(demo_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    for name in "ab":
        shutil.copytree(demo_run, tmp_path / "runs" / name)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    known: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), known)  # noqa: S102 - our own page
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.suffix in (".html", ".parquet")}
    assert written == {"table.html", "ranking.parquet", "runs/a/report.html", "a-and-b.html"}
