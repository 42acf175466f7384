"""What came of comparisons, and which trainings failed, in plain English."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from reports.judging.judgement import Compared, Judgement
from reports.judging.rules import Outcome
from reports.retrained.failures import FailedNetwork

__all__ = ["OUTCOME_WORDS", "failed_elsewhere", "failed_of", "outcome_words"]

OUTCOME_WORDS: Final[Mapping[Outcome, str]] = {
    "better": "better",
    "same": "the same",
    "worse": "worse",
    "undecided": "undecided",
}


def outcome_words(compared: Compared) -> str:
    """Return the outcome of a comparison, with what keeps it from being what the interval shows."""
    said = OUTCOME_WORDS[compared.outcome]
    return f"{said}, as it diverged more often" if compared.barred else said


def failed_of(judgement: Judgement, names: Mapping[str, str]) -> str:
    """Return sentences on the trainings that failed of some networks, a space before each; empty where none did.

    Args:
        judgement: The verdict.
        names: What the networks are called, by id.
    """
    several = len({one.recipe for one in judgement.arms}) > 1
    found = (one for one in judgement.verdict.failed if one.id in names)
    return "".join(f" {_sentence(one, names[one.id], several)}" for one in found)


def failed_elsewhere(judgement: Judgement) -> Iterator[str]:
    """Yield a line on the trainings that failed of networks that nothing else is said of."""
    compared = {one.reference.id for under in judgement.under for one in under.comparisons}
    said = {judgement.verdict.candidate, *compared}
    others = {
        one.id: f"{one.description} ({one.roles[0].replace('_', ' ')})"
        for one in judgement.verdict.failed
        if one.id not in said and "original" not in one.roles
    }
    if others:
        yield f"Of the other networks:{failed_of(judgement, others)}"


def _sentence(failed: FailedNetwork, name: str, several: bool) -> str:
    where = f" under `{failed.recipe}`" if several else ""
    return f"{failed.failures.in_words(name)}{where}."
