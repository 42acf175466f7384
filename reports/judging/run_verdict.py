"""The verdict of a run directory."""

from __future__ import annotations

from pathlib import Path

from reports.comparison.sequential import Looks
from reports.judging.judgement import Judgement, judge
from reports.judging.record import Verdict, read_verdict, write_verdict
from reports.retrained.arms import (
    arms,
    awaited_controls,
    entered_finalists,
    failed_networks,
    missing_controls,
    recipes,
    seed_range,
)
from reports.retrained.margin import verdict_margin
from reports.run.run import RunRecord, load_run

__all__ = ["judgement_of", "save_verdict", "verdict"]


def judgement_of(run: RunRecord) -> Judgement | None:
    """Return the verdict of a run with all that it rests on; `None` where nothing was retrained.

    Raises:
        RunError: What the test images got is missing or damaged; the message names the file.
        DataError: Networks were tested on different images.
    """
    seeds, margin = seed_range(run), verdict_margin(run)
    looks = None if seeds is None else Looks(*seeds, margin=margin)
    return judge(
        arms(run),
        run.quality,
        margin=margin,
        looks=looks,
        missing=missing_controls(run),
        awaited=awaited_controls(run),
        recipes=recipes(run),
        failed=failed_networks(run),
        entered=entered_finalists(run),
        short=run.short,
    )


def verdict(run_dir: str | Path) -> Verdict:
    """Return the verdict of a run, as `verdict.json` has it.

    It is made anew from what each test image got. Where nothing was retrained it is `undecided`, about the best
    candidate of the search, and without comparisons. Where the folder has no retrained rows any more but a
    `verdict.json`, that is read.

    Raises:
        RunError: The folder is no run, or is damaged; the message names the file.
        DataError: Networks were tested on different images.
    """
    run = load_run(run_dir)
    judged = judgement_of(run)
    if judged is not None:
        return judged.verdict
    return read_verdict(run_dir) or Verdict("undecided", _best(run), verdict_margin(run))


def save_verdict(run_dir: str | Path) -> Judgement | None:
    """Write `verdict.json` beside the candidates table, and return what it rests on.

    Where nothing was retrained nothing is written, and the answer is `None`.

    Raises:
        RunError: The folder is no run, is damaged, or cannot be written; the message names the file.
        DataError: Networks were tested on different images.
    """
    judged = judgement_of(load_run(run_dir))
    if judged is not None:
        write_verdict(judged.verdict, run_dir)
    return judged


def _best(run: RunRecord) -> str:
    losses = (run.quality.sign * run.ranked[run.quality.column]).to_list()
    return "" if not losses else str(run.ranked["id"].iloc[losses.index(min(losses))])
