"""Which part of what a network returns is its prediction: `train.output`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from fusion_ops.errors import CandidateError
from spaces.importing import imported, is_reference
from spaces.tracing.outputs import in_words, outputs_of, parts

__all__ = ["Select", "of_prediction", "prediction_of", "takes_whole_output"]

Select = Callable[[Any], Any]
WHOLE_OUTPUT = "whole_output"


def prediction_of(output: int | str | None) -> Select:
    """Return the function from what a network returns to its prediction.

    Args:
        output: `train.output`: `None` takes all that is returned. An index or a name takes that part of a tuple, a
            list, a mapping or a dataclass; a tensor is taken as it is, as training and evaluation may differ. A
            `module:function` gets what is returned and returns the prediction.

    Raises:
        SpecError: A user-defined function cannot be imported.
    """
    if output is None:
        return lambda returned: returned
    if isinstance(output, str) and is_reference(output):
        function: Select = imported(output)
        return function
    return lambda returned: returned if isinstance(returned, Tensor) else _part(returned, output)


def of_prediction(function: Callable[..., Any], select: Select) -> Callable[..., Any]:
    """Return a loss that takes what the network returns: it gets the prediction, or all where it asks for that."""
    if takes_whole_output(function):
        return function
    return lambda returned, *rest: function(select(returned), *rest)


def takes_whole_output(function: Callable[..., Any]) -> bool:
    """Return whether a user-defined function asks for all that the network returns: `f.whole_output = True`."""
    return bool(getattr(function, WHOLE_OUTPUT, False))


def _part(returned: Any, output: int | str) -> Any:
    found = parts(returned) or {}
    if isinstance(output, str) and output in found:
        return found[output]
    if isinstance(output, int) and -len(found) <= output < len(found):
        return list(found.values())[output]
    raise CandidateError(
        f"`train.output: {output}` is not among what the network returns: {in_words(outputs_of(returned))}. Write its "
        "index, its name, or `module:function`."
    )
