"""A proposal on its way into the journal: of Optuna's many records of it one is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Proposal"]

_CREATED, _PARAMETER, _USER_ATTR, _SYSTEM_ATTR = 4, 5, 8, 9


class Proposal:
    """The record by which a trial is created, and what belongs to it of the records that follow.

    Optuna's storage can create a trial with its parameters and attributes, but has each written by itself where a trial
    is asked for. Whoever reads the record gets the same trial.

    Args:
        created: The record, as Optuna's storage writes it.

    Attributes:
        trial_id: Of the trial, as soon as the storage has one for it.
    """

    def __init__(self, created: Mapping[str, Any]) -> None:
        self._created = dict(created)
        self._parts: dict[str, dict[str, Any]] = {
            "distributions": {},
            "params": {},
            "user_attrs": {},
            "system_attrs": {},
        }
        self.trial_id: int | None = None

    @staticmethod
    def begins(record: Mapping[str, Any]) -> bool:
        """Return whether a record creates a trial that was asked for."""
        return record["op_code"] == _CREATED and "state" not in record

    def takes(self, record: Mapping[str, Any]) -> bool:
        """Take in a record of the trial; return whether it belongs here."""
        if self.trial_id is None or record.get("trial_id") != self.trial_id:
            return False
        if record["op_code"] == _PARAMETER:
            self._parts["distributions"][record["param_name"]] = record["distribution"]
            self._parts["params"][record["param_name"]] = record["param_value_internal"]
        elif record["op_code"] == _USER_ATTR:
            self._parts["user_attrs"] |= record["user_attr"]
        elif record["op_code"] == _SYSTEM_ATTR:
            self._parts["system_attrs"] |= record["system_attr"]
        else:
            return False
        return True

    def record(self) -> dict[str, Any]:
        """Return all of it as one record."""
        return self._created | {name: part for name, part in self._parts.items() if part}
