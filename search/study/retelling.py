"""A study told once more, to one whose parameters have more values.

Optuna holds a categorical parameter to the values that a study saw first. So a wider space needs a study of its own:
each trial is told to it as it was, under its number, with the parameters that its architecture has in the wider space.
Nobody reads it before it is whole, and the study before it is removed after that.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import optuna
from optuna.trial import FixedTrial, FrozenTrial

from search.strategy import trials as stored
from search.strategy.proposals.encoding import Encoding
from spaces import Architecture, SearchSpace

__all__ = ["WIDENS", "remove_narrower", "retell"]

# Of a study: which one it takes the place of.
WIDENS = "widens"


def retell(
    study: optuna.Study, create: Callable[[str], optuna.Study], narrow: SearchSpace, wide: SearchSpace
) -> tuple[optuna.Study, int]:
    """Return a study of the wider space that has all that the narrower one's has.

    The latencies of single operators are left out, which have to be measured anew with those that are new. What a
    killed process left of a retelling is removed first.

    Args:
        study: The study of the narrower space; it stays as it is.
        create: Returns a new study in the same storage, given its name.
        narrow: The space of the study.
        wide: A space of the same host network that has all choices of the narrow one.

    Returns:
        The new study, and how many trials have no architecture of the space: they keep all but their parameters.
    """
    new = create(_free_name(study))
    new.set_user_attr(WIDENS, stored.study_key(study))
    for name, value in study.user_attrs.items():
        if name not in (stored.CONFIG, WIDENS) and not name.startswith(stored.OPERATOR_LATENCY):
            new.set_user_attr(name, value)
    before, after = Encoding(narrow), Encoding(wide)
    strangers = 0
    for trial in stored.every_trial(study):
        architecture = _architecture(trial, before)
        params = {} if architecture is None else wide.params(architecture)
        strangers += bool(stored.parameters(trial)) and architecture is None
        new.add_trial(stored.retold(trial, params, after.distributions))
    return new, strangers


def remove_narrower(study: optuna.Study) -> None:
    """Remove the study that this one took the place of, if it is still there."""
    storage, widens = stored.storage_of(study), study.user_attrs.get(WIDENS)
    if widens is None or widens[0] not in optuna.get_all_study_names(storage):
        return
    if stored.study_key(optuna.load_study(study_name=widens[0], storage=storage)) == widens:
        optuna.delete_study(study_name=widens[0], storage=storage)


def _free_name(study: optuna.Study) -> str:
    """Return a name for the study that follows, `NAME (2)`, free of what was left half told."""
    base, storage = re.sub(r" \(\d+\)$", "", study.study_name), stored.storage_of(study)
    names = optuna.get_all_study_names(storage)
    for name in (f"{base} ({number})" for number in range(2, len(names) + 2)):
        if name in names and _half_told(study, name):
            optuna.delete_study(study_name=name, storage=storage)
            return name
        if name not in names:
            return name
    return f"{base} ({len(names) + 2})"


def _half_told(study: optuna.Study, name: str) -> bool:
    left = optuna.load_study(study_name=name, storage=stored.storage_of(study))
    return bool(left.user_attrs.get(WIDENS) == stored.study_key(study))


def _architecture(trial: FrozenTrial, encoding: Encoding) -> Architecture | None:
    """Return what a trial proposes; `None` for a retraining, which no sampler is to learn of, and for a stranger."""
    candidate = stored.record(trial)
    if candidate is not None:
        return None if candidate.role else candidate.architecture
    params = stored.parameters(trial)
    return None if encoding.decode(params) is None else encoding.space.suggest(FixedTrial(params)).architecture
