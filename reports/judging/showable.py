"""What the seeds and images of a retraining can show at all: without it, nothing shown reads as nothing there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import scipy

from reports.comparison.power import POWER
from reports.judging.judgement import Compared, Judgement
from reports.phrases import signed_points

__all__ = ["FEW_IMAGES", "showable"]

FEW_IMAGES: Final = 200
_OPEN: Final = ("open", "open_control")


def showable(judgement: Judgement) -> Iterator[str]:
    """Yield for each recipe the smallest gain over the original that would probably be shown, where that is of use.

    That is where the recipe's outcome is open, or where there are few test images.
    """
    few = judgement.candidate.scores.shape[1] < FEW_IMAGES
    if few:
        yield "The test set is small."
    several = len(judgement.under) > 1
    for one in judgement.under:
        compared = one.against("sum")
        if compared is not None and compared.contrast.parts.variance > 0 and (few or one.ruling.reason in _OPEN):
            yield _smallest(judgement, compared, f" under `{one.recipe}`" if several else "")


def _smallest(judgement: Judgement, compared: Compared, where: str) -> str:
    """Return the true gain whose interval, as wide as this one, is above 0 with 80 % probability: half + z₀.₈ error."""
    contrast = compared.contrast
    half = (contrast.high - contrast.low) / 2.0
    gain = max(half, judgement.verdict.margin - half) + float(scipy.special.ndtri(POWER)) * contrast.standard_error
    shown = signed_points(judgement.measure, gain).removeprefix("+")
    return (
        f"With {contrast.images:,} test images and {compared.seeds} seeds each{where} a gain of {shown} is shown in "
        "four of five studies such as this one."
    )
