"""Hyperparameters as Optuna's distributions, and back."""

from __future__ import annotations

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from fusion_ops.errors import SpecError
from spaces.hyperparameter import Hyperparameter, Range, Values, label

__all__ = ["distribution", "hyperparameter"]


def distribution(one: Hyperparameter) -> BaseDistribution:
    """Return the distribution that a trial has after `one.suggest(trial)`."""
    if isinstance(one, Range):
        if one.integer:
            return IntDistribution(int(one.low), int(one.high), one.log, int(one.step or 1))
        return FloatDistribution(float(one.low), float(one.high), one.log, one.step)
    return CategoricalDistribution([label(value) for value in one.values])


def hyperparameter(name: str, of: BaseDistribution) -> Hyperparameter | None:
    """Return the hyperparameter that a parameter of a user's own study is; `None` where there is nothing to choose."""
    if of.single():
        return None
    if isinstance(of, CategoricalDistribution):
        if any(isinstance(choice, list | tuple) for choice in of.choices):
            return None  # a trial would get the label, which is none of its choices: drawn as Optuna does
        try:
            return Values(name, of.choices)
        except SpecError:
            return None  # values that are no settings, such as NaN: drawn as Optuna does
    if isinstance(of, IntDistribution):
        return Range(name, of.low, of.high, log=of.log, step=None if of.log or of.step == 1 else of.step)
    if isinstance(of, FloatDistribution):
        return Range(name, of.low, of.high, log=of.log, step=of.step)
    return None
