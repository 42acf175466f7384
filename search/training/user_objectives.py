"""User-defined objectives: `module:function`."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable
from typing import Any

from fusion_ops.errors import CandidateError, SpecError
from reports.measures import MEASURES, Measure, declare
from spaces.importing import imported, is_reference

__all__ = ["as_number", "declare_objective", "user_functions"]

_IS_QUALITY: dict[tuple[str, ...], bool] = {("outputs", "labels"): True, ("model", "images"): False}


def declare_objective(reference: str) -> Measure:
    """Make the user's function known as an objective, and return its measure.

    A function `f(outputs, labels)` is a quality: after each epoch it gets the network's outputs for all
    validation images and their labels, and returns a number. A function `f(model, images)` is a cost: it gets
    the trained network, in evaluation mode, and one batch of images, once, after training.

    A quality is to be maximised and a cost to be minimised, unless the function has an attribute `direction`
    that says otherwise; an attribute `label` names it in the report.

    Raises:
        SpecError: It cannot be imported, is no function of these parameters, or its `direction` is neither
            `maximize` nor `minimize`.
    """
    function = imported(reference)
    quality = _is_quality(reference, function)
    direction: Any = getattr(function, "direction", None) or ("maximize" if quality else "minimize")
    if direction not in ("maximize", "minimize"):
        raise SpecError(f"`{reference}`: `direction` must be `maximize` or `minimize`; got {direction!r}.")
    label = str(getattr(function, "label", reference.rpartition(":")[2].replace("_", " ")))
    return declare(Measure(reference, label, direction, "number", reference, quality=quality))


def user_functions(objectives: Iterable[str], *, quality: bool) -> dict[str, Callable[..., Any]]:
    """Return the user-defined functions among the objectives, by name: the qualities, or the costs."""
    found = (name for name in objectives if is_reference(name))
    return {name: imported(name) for name in found if MEASURES[name].quality == quality}


def as_number(name: str, value: Any, *, what: str = "number") -> float:
    """Return what a user-defined function returned as a number.

    Args:
        name: Name of the function.
        value: What it returned.
        what: What the error calls it. The reason of a failed training says so whether a quality or a cost was none:
            `reports.retrained.failures` takes the one for a divergence, not the other.

    Raises:
        CandidateError: It is no finite number.
    """
    try:
        result = float(value)
    except (TypeError, ValueError):
        raise CandidateError(f"`{name}` must return a number; got {type(value).__name__}") from None
    if not math.isfinite(result):
        raise CandidateError(f"`{name}` must return a finite {what}; got {result}")
    return result


def _is_quality(reference: str, function: Any) -> bool:
    signature = inspect.signature(function) if callable(function) else None
    quality = _IS_QUALITY.get(tuple(signature.parameters)[:2]) if signature else None
    if quality is None:
        raise SpecError(
            f"`{reference}` must be a function `f(outputs, labels)`, a quality, or `f(model, images)`, a cost; got "
            f"{signature or type(function).__name__}."
        )
    return quality
