"""The weights that candidates begin with, on their way to the workers: once to every node, by Ray's object store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import ray

from fusion_ops.errors import RunError
from search.training.files import PASSED_ON, CandidateFiles, Identified

__all__ = ["PassedOn", "Store"]


@dataclass(frozen=True, slots=True)
class PassedOn:
    """What a candidate has passed on, in the object store.

    Args:
        number: The candidate's number.
        reference: Where it is.
    """

    number: int
    reference: Any

    def fetch(self) -> bytes:
        """Return it; nodes that have it already are not sent it again."""
        content: bytes = ray.get(self.reference)
        return content

    def __deepcopy__(self, memo: object) -> Self:
        return self


class Store:
    """Puts what candidates pass on into the object store, each once.

    Args:
        files: Where it is kept.
    """

    def __init__(self, files: CandidateFiles) -> None:
        self._files = files
        self._known: dict[int, PassedOn] = {}

    def get(self, candidate: Identified) -> PassedOn:
        """Return what a candidate has passed on.

        Raises:
            RunError: It is gone.
        """
        number = candidate.number
        if number not in self._known:
            content = self._files.read(candidate, PASSED_ON)
            if content is None:
                raise RunError(
                    f"the weights of candidate {number}, with which others begin, are gone from the run directory; put "
                    "them back, or launch a new run."
                )
            self._known[number] = PassedOn(number, ray.put(content))
        return self._known[number]
