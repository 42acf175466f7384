"""The verdict: retrained networks compared, and what follows from that by stated rules."""

from reports.judging.run_verdict import judgement_of, save_verdict, verdict
from reports.judging.words import in_words

__all__ = ["in_words", "judgement_of", "save_verdict", "verdict"]
