"""Where numbers come from: what a run recorded is shown, what it did not is said, no password leaves the run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import reports
from reports.run.catalog import make_catalog
from reports.run.run import load_run
from reports.views.provenance import NOT_RECORDED, Provenance, provenance

Records = Callable[..., list[dict[str, Any]]]


def provenance_of(path: Path) -> tuple[Provenance, dict[str, dict[str, str]]]:
    run = load_run(path)
    found = provenance(run, make_catalog(run))
    return found, {title: {fact.label: fact.value for fact in facts} for title, facts in found.sections}


def edit(path: Path, **resolved: Any) -> None:
    config = yaml.safe_load((path / "config.yaml").read_text())
    config["resolved"] |= resolved
    (path / "config.yaml").write_text(yaml.safe_dump(config))


def test_what_an_older_version_did_not_record_is_said(make_run: Callable[..., Path]) -> None:
    path = make_run()
    edit(path, environment={}, dataset={})
    _, facts = provenance_of(path)
    assert facts["Splits"]["train images"] == NOT_RECORDED
    assert facts["Splits"]["fingerprint of test"] == NOT_RECORDED
    assert facts["Software"] == {"versions": NOT_RECORDED, "your code": NOT_RECORDED}
    assert facts["Hardware"]["GPUs"] == NOT_RECORDED
    assert facts["Seeds"] == {"search and trainings": "0", "split of the data": "0"}


def test_what_was_recorded_is_shown(make_run: Callable[..., Path]) -> None:
    path = make_run(data={"name": "digits", "val_fraction": 0.2, "seed": 3})
    edit(
        path,
        fingerprints={"train": "aa", "validation": "bb", "test": "cc"},
        code=[{"folder": "/u/a", "commit": "abc123", "changed": 2}, {"folder": "/u/b", "commit": None}],
        network="feed",
    )
    workers = {"node-1": {"torch": "2.12.0", "cpu": "Example CPU"}, "node-2": {"cpu": "Example CPU"}}
    (path / "workers.json").write_text(json.dumps(workers))
    _, facts = provenance_of(path)
    assert facts["Splits"]["fingerprint of validation"] == "bb"
    assert facts["Splits"]["validation images are"].startswith("0.2 of the training images, drawn with seed 3")
    assert facts["Software"]["torch"] == "2.13.0"
    assert facts["Software"]["code in /u/a"] == "git abc123, and 2 changed files"
    assert facts["Software"]["code in /u/b"] == "under no version control that was found"
    assert facts["Hardware"]["worker node-1"] == "2 processes"
    assert facts["Hardware"]["machine of node-1"] == "torch 2.12.0 (the driver: 2.13.0)"
    assert facts["Hardware"]["machine of node-2"] == "as the driver's"
    assert facts["Hashes"]["fingerprint of your network"] == "feed"
    for name in ("config.yaml", "candidates.csv"):
        assert facts["Hashes"][f"SHA-256 of {name}"] == hashlib.sha256((path / name).read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("states", "said"),
    [
        # Two folders of one repository, beside each other, and one of another clone at the same commit.
        (
            [("/u/a/one", "abc", "/u/a", 2), ("/u/a/two", "abc", "/u/a", 1), ("/u/b", "abc", "/u/b", 0)],
            {"code in /u/a/one and /u/a/two": "git abc, and 3 changed files", "code in /u/b": "git abc"},
        ),
        # The count of the outer one has that of the inner one; an older run recorded no top level.
        (
            [("/u/a/one", "abc", None, 1), ("/u/a", "abc", None, 1)],
            {"code in /u/a/one and /u/a": "git abc, and 1 changed file"},
        ),
        (
            [("/u/a", "abc", None, 0), ("/u/ab", "abc", None, 0)],
            {"code in /u/a": "git abc", "code in /u/ab": "git abc"},
        ),
        (
            [("/u/a", None, None, None), ("/u/a/b", None, None, None)],
            dict.fromkeys(("code in /u/a", "code in /u/a/b"), "under no version control that was found"),
        ),
    ],
)
def test_one_repository_is_one_commit(
    make_run: Callable[..., Path], states: list[tuple[Any, ...]], said: dict[str, str]
) -> None:
    path = make_run()
    keys = ("folder", "commit", "repository", "changed")
    edit(path, code=[dict(zip(keys, state, strict=True)) for state in states])
    _, facts = provenance_of(path)
    assert {label: text for label, text in facts["Software"].items() if label.startswith("code in")} == said


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (
            {"val_fraction": 0.2, "groups": "p.csv"},
            "0.2 of the training images in whole groups of `data.groups: p.csv`",
        ),
        (
            {"val_fraction": 0.2, "split": "s.csv"},
            "those of `data.split: s.csv`; of the training images where it names",
        ),
    ],
)
def test_how_the_data_were_divided_is_shown(make_run: Callable[..., Path], data: dict[str, Any], says: str) -> None:
    _, facts = provenance_of(make_run(data=data))
    assert facts["Splits"]["validation images are"].startswith(says)


def test_images_of_each_part_and_class_and_notices_are_shown(make_run: Callable[..., Path]) -> None:
    path = make_run()
    sizes = {"train": [3, 700], "validation": [40, 40]}
    notices = ["files are left out: 3 .txt", "class `emu` is never validated"]
    edit(path, dataset={"train": 1000, "validation": 200, "test": 50, "images_a_class": sizes, "notices": notices})
    found, facts = provenance_of(path)
    assert facts["Splits"]["train images"] == "1,000, 3 to 700 a class"
    assert facts["Splits"]["validation images"] == "200, 40 a class"
    assert facts["Splits"]["test images"] == "50"
    splits = dict(found.sections)["Splits"]
    assert [fact.value for fact in splits if fact.label == "notice"] == notices


def test_what_could_be_chosen_before_the_space_was_widened_is_shown(make_run: Callable[..., Path]) -> None:
    path = make_run(space={"name": "resnet", "ops": ["sum", "aff", "eca"], "reductions": [4]})
    _, facts = provenance_of(path)
    assert facts["Space"] == {"operators": "sum, aff, eca", "ratios r": "4"}
    edit(path, widened=[{"until": "2000-01-01T10:00:00.000+00:00", "ops": ["sum", "aff"], "reductions": [4]}])
    found, facts = provenance_of(path)
    assert facts["Space"] == {
        "operators": "sum, aff, eca; until 2000-01-01 10:00:00 UTC (0 candidates): sum, aff",
        "ratios r": "4",
    }
    assert found.unrepeatable[0].startswith("The space was widened during the search: 0 candidates were proposed from")


def test_no_password_leaves_the_run(make_run: Callable[..., Path]) -> None:
    path = make_run(storage={"url": "postgresql://me:hunter2@db/x?sslpassword=hunter3"})
    found, _ = provenance_of(path)
    assert "postgresql://me:***@db/x?sslpassword=***" in found.config
    html = reports.write_html(path).read_text()
    assert "hunter" not in html


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"search": {"timeout": 60}}, "`search.timeout`"),
        ({"objectives": ["accuracy", "latency"]}, "Latency is measured anew"),
    ],
)
def test_what_cannot_be_repeated(
    make_run: Callable[..., Path], make_records: Records, changes: Any, words: str
) -> None:
    objectives = tuple(changes.pop("objectives", ("accuracy", "params")))
    rows = make_records()
    found, _ = provenance_of(make_run([rows[0] | {"retries": 1}, *rows[1:]], objectives=objectives, **changes))
    said = " ".join(found.unrepeatable)
    assert words in said
    assert "candidates were in work at once" in said
    assert "1 candidate went on from a checkpoint" in said
    assert "GPU" not in said


def test_gpus_add_in_an_order_of_their_own(make_run: Callable[..., Path]) -> None:
    path = make_run()
    edit(path, environment={"gpus": ["H200"]})
    assert "GPU kernels" in " ".join(provenance_of(path)[0].unrepeatable)


@pytest.mark.parametrize("content", ["[1", '["a"]', '{"a": 3}', "null"])
def test_a_damaged_record_of_workers_is_none(make_run: Callable[..., Path], content: str) -> None:
    path = make_run()
    (path / "workers.json").write_text(content)
    assert "machine of a" not in provenance_of(path)[1]["Hardware"]
