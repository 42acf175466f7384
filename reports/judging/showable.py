"""What the seeds and images of a retraining can show at all: without it, nothing shown reads as nothing there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reports.comparison import Spread, detectable
from reports.judging.judgement import Compared, Judgement
from reports.phrases import signed_points

__all__ = ["FEW_IMAGES", "showable"]

FEW_IMAGES: Final = 200
_OPEN: Final = ("open", "open_control")


def showable(judgement: Judgement) -> Iterator[str]:
    """Yield the smallest gain over the original that would probably be shown, where that is open or images are few."""
    few = judgement.candidate.scores.shape[1] < FEW_IMAGES
    if not few and judgement.ruling.reason not in _OPEN:
        return
    for compared in judgement.against("sum")[:1]:
        if compared.contrast.parts.variance > 0:
            yield f"{'The test set is small. ' if few else ''}{_smallest(judgement, compared)}"


def _smallest(judgement: Judgement, compared: Compared) -> str:
    parts, margin = compared.contrast.parts, judgement.verdict.margin
    gain = detectable(Spread.measured(parts), seeds=compared.seeds, images=parts.images, margin=margin)
    shown = signed_points(judgement.measure, gain).removeprefix("+")
    return (
        f"With {parts.images:,} test images and {compared.seeds} seeds each a gain of {shown} is shown in four of five "
        "studies such as this one."
    )
