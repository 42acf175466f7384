"""The study of a run: torn, damaged, or of another search."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from fusion_ops.errors import RunError
from search.study import opening
from search.study.opening import create_study, cut_torn_tail, load_study

OBJECTIVES = ("accuracy", "params")


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """The journal of a study with three finished trials."""
    path = tmp_path / "study.journal"
    study = create_study(path, None, OBJECTIVES, optuna.samplers.RandomSampler(seed=0))
    for number in range(3):
        study.tell(study.ask(), [0.5 + 0.1 * number, 1000.0])
    return path


def opened(journal: Path, objectives: tuple[str, ...] = OBJECTIVES) -> optuna.Study:
    return load_study(journal, None, objectives, optuna.samplers.RandomSampler(seed=0))


def test_a_torn_tail_is_cut_off_and_kept_and_the_study_goes_on(journal: Path) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]) + lines[-1][:-9])
    study = opened(journal)
    assert [trial.state.is_finished() for trial in study.trials] == [True, True, False]
    assert journal.with_name("study.journal.torn").read_bytes() == lines[-1][:-9] + b"\n"
    study.tell(2, [0.7, 1000.0])
    assert [trial.values for trial in opened(journal).trials] == [[0.5, 1000.0], [0.6, 1000.0], [0.7, 1000.0]]


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
@pytest.mark.parametrize("content", [b"", b"a\n", b"a\nbc\n", b"a\nlonger than a block", b"no line", b"\nx"])
def test_only_the_end_of_a_journal_is_looked_at_for_a_torn_line(tmp_path, monkeypatch, block, content) -> None:
    path = tmp_path / "study.journal"
    path.write_bytes(content)
    monkeypatch.setattr(opening, "BLOCK", block)
    whole, end, torn = content.rpartition(b"\n")
    assert cut_torn_tail(path) is bool(torn)
    assert path.read_bytes() == whole + end
    assert path.with_name("study.journal.torn").exists() is bool(torn)
    assert not torn or path.with_name("study.journal.torn").read_bytes() == torn + b"\n"


def test_a_copy_is_as_the_study_and_what_is_done_to_it_stays_in_it(journal: Path) -> None:
    written = journal.read_bytes() + b'{"op_code": 4, "torn'
    journal.write_bytes(written)
    copy = load_study(journal, None, OBJECTIVES, optuna.samplers.RandomSampler(seed=0), copied=True)
    copy.set_user_attr("written", True)
    copy.tell(copy.ask(), [0.1, 1000.0])
    assert journal.read_bytes() == written
    assert sorted(path.name for path in journal.parent.iterdir()) == ["study.journal"]
    assert [trial.values for trial in copy.trials][:3] == [trial.values for trial in opened(journal).trials]
    assert copy.directions == opened(journal).directions


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: b"\x00\xff\xfe" * 100 + b"\n", id="garbage"),
        pytest.param(lambda content: b"[1, 2]\n", id="other JSON"),
        pytest.param(lambda content: content[: len(content) // 3] + b"{\n" + content, id="garbage inside"),
    ],
)
def test_what_is_no_study_is_named_with_the_remedy(journal: Path, damage) -> None:
    journal.write_bytes(damage(journal.read_bytes()))
    with pytest.raises(RunError, match=r"study\.journal is not a usable study .*; restore it from a copy"):
        opened(journal)


def test_a_missing_journal_is_named(journal: Path) -> None:
    journal.unlink()
    with pytest.raises(RunError, match=r"study\.journal does not exist"):
        opened(journal)


def test_a_study_of_other_objectives_is_refused(journal: Path) -> None:
    with pytest.raises(RunError, match=r"directions \['maximize', 'minimize'\], not \['maximize'\]"):
        opened(journal, ("accuracy",))


def test_the_only_study_of_a_journal_is_opened_whatever_its_name(journal: Path) -> None:
    study = load_study(journal, None, OBJECTIVES, optuna.samplers.RandomSampler(seed=0), "another name")
    assert len(study.trials) == 3


def test_a_database_that_others_use_needs_the_right_name(tmp_path: Path) -> None:
    url, sampler = f"sqlite:///{tmp_path}/study.db", optuna.samplers.RandomSampler(seed=0)
    journal = tmp_path / "study.journal"

    def named(name: str, *, guessed: bool) -> str:
        return load_study(journal, url, OBJECTIVES, sampler, name, guessed=guessed).study_name

    with pytest.raises(RunError, match=r"names .*study\.db, which does not exist; put that file back"):
        named("fusion-nas a", guessed=True)
    assert not list(tmp_path.iterdir())
    (tmp_path / "study.db").touch()
    with pytest.raises(RunError, match=r"has no study `fusion-nas a`; it has none. Give the right `storage.url`"):
        named("fusion-nas a", guessed=True)
    assert not (tmp_path / "study.db").read_bytes()
    create_study(journal, url, OBJECTIVES, sampler, "fusion-nas a")
    assert named("fusion-nas renamed", guessed=True) == "fusion-nas a"
    with pytest.raises(RunError, match=r"has no study `fusion-nas renamed`; it has `fusion-nas a`"):
        named("fusion-nas renamed", guessed=False)
    create_study(journal, url, OBJECTIVES, sampler, "fusion-nas b")
    assert named("fusion-nas b", guessed=True) == "fusion-nas b"
    with pytest.raises(RunError, match=r"write `study: NAME` under `resolved` in its config.yaml"):
        named("fusion-nas renamed", guessed=True)
