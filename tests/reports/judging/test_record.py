"""`verdict.json`: the contract, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fusion_ops.errors import RunError
from reports.judging.record import Entry, Verdict, read_verdict, write_verdict

VERDICT = Verdict(
    "better",
    "22ae05c307",
    0.0025,
    (Entry("sum", "c04847c764", "default", 0.011, 0.004, 0.018, 0.003, 5, 2000, "better"),),
)
CONTRACT = {
    "schema_version": 1, "outcome": "better", "candidate": "22ae05c307", "margin": 0.0025,
    "comparisons": [{"against": "sum", "id": "c04847c764", "recipe": "default", "gain": 0.011, "low": 0.004,
                     "high": 0.018, "p": 0.003, "seeds": 5, "images": 2000, "outcome": "better"}],
}  # fmt: skip


def test_the_file_is_the_contract(tmp_path: Path) -> None:
    path = write_verdict(VERDICT, tmp_path)
    assert path == tmp_path / "verdict.json"
    assert json.loads(path.read_text(encoding="utf-8")) == CONTRACT
    assert read_verdict(tmp_path) == VERDICT
    assert [file.name for file in tmp_path.iterdir()] == ["verdict.json"]


def test_no_file_is_no_verdict(tmp_path: Path) -> None:
    assert read_verdict(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "verdict.json cannot be read"),
        ("[]", r"must have `schema_version` 1; got None"),
        (json.dumps(CONTRACT | {"schema_version": 2}), "got 2. Use the version of fusion-nas that wrote it"),
        (json.dumps(CONTRACT | {"outcome": "good"}), "one of better, same, worse, undecided; got 'good'"),
        (json.dumps(CONTRACT | {"comparisons": [{}]}), "the verdict is damaged"),
        (json.dumps({key: CONTRACT[key] for key in ("schema_version", "outcome")}), "'comparisons'"),
    ],
)
def test_a_damaged_file_is_named(text: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "verdict.json").write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=what):
        read_verdict(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot write .*verdict\.json: No such file"):
        write_verdict(VERDICT, tmp_path / "nowhere")
