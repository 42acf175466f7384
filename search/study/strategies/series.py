"""The trainings of one stage of a strategy: beside the search, so that no sampler proposes them or learns of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.candidates.candidate import TERMINAL, Candidate
from search.study.ledger import Ledger
from search.study.run_directory import utc_now
from search.training.stage import Stage
from spaces import Architecture

__all__ = ["Series", "Wanted"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One training of a stage.

    Args:
        architecture: What is trained.
        seed: With which seed.
        slot: Name of the slot around which alone it is trained; empty for the whole network.
    """

    architecture: Architecture
    seed: int
    slot: str = ""


class Series:
    """Hands out what is trained for one purpose, each once; what had failed is tried again on a resume.

    Args:
        ledger: The run's candidates.
        name: The series of theirs.
    """

    def __init__(self, ledger: Ledger, name: str) -> None:
        self._ledger, self.name = ledger, name
        self._given_up = {one.number for one in self.candidates() if one.state in TERMINAL and one.state != "complete"}

    def candidates(self) -> list[Candidate]:
        """Return those that are in training or have ended."""
        return self._ledger.of_series(self.name)

    def complete(self) -> list[Candidate]:
        """Return those that were trained to their end."""
        return [one for one in self.candidates() if one.state == "complete"]

    def is_left(self, wanted: Sequence[Architecture | Wanted]) -> bool:
        """Return whether any of these is still to be trained, or in training."""
        unfinished = any(one.state not in TERMINAL for one in self.candidates())
        return unfinished or bool(self._waiting()) or bool(self._missing(wanted))

    def epochs_ahead(self, wanted: int, stage: Stage) -> float:
        """Return the epochs that are still to be trained, where so many architectures are wanted in all."""
        if stage.as_it_is:
            return 0.0
        begun = [one for one in (*self.candidates(), *self._waiting()) if one.number not in self._given_up]
        running = sum(stage.train.epochs - one.epochs for one in begun if one.state not in TERMINAL)
        return max(wanted - len(begun), 0) * stage.train.epochs + running

    def next(self, wanted: Sequence[Architecture | Wanted], start: int | None = None) -> Candidate | None:
        """Hand out what waits to go on or, of these, the first that nobody has trained; `None` where there is none.

        Args:
            wanted: What is to be trained; of an architecture alone the whole network, with the seed of the run.
            start: Number of the candidate with whose weights they begin.
        """
        if waiting := self._waiting():
            return self._ledger.take_up(waiting[0].number)
        missing = self._missing(wanted)
        return self._begin(missing[0], start) if missing else None

    def _begin(self, wanted: Wanted, start: int | None) -> Candidate:
        cost = self._ledger.joint.cost(wanted.architecture)

        def made(number: int) -> Candidate:
            return Candidate(
                number,
                wanted.architecture,
                "control",
                wanted.seed,
                cost.params,
                cost.flops,
                started=utc_now(),
                series=self.name,
                start=start,
                slot=wanted.slot,
            )

        return self._ledger.begin(made)

    def _waiting(self) -> list[Candidate]:
        return sorted((one for one in self._ledger.to_go_on() if one.series == self.name), key=lambda one: one.number)

    def _missing(self, wanted: Sequence[Architecture | Wanted]) -> list[Wanted]:
        known = [one for one in (*self.candidates(), *self._waiting()) if one.number not in self._given_up]
        there = {Wanted(one.architecture, one.seed, one.slot) for one in known}
        stated = (one if isinstance(one, Wanted) else Wanted(one, self._ledger.seed) for one in wanted)
        return [one for one in stated if one not in there]
