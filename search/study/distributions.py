"""The distributions of a journal's parameters: equal ones are one object, however they are written."""

from __future__ import annotations

import json

from optuna.distributions import BaseDistribution, json_to_distribution

__all__ = ["Distributions"]

# So many texts are remembered; a study of a user's own may have a further one in every trial.
_MOST = 4096
_SHORT = json.JSONEncoder(separators=(",", ":"))


class Distributions:
    """Reads and writes distributions as Optuna does, without blanks."""

    def __init__(self) -> None:
        self._by_text: dict[str, BaseDistribution] = {}

    @staticmethod
    def text(distribution: BaseDistribution) -> str:
        """Return a distribution as a journal has it."""
        return _SHORT.encode({"name": type(distribution).__name__, "attributes": distribution._asdict()})

    def of(self, text: str) -> BaseDistribution:
        """Return the distribution that a journal has as a text."""
        known = self._by_text.get(text)
        if known is None:
            read = json_to_distribution(text)
            if len(self._by_text) >= _MOST:
                self._by_text.clear()
            known = self._by_text[text] = self._by_text.setdefault(self.text(read), read)
        return known
