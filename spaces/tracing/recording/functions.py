"""User-defined functions with a gradient of their own, as calls of a graph."""

from __future__ import annotations

import importlib
from typing import Any

from spaces.tracing.recording.refusals import UnfollowableError

__all__ = ["Applied"]


class Applied:
    """`Function.apply` of a `torch.autograd.Function`, under a name that a line of Python can import.

    Args:
        function: The class.

    Raises:
        UnfollowableError: The class is not at the top level of a module.
    """

    def __init__(self, function: Any) -> None:
        found: Any = importlib.import_module(function.__module__)
        for name in function.__qualname__.split("."):
            found = getattr(found, name, None)
        if found is not function:
            raise UnfollowableError(
                f"`{function.__name__}`, a function with a gradient of its own, is not at the top level"
            )
        self.__module__ = function.__module__
        self.__qualname__ = f"{function.__qualname__}.apply"
        self.__name__ = f"{function.__name__}_apply"
        self._function = function

    def __call__(self, *args: Any) -> Any:
        """Compute the function."""
        return self._function.apply(*args)
