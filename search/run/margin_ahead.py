"""The margin of a verdict before anything is retrained: the one that the verdict will have."""

from __future__ import annotations

from reports.measures import MEASURES
from reports.retrained.margin import margin_of
from reports.retrained.record import RetrainRecord
from search.config import SearchConfig
from search.study.ledger import Ledger

__all__ = ["margin_ahead"]


def margin_ahead(config: SearchConfig, ledger: Ledger, record: RetrainRecord) -> float:
    """Return the margin of the verdict on those who take part; see `reports.retrained.margin.margin_of`."""
    quality = MEASURES[ledger.quality]
    complete = [one for one in ledger.all() if one.state == "complete" and not one.series]
    shown = [(one.id, one.best(quality.name, maximize=ledger.maximize)[quality.name]) for one in complete]
    original = next((one.id for one in record.participants if one.plays("original")), "")
    return margin_of(config.verdict.margin, quality, shown, original)
