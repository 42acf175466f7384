"""What samplers and pruners see of a study: the codes that were proposed and what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from reports.fronts.dominance import foremost
from search.strategy.endings import Endings
from search.strategy.known import Known
from search.strategy.proposals.encoding import Code, Encoding, key
from search.strategy.trials import FIXED, learning_curve, parameters, same_study, trained

__all__ = ["Observation", "Observations", "remembered"]

# So many candidates of a long study are kept at least, and fewer than twice as many; so many stopped ones at most.
MOST, MOST_STOPPED = 2048, 4096


@dataclass(frozen=True, slots=True)
class Observation:
    """A candidate of the study.

    Args:
        number: Number of its trial.
        code: Its architecture.
        state: That of its trial; a pruner stopped what is `PRUNED`.
        values: `(k,)`, its objectives, all to minimise, where it is complete.
        curve: By epoch, the measures by name; empty where none were reported.
        end: When it ended; the earliest time there is where the study does not say.
        queued: Whether it was queued with parameters, at least some.
    """

    number: int
    code: Code
    state: TrialState
    values: npt.NDArray[np.float64] | None = None
    curve: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    end: datetime = datetime.min
    queued: bool = False


class Observations:
    """The candidates of one study, read again only where something can have changed.

    `ended` holds them by number, further ended ones behind: all of them while they are few, of many those that
    `remembered` picks. `count` says how many have ended, and `since` returns those that ended last.
    """

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._endings: Endings | None = None
        self._begin()

    def _begin(self) -> None:
        self._proposed: dict[int, Code] = {}
        self._stopped: dict[bytes, Observation] = {}
        self._pending: dict[int, Observation] | None = None
        self._waiting: dict[int, Observation] = {}
        self._held: dict[int, FrozenTrial] = {}
        # By key, whether it was trained to an end.
        self._seen = Known()
        self._besides = -1
        self.signs: npt.NDArray[np.float64] = np.ones(1)
        self.ended: list[Observation] = []
        self.count = self.completed = 0

    @property
    def pending(self) -> list[Observation]:
        """Those that wait or are in training, by number."""
        return list(self._now_pending().values())

    def _now_pending(self) -> dict[int, Observation]:
        if self._pending is None and self._endings is not None:
            known, there = self._waiting, [number for number in self._endings.open if number != self._besides]
            unknown = [number for number in there if number not in known or known[number].state == TrialState.WAITING]
            for trial in self._endings.trials(unknown):
                code = self._code(trial)
                if code is not None:
                    known[trial.number] = Observation(trial.number, code, trial.state)
                    self._see(code)
            self._pending = {number: known[number] for number in there if number in known}
        return self._pending or {}

    @property
    def seen(self) -> Known:
        """The keys of all that was proposed."""
        self._now_pending()
        return self._seen

    @property
    def stopped(self) -> dict[bytes, Observation]:
        """What was stopped and has not been trained again since, nor is in training now, by its key.

        Of more than `MOST_STOPPED` the latest.
        """
        again = {key(candidate.code) for candidate in self._now_pending().values()}
        return {known: candidate for known, candidate in self._stopped.items() if known not in again}

    def is_stopped(self, code: Code) -> bool:
        """Return whether a code is in `stopped`."""
        known = key(code)
        return known in self._stopped and all(key(candidate.code) != known for candidate in self.pending)

    def stopped_at(self, code: Code) -> int:
        """Return the epoch at which a code in `stopped` was stopped; 0 for any other."""
        return max(self._stopped[key(code)].curve, default=0) if self.is_stopped(code) else 0

    def since(self, count: int) -> list[Observation]:
        """Return what has ended since `count` had, as far as it is kept: the latest are."""
        return self.ended[max(len(self.ended) - (self.count - count), 0) :]

    def remember(self, number: int, code: Code) -> None:
        """Note what was proposed for a trial, whose parameters the study will know only when it asks for them."""
        self._proposed[number] = code
        self._see(code)

    def _see(self, code: Code) -> None:
        known = key(code)
        if known not in self._seen:
            self._seen[known] = False

    def update(self, study: Study, besides: int) -> None:
        """Read what is new in the study, but for the trial of number `besides`, which is being proposed or judged."""
        if self._endings is None or not same_study(study, self._endings.study):
            self._begin()
            self._endings = Endings(study)
            self.signs = np.array([-1.0 if way == StudyDirection.MAXIMIZE else 1.0 for way in study.directions])
        self._held |= {trial.number: trial for trial in self._endings.update()}
        self._besides, self._pending = besides, None
        for number in sorted(self._held.keys() - {besides}):
            self._take(self._held.pop(number))
        if len(self.ended) >= 2 * MOST:
            self.ended = remembered(self.ended)

    def _take(self, trial: FrozenTrial) -> None:
        code = self._code(trial)
        self._proposed.pop(trial.number, None)
        self._waiting.pop(trial.number, None)
        if code is None:
            return
        known = key(code)
        values = self.signs * np.asarray(trial.values) if trial.state == TrialState.COMPLETE else None
        end = trial.datetime_complete or datetime.min
        candidate = Observation(
            trial.number, code, trial.state, values, learning_curve(trial), end, FIXED in trial.system_attrs
        )
        self.ended.append(candidate)
        self.count, self.completed = self.count + 1, self.completed + (values is not None)
        before = self._seen.get(known)
        if trained(trial):
            self._stopped.pop(known, None)
            if trial.state == TrialState.PRUNED and not before:
                self._stopped[known] = candidate
                if len(self._stopped) > MOST_STOPPED:
                    del self._stopped[next(iter(self._stopped))]
        self._seen[known] = bool(before) or trained(trial)

    def _code(self, trial: FrozenTrial) -> Code | None:
        if trial.number in self._proposed:
            return self._proposed[trial.number]
        return self._encoding.decode(parameters(trial))


def remembered(ended: Sequence[Observation]) -> list[Observation]:
    """Return `MOST` of a long study's candidates, in their order.

    A half are the completed ones nearest to the front, a quarter the latest, a quarter are spread evenly over the rest.
    """
    complete = [index for index, seen in enumerate(ended) if seen.values is not None]
    points = [seen.values for seen in ended if seen.values is not None]
    best = foremost(np.array(points), MOST // 2).tolist() if points else []
    kept = {complete[place] for place in best} | set(range(len(ended) - MOST // 4, len(ended)))
    rest = [index for index in range(len(ended)) if index not in kept]
    spread = np.linspace(0, len(rest) - 1, min(MOST - len(kept), len(rest))).astype(int).tolist()
    return [ended[index] for index in sorted(kept | {rest[place] for place in spread})]
