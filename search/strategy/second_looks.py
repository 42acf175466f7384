"""Second looks: a training that was stopped early is begun again, and this time it runs to its end.

A sampler that means one says so in the trial it proposes; pruners and the ledger read it there.
"""

from __future__ import annotations

from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial

__all__ = ["mark", "second_look"]

ATTRIBUTE = "second_look"


def mark(study: Study, trial: FrozenTrial, number: int) -> None:
    """Note in a trial that it is a second look at the trial `number`, which was stopped."""
    trial.set_user_attr(ATTRIBUTE, number)
    study._storage.set_trial_user_attr(trial._trial_id, ATTRIBUTE, number)


def second_look(attributes: dict[str, Any]) -> int | None:
    """Return which stopped trial one with these user attributes is a second look at, if it is one."""
    number: int | None = attributes.get(ATTRIBUTE)
    return number
