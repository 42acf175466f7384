"""A journal's trials in memory, of which a long study needs a few."""

from __future__ import annotations

import copy
from array import array
from collections import deque
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, TrialState

from search.study.dense import Dense
from search.study.distributions import Distributions
from search.study.journal import Journal
from search.study.parked import Trials

__all__ = ["LongStorage"]

_CREATED, _PARAMETER, _TOLD = 4, 5, 6
_NONE: array[int] = array("q")
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
# Of a study: so many of its first trials stay whole, which Optuna looks at for every parameter.
FIRST = 256


class LongStorage(JournalStorage):
    """Optuna's journal storage for studies of many trials.

    What waits or is in training is found without a look at all that has ended, and so are the trials from a number on.
    Of the trials that have ended the first and the latest are kept as they are, the others without their parameters
    and attributes, which lie in a file of the process's own. The journal has everything. What `proposing` makes is one
    record there.

    Args:
        journal: The journal.
        kept: How many of the latest ended trials are kept whole; `None` for all, as samplers need them that look at
            every trial for each proposal.
    """

    def __init__(self, journal: Journal, kept: int | None = None) -> None:
        self._journal = journal
        self._kept = kept
        self._trials = Trials()
        self._whole: deque[int] = deque()
        # By study, the numbers of its trials in the order in which they ended.
        self._ended: dict[int, array[int]] = {}
        self._distributions = Distributions()
        # By study and name of a parameter, the distribution that was its first.
        self._first: dict[tuple[int, str], BaseDistribution] = {}
        # By study, how many of its first trials have all ended.
        self._settled: dict[int, int] = {}
        # The trials that wait, for which Optuna looks before every proposal.
        self._waiting: set[int] = set()
        super().__init__(journal)

    @contextmanager
    def proposing(self) -> Iterator[None]:
        """Have the trial that the block asks for written as one record, with its parameters and first attributes."""
        with self._thread_lock:
            self._journal.hold()
        try:
            yield
        finally:
            with self._thread_lock:
                self._journal.let_go()

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Set a parameter; one whose distribution may be refused is written by itself."""
        text = self._distributions.text(distribution)
        log = {"trial_id": trial_id, "param_name": param_name, "param_value_internal": param_value_internal}
        with self._thread_lock:
            if not self._is_usual(trial_id, param_name, self._distributions.of(text)):
                self._journal.write_held()
            self._write_log(_PARAMETER, log | {"distribution": text})
            self._sync_with_backend()

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials of a study, those in some states."""
        with self._thread_lock:
            self._sync_with_backend()
            if states is None or any(state in states for state in _FINISHED):
                found = self._replay_result.get_all_trials(study_id, states)
            elif TrialState.RUNNING not in states:
                found = self._queued(study_id) if TrialState.WAITING in states else []
            else:
                found = [one for one in self._from(study_id, self._unsettled(study_id)) if one.state in states]
            return copy.deepcopy(found) if deepcopy else found

    def trials_from(self, study_id: int, number: int) -> list[FrozenTrial]:
        """Return the trials of a study from a number on, not to be changed."""
        with self._thread_lock:
            self._sync_with_backend()
            return self._from(study_id, number)

    def ended_after(self, study_id: int, count: int) -> list[FrozenTrial]:
        """Return the trials of a study that have ended since so many had, not to be changed."""
        with self._thread_lock:
            self._sync_with_backend()
            known = self._replay_result
            known.get_study(study_id)
            ids = known._study_id_to_trial_ids[study_id]
            return [known._trials[ids[number]] for number in self._ended.get(study_id, _NONE)[count:]]

    def get_n_trials(self, study_id: int, state: tuple[TrialState, ...] | TrialState | None = None) -> int:
        """Return how many trials a study has, in some states."""
        if state is not None:
            return super().get_n_trials(study_id, state)
        with self._thread_lock:
            self._sync_with_backend()
            self._replay_result.get_study(study_id)
            return len(self._replay_result._study_id_to_trial_ids[study_id])

    def _queued(self, study_id: int) -> list[FrozenTrial]:
        known = self._replay_result
        known.get_study(study_id)
        return [known._trials[one] for one in sorted(self._waiting) if known._trial_id_to_study_id[one] == study_id]

    def _from(self, study_id: int, number: int) -> list[FrozenTrial]:
        known = self._replay_result
        known.get_study(study_id)
        return [known._trials[trial_id] for trial_id in known._study_id_to_trial_ids[study_id][number:]]

    def _unsettled(self, study_id: int) -> int:
        """Return the number of the first trial that has not ended."""
        known = self._replay_result
        known.get_study(study_id)
        ids, settled = known._study_id_to_trial_ids[study_id], self._settled.get(study_id, 0)
        while settled < len(ids) and known._trials[ids[settled]].state.is_finished():
            settled += 1
        self._settled[study_id] = settled
        return settled

    def _sync_with_backend(self) -> None:
        known: Any = self._replay_result
        if known._trials is not self._trials:
            # Optuna's own has just been made, and is empty.
            known._trials, known._trial_id_to_study_id = self._trials, Dense()
        records = self._backend.read_logs(self._replay_result.log_number_read)
        self._replay_result.apply_logs(self._watched(records))

    def _watched(self, records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield records, but for what is taken in here; after each, note what has become of its trial.

        What is kept longest of those that have ended is parked.
        """
        for record in records:
            if record["op_code"] == _PARAMETER and self._set(record):
                continue
            if record["op_code"] == _CREATED:
                yield from self._created(record)
            else:
                yield record
            if "state" not in record:
                continue
            known = self._replay_result
            trial_id = record["trial_id"] if record["op_code"] == _TOLD else len(known._trials) - 1
            trial = known._trials.get(trial_id)
            if trial is None:
                continue
            if trial.state == TrialState.WAITING:
                self._waiting.add(trial_id)
            else:
                self._waiting.discard(trial_id)
            if TrialState(record["state"]).is_finished():
                self._ended.setdefault(known._trial_id_to_study_id[trial_id], array("q")).append(trial.number)
                if self._kept is not None and trial.number >= FIRST:
                    self._whole.append(trial_id)
                    self._put_away(self._kept)

    def _created(self, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield a record that creates a trial, without its parameters, which the trial gets afterwards.

        Optuna makes a distribution of its own for every parameter of every trial.
        """
        known, there = self._replay_result, len(self._replay_result._trials)
        texts, params = record.pop("distributions", {}), record.pop("params", {})
        yield record
        if len(known._trials) == there:
            # Of a study that was deleted.
            return
        trial, study_id = known._trials[there], known._trial_id_to_study_id[there]
        trial.distributions = {name: self._distributions.of(text) for name, text in texts.items()}
        trial.params = {name: trial.distributions[name].to_external_repr(value) for name, value in params.items()}
        for name, distribution in trial.distributions.items():
            self._first.setdefault((study_id, name), distribution)
        self._journal.created(there)

    def _is_usual(self, trial_id: int, name: str, distribution: BaseDistribution) -> bool:
        """Return whether a parameter has the distribution that it had in the first trial of its study, or is new."""
        study_id = self._replay_result._trial_id_to_study_id.get(trial_id)
        return study_id is not None and self._first.get((study_id, name), distribution) is distribution

    def _set(self, record: dict[str, Any]) -> bool:
        """Set a parameter whose distribution is as every time before; return whether it is.

        Optuna holds it against that of an earlier trial.
        """
        known, trial_id, name = self._replay_result, record["trial_id"], record["param_name"]
        trial, distribution = known._trials.get(trial_id), self._distributions.of(record["distribution"])
        if trial is None or trial.state.is_finished() or not self._is_usual(trial_id, name, distribution):
            return False
        self._first[known._trial_id_to_study_id[trial_id], name] = distribution
        trial = copy.copy(trial)
        trial.params = {**trial.params, name: distribution.to_external_repr(record["param_value_internal"])}
        trial.distributions = {**trial.distributions, name: distribution}
        known._trials[trial_id] = trial
        known.log_number_read += 1
        return True

    def _put_away(self, kept: int) -> None:
        while len(self._whole) > kept:
            try:
                self._trials.put_away(self._whole[0])
            except OSError:
                # There is no room for it: it stays in memory, and is tried again when the next one ends.
                return
            self._whole.popleft()
