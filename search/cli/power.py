"""What `launch --dry-run` and `retrain --dry-run` say of the differences that can be shown."""

from __future__ import annotations

from reports.measures import MEASURES, Measure, quality_of
from reports.phrases import signed_points
from reports.retrained.margin import margin_of
from search.config import SearchConfig
from search.run.margin_ahead import margin_ahead
from search.run.power import (
    Power,
    assumed_power,
    gain_of_single_trainings,
    looks_at,
    looks_of,
    measured_powers,
)
from search.run.retrain import Prospect
from search.run.retrain_request import FINALISTS, SEEDS
from search.training.data import Dataset

__all__ = ["power_of_launch", "power_of_retraining"]

NONE = "none"
# Before any training; of a better network less is left to chance.
ASSUMED_ACCURACY = 0.9


def power_of_launch(config: SearchConfig, dataset: Dataset) -> list[str]:
    """Return the smallest differences that the search, and a retraining after it, can show; one line each."""
    quality, images = quality_of(config.objectives), len(dataset.validation)
    if quality.name != "accuracy":
        return [_unknown(quality)]
    searched = _gain(quality, gain_of_single_trainings(ASSUMED_ACCURACY, images))
    looks = looks_at(SEEDS, margin_of(config.verdict.margin, quality, (), ""), FINALISTS)
    found = assumed_power(ASSUMED_ACCURACY, len(dataset.test), looks, SEEDS)
    lines = [
        f"the smallest differences that show, at best, at {100 * ASSUMED_ACCURACY:.0f} % accuracy (80 % power):",
        f"in the search {searched}: one training each, {images:,} validation images",
    ]
    if found is None:
        return [*lines, f"in a retraining none: {len(dataset.test):,} test images are too few"]
    shown = f"in a retraining {_gain(quality, found.gain)}: {_seeds(found)}, {found.images:,} test images"
    return [*lines, shown, _for_half(found)]


def power_of_retraining(found: Prospect) -> list[str]:
    """Return the smallest differences that a retraining can show, one recipe after the other."""
    ledger, record = found.ledger, found.record
    margin = margin_ahead(found.config, ledger, record)
    quality = MEASURES[ledger.quality]
    if measured := measured_powers(found.outcomes, record, quality, margin):
        several = len(record.recipes) > 1
        return [line for one in measured for line in _measured(one, quality, named=several)]
    accuracy = _best(found) if quality.name == "accuracy" else None
    if accuracy is None:
        return [_unknown(quality)]
    assumed = assumed_power(accuracy, record.test_images, looks_of(record, margin), record.seeds)
    if assumed is None:
        return [_unknown(quality)]
    return [
        f"at best {_shown(quality, assumed.gain)} (80 % power, {_seeds(assumed)})",
        f"assumes that seeds differ by chance alone, at {quality.format(accuracy)}; two seeds measure it",
        _for_half(assumed),
    ]


def _measured(found: Power, quality: Measure, *, named: bool) -> list[str]:
    under = f"under {found.recipe} " if named else ""
    networks = "1 network" if found.networks == 1 else f"{found.networks} networks"
    half = f"; {_for_half(found)}" if quality.style == "percent" else ""
    return [
        f"{under}{_shown(quality, found.gain)} (80 % power, {_seeds(found)})",
        f"measured on {networks}{half}",
    ]


def _best(found: Prospect) -> float | None:
    """Return the best accuracy of the search."""
    ledger = found.ledger
    losses = [ledger.loss(one) for one in ledger.all() if one.state == "complete" and not one.series]
    return -min(losses) if losses else None


def _for_half(found: Power) -> str:
    needs = [f"{found.seeds_for_half:,} seeds"] if found.seeds_for_half else []
    needs += [f"{found.images_for_half:,} test images"] if found.images_for_half else []
    if not needs:
        return "half a point takes more than 100 seeds; further images do not show it"
    return f"half a point takes {' or '.join(needs)}"


def _seeds(found: Power) -> str:
    least, most = found.seeds
    return f"{most} seeds each" if least == most else f"{least} to {most} seeds each"


def _shown(quality: Measure, gain: float) -> str:
    found = _gain(quality, gain)
    return "no gain at all can be shown" if found == NONE else f"a gain of {found} can be shown"


def _gain(quality: Measure, gain: float) -> str:
    """Return a gain in words; of a share there is none of 100 points or more."""
    return NONE if quality.style == "percent" and gain >= 1.0 else signed_points(quality, gain).removeprefix("+")


def _unknown(quality: Measure) -> str:
    return f"only trainings can tell which differences in {quality.label} show: `retrain --dry-run` after two seeds"
