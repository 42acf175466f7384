"""What `retrain` prints before and after: who takes part and what it takes, then what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

import pandas as pd
import typer

from reports.candidates import table
from reports.candidates.candidate import RETRAINED
from reports.candidates.hyperparameters import settings_in_words
from reports.judging import in_words, judgement_of
from reports.measures import MEASURES, Measure, quality_of, tested
from reports.phrases import describe, duration
from reports.retrained.participant import Participant
from reports.retrained.record import RetrainRecord, read_retrain_record
from reports.run.run import load_run, read_config
from search.cli.console import print_lines, print_table, print_text
from search.cli.errors import verdict_code
from search.cli.power import power_of_retraining
from search.run.expectation import Expectation, expected
from search.run.retrain import Prospect
from search.watching.status import how_to_resume, read_status
from spaces import from_ref

__all__ = ["print_prospect", "print_retrained"]


def print_prospect(found: Prospect) -> None:
    """Print who would take part, how often, and how long that would take."""
    record, retraining = found.record, found.retraining
    _print_participants(record)
    ahead = expected(found.config, found.ledger, retraining)
    least, most = record.seeds
    seeds = f"{least} seeds each" if least == most else f"{least} to {most} seeds each"
    recipes = ", ".join(f"{name} ({_epochs(train.epochs)})" for name, train in found.recipes.items())
    print_text("")
    typer.echo(f"seeds       {seeds}")
    typer.echo(f"recipes     {recipes}")
    typer.echo(f"trainings   {_trainings(ahead)}{_within(record)}")
    if ahead.seconds:
        where = "a worker" if ahead.workers is None else f"{ahead.workers} workers" if ahead.workers > 1 else "1 worker"
        typer.echo(f"time        about {duration(ahead.seconds)} on {where}, judged by the search")
    typer.echo(f"test        {record.test_images:,} images, which the search has not seen")
    print_lines("power", power_of_retraining(found))
    if record.ablate:
        typer.echo("ablation    then each point of the winner set back, one at a time, not counted above")


def print_retrained(run_dir: Path, *, interrupted: bool, by_verdict: bool) -> None:
    """Print what the networks showed on the test images, and the verdict.

    Raises:
        typer.Exit: It was interrupted (130), no retraining is complete (1), or the exit code is to say the verdict.
    """
    status = read_status(run_dir)
    if interrupted:
        typer.echo(f"interrupted: {how_to_resume(status)}", err=True)
        raise typer.Exit(130)
    config, record, rows = read_config(run_dir), read_retrain_record(run_dir), table.read(run_dir)
    complete = rows[(rows["series"] == RETRAINED) & (rows["state"] == "complete")]
    if record is None or complete.empty:
        where = Path(run_dir) / table.FILE
        typer.echo(f"no retraining is complete; see the reasons in {where}", err=True)
        raise typer.Exit(1)
    _print_results(record, complete, quality_of(config["objectives"]))
    judged = judgement_of(load_run(run_dir))
    if judged is not None:
        typer.echo(f"\n{in_words(judged)}")
    typer.echo(f"\nreport  {Path(run_dir) / 'report.html'}")
    if (again := status["retraining"])["ended_by"] == "limits.same_failures":
        typer.echo(
            f"the retraining ended after {again['done']} of at most {again['most']} trainings, because all of a recipe "
            f"fail for one reason (`limits.same_failures`): {str(again['failure']).rstrip('.')}. Put that right, then "
            f"`fusion-nas retrain {quote(str(run_dir))}`"
        )
    elif again["ended_by"]:
        typer.echo(
            f"the retraining ended after {again['done']} of at most {again['most']} trainings: its budget of "
            f"{record.budget} is used up; `fusion-nas retrain {quote(str(run_dir))} --budget none` goes on without one"
        )
    if by_verdict and judged is not None:
        raise typer.Exit(verdict_code(judged.verdict.outcome))


def _print_participants(record: RetrainRecord) -> None:
    rows = [(one.id, _roles(one), _described(one), *_costs(one)) for one in record.participants]
    print_table(("id", "takes part as", "fusion"), ("parameters", "FLOPs"), rows)
    for missing in record.no_controls:
        print_text(f"{missing.of} {missing.measure}: {missing.why}")


def _print_results(record: RetrainRecord, complete: pd.DataFrame, quality: Measure) -> None:
    column, rows = tested(quality.column), []
    for one in record.participants:
        for recipe in record.recipes:
            same = complete[(complete["id"] == one.id) & (complete["recipe"] == recipe)]
            if len(same):
                means = (quality.format(float(same[name].mean())) for name in (quality.column, column))
                rows.append((one.id, _roles(one), recipe, str(len(same)), *means, _costs(one)[0]))
    headings = ("seeds", f"validation {quality.label}", f"test {quality.label}", "parameters")
    print_table(("id", "took part as", "recipe"), headings, rows)


def _described(participant: Participant) -> str:
    # Backticks mark code where text is set; in a table they only stand in the way.
    words = (describe(participant.architecture).replace("`", ""), settings_in_words(participant.hyperparameters))
    return ", ".join(filter(None, words))


def _roles(participant: Participant) -> str:
    return ", ".join(f"{role.replace('_', ' ')}{f' ({of})' if of else ''}" for role, of in participant.roles)


def _costs(participant: Participant) -> Sequence[str]:
    cost = from_ref(participant.architecture.space).cost(participant.architecture).measures()
    return tuple(MEASURES[name].format(cost[name]) for name in ("params", "flops"))


def _trainings(ahead: Expectation) -> str:
    return f"at most {ahead.trainings:,}, {_epochs(ahead.epochs)}" if ahead.trainings else "none left"


def _epochs(count: float) -> str:
    return "1 epoch" if count == 1 else f"{count:,.0f} epochs"


def _within(record: RetrainRecord) -> str:
    return f" (within --budget {record.budget})" if record.budget else ""
