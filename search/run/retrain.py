"""The third way into a run: its finalists are trained again, from scratch, and shown the test images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from optuna.samplers import RandomSampler

from fusion_ops.errors import RunError
from reports.candidates import table
from reports.judging import save_verdict
from reports.measures import MEASURES, Measure
from reports.retrained.outcomes import Outcomes, read_scores, stacked
from reports.retrained.participant import Participant, merged
from reports.retrained.record import RetrainRecord
from search.config import SearchConfig
from search.run.budget import Budget
from search.run.driver import Driver
from search.run.ended_search import EndedSearch, ended_search, require_ended
from search.run.kept_outcomes import kept_outcomes
from search.run.margin_ahead import margin_ahead
from search.run.points import keep_points
from search.run.reopening import reopened, resumable
from search.run.retrain_request import RetrainRequest, limits_of
from search.run.work import RetrainWork
from search.study.adaptive_planner import AdaptivePlanner, Scores
from search.study.ledger import Ledger
from search.study.participants import ablations, choose_participants
from search.study.planner import FixedPlanner, Planner, seed_list
from search.study.retraining import Retraining
from search.study.storage import guarded
from search.training.held_out import digest
from search.training.settings import TrainConfig

__all__ = ["Prospect", "prospect", "retrain"]


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a retraining would do, before anything starts.

    Args:
        record: What is asked for, and who takes part.
        recipes: By name, how they are trained.
        retraining: What is left to train.
        ledger: The candidates of the run.
        config: The run's config.
        outcomes: What the test images got so far, by network and recipe.
    """

    record: RetrainRecord
    recipes: dict[str, TrainConfig]
    retraining: Retraining
    ledger: Ledger
    config: SearchConfig
    outcomes: Mapping[tuple[str, str], Outcomes]


def retrain(run_dir: str | Path, request: RetrainRequest) -> bool:
    """Train the finalists of a run and what they have to beat again; return whether a signal ended it.

    What a call leaves open is as in the call before. Trainings that were interrupted go on; none is done twice. The
    report is written, `verdict.json`, and `points.json`.

    Args:
        run_dir: The run directory.
        request: What is asked for.

    Raises:
        ConfigError: A recipe is wrong, or the config cannot be carried out here.
        DataError: The data set cannot be used.
        RunError: The search has not ended or has no complete candidate, the run directory or its study cannot be used,
            its data, config or test images have changed, another process drives it, or Ray does not start.
    """
    opened = ended_search(run_dir, request)
    config, directory = opened.config, opened.directory
    # On a copy first, so that nothing is written where something is wrong.
    _prospect(opened)
    with directory.locked(), guarded(config.storage.url, "retrain"), resumable(directory, "retrain"):
        require_ended(directory)
        driver, retraining, record = _driver(opened)
        driver.ledger.release()
        directory.write_retrain_record(record)
        look = partial(keep_points, directory.path, config, opened.recipes, opened.dataset)
        work = RetrainWork(retraining, opened.recipes, record.recipes, record.test_digest, driver.budget, look)
        interrupted = driver.run(work, "retraining", most=retraining.most())
        save_verdict(directory.path)
        return interrupted


def prospect(run_dir: str | Path, request: RetrainRequest) -> Prospect:
    """Return what `retrain` would do; nothing is written, nothing starts.

    Raises:
        ConfigError, DataError, RunError: As in `retrain`.
    """
    return _prospect(ended_search(run_dir, request))


def _prospect(opened: EndedSearch) -> Prospect:
    """Return what would be done, by a copy of the study.

    Raises:
        RunError: As in `retrain`; also where what the test images got so far is missing, damaged, or of other images.
    """
    with guarded(opened.config.storage.url, "retrain"):
        driver, retraining, record = _driver(replace(opened, asked=replace(opened.asked, ablate=False)), copied=True)
    outcomes = kept_outcomes(opened.directory.path, driver.ledger, record)
    record = replace(record, ablate=opened.asked.ablate)
    return Prospect(record, opened.recipes, retraining, driver.ledger, opened.config, outcomes)


def _driver(opened: EndedSearch, *, copied: bool = False) -> tuple[Driver, Retraining, RetrainRecord]:
    """Return who drives a retraining, what it is, and what the run is to remember of it.

    Only what a killed driver left half done in the study is put right; of a copy, in the copy.
    """
    config, directory, asked = opened.config, opened.directory, opened.asked
    # Nothing is proposed any more, and nothing that is trained again is shown to the search's sampler.
    study = reopened(config, directory, opened.space.space, opened.dataset, RandomSampler(seed=0), copied=copied)
    epochs, seconds = limits_of(asked.budget)
    budget = Budget(timeout=seconds, device_hours=None, devices=1.0, trained=lambda: 0.0)
    made: list[tuple[Retraining, RetrainRecord]] = []

    def after(ledger: Ledger) -> Retraining:
        record = _recorded(opened, ledger)
        retraining = _retraining(opened, ledger, record, epochs)
        made.append((retraining, record))
        return retraining

    driver = Driver(config, directory, opened.space, study, opened.dataset, after=(budget, after))
    return driver, *made[0]


def _recorded(opened: EndedSearch, ledger: Ledger) -> RetrainRecord:
    """Return what is asked for, with who takes part: as the search stands now, and what was set back before.

    Raises:
        RunError: No candidate is complete, the test images have changed, or a recipe is not known any more.
    """
    complete = [one for one in ledger.all() if one.state == "complete" and not one.series]
    if complete and not any(one.feasible for one in complete):
        raise RunError(
            f"none of the {len(complete)} complete candidates of {opened.directory.path} meets the constraints, so "
            f"that there is no finalist; `fusion-nas status {opened.directory.quoted}` names the nearest."
        )
    if not complete:
        raise RunError(
            f"no candidate of the run {opened.directory.path} is complete, so there is nothing to train again; see the "
            f"reasons in its {table.FILE}."
        )
    _require_recipes(opened, ledger)
    _require_test_images(opened)
    found = digest(opened.dataset.test)
    if opened.known is not None and opened.known.test_digest != found:
        raise RunError(
            "the test images have changed since the retraining began, so that its results could not be compared; put "
            "them back."
        )
    # A run of a version that did not write it down is taken as it is.
    if opened.config.resolved.get("test_digest", found) != found:
        raise RunError(
            "the test images have changed since the run was launched, though not their number; put them back, or "
            "launch a new run."
        )
    chosen, no_controls = choose_participants(ledger, opened.asked.top)
    return replace(
        opened.asked,
        test_images=len(opened.dataset.test),
        test_digest=found,
        seed_list=seed_list(opened.config.search.seed, opened.asked.seeds[1]),
        participants=merged((*chosen, *_set_back(opened.known))),
        no_controls=no_controls,
    )


def _set_back(known: RetrainRecord | None) -> Iterator[Participant]:
    """Yield who took part because a point of the winner was set back, as that alone."""
    for one in known.participants if known else ():
        roles = tuple(part for part in one.roles if part[0] == "ablation")
        if roles:
            yield replace(one, roles=roles)


def _require_test_images(opened: EndedSearch) -> None:
    if not len(opened.dataset.test):
        raise RunError(
            f"data set {opened.dataset.name} has no test images with labels, which a retraining is measured on; launch "
            "a new run with `data.split: FILE.csv`, which gives each image that has a label to a part."
        )


def _require_recipes(opened: EndedSearch, ledger: Ledger) -> None:
    begun = (*ledger.all(), *ledger.to_go_on())
    for name in sorted({one.recipe for one in begun if one.role} - opened.recipes.keys()):
        raise RunError(
            f"the run has retrainings of a recipe `{name}`, which is not known any more; give --recipe FILE."
        )


def _retraining(opened: EndedSearch, ledger: Ledger, record: RetrainRecord, epochs: int | None) -> Retraining:
    def ablate(winner: Participant) -> Sequence[Participant]:
        joined = merged((*record.participants, *ablations(ledger.joint, winner)))
        opened.directory.write_retrain_record(replace(record, participants=joined))
        return joined

    return Retraining(
        ledger,
        record.participants,
        partial(_planner, opened, ledger, record),
        {name: train.epochs for name, train in opened.recipes.items()},
        most_epochs=epochs,
        ablate=ablate if record.ablate else None,
    )


def _planner(
    opened: EndedSearch, ledger: Ledger, record: RetrainRecord, participants: Sequence[Participant]
) -> Planner:
    """Return who decides what is trained next: by what is seen, where the number of seeds is a range."""
    least, most = record.seeds
    recipes, quality = tuple(record.recipes), MEASURES[ledger.quality]
    if least == most:
        return FixedPlanner(participants, recipes, record.seed_list, least)
    return AdaptivePlanner(
        participants,
        recipes,
        seed_list(opened.config.search.seed, most + least),
        least,
        most,
        scores=_scores(opened.directory.path, quality),
        quality=quality,
        margin=margin_ahead(opened.config, ledger, record),
        looked=record.looked,
    )


def _scores(run_dir: Path, quality: Measure) -> Scores:
    """Return who reads what the test images got; a file is read once."""

    @cache
    def of_one(candidate_id: str, number: int) -> NDArray[np.float64]:
        return read_scores(run_dir, candidate_id, number, quality.name)

    def scores(candidate_id: str, numbers: Sequence[int]) -> NDArray[np.float64]:
        return -quality.sign * stacked([of_one(candidate_id, number) for number in numbers])

    return scores
