"""The verdict: retrained networks compared, and what follows from that by stated rules."""

from reports.judging.run_verdict import judgement_of, verdict, write

__all__ = ["judgement_of", "verdict", "write"]
