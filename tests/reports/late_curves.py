"""Records of a run whose curves are planted: one operator that may learn late, and stops of what looks bad early."""

from __future__ import annotations

from typing import Any

import numpy as np

from spaces import Architecture, SearchSpace
from tests.reports.conftest import EPOCHS, record

LATE, BETTER = "iaff", "aff"
STOP = 2


def planted(
    space: SearchSpace,
    *,
    count: int = 60,
    late: float = 0.0,
    noise: float = 0.004,
    stopped: float = 0.0,
    audits: float = 0.0,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return records of random architectures.

    Args:
        space: The space.
        count: Candidates.
        late: How much lower a network with `iaff` at every point stands after the first epoch than at equal ends
            else; it falls to a third with every two further epochs, and to nothing at the end.
        noise: Standard deviation of an early evaluation.
        stopped: Share that is stopped after epoch 2: what is worst there.
        audits: Share of those that run on to the end as a check.
        seed: Seed.
    """
    rng = np.random.default_rng(seed)
    chosen = [space.sample(rng) for _ in range(count)]
    shares = {op: np.array([share(architecture, op) for architecture in chosen]) for op in (LATE, BETTER)}
    curves = trainings(shares[LATE], shares[BETTER], rng, late=late, noise=noise)
    worst = curves[:, STOP - 1] <= np.quantile(curves[:, STOP - 1], stopped) if stopped else np.zeros(count, bool)
    checked = worst & (rng.random(count) < audits)
    return [
        _record(number, architecture, space, rng, curves[number], stop=worst[number], audit=checked[number])
        for number, architecture in enumerate(chosen)
    ]


def trainings(late_share: Any, better_share: Any, rng: Any, *, late: float, noise: float) -> Any:
    """Return qualities by epoch, `(n, EPOCHS)`, for the shares of the points that the two operators have."""
    count = len(late_share)
    end = 0.85 + 0.03 * better_share + 0.02 * late_share + rng.normal(0, 0.012, count)
    fade = 3.0 ** (-np.arange(EPOCHS) / 2) - 3.0 ** (-(EPOCHS - 1) / 2)
    curves = end[:, None] - 0.3 * (fade / fade[0]) - late * late_share[:, None] * fade
    curves[:, :-1] += rng.normal(0, noise, (count, EPOCHS - 1))
    return curves


def share(architecture: Architecture, op: str) -> float:
    """Return the share of the points that have an operator."""
    return float(np.mean([choice.op == op for _, choice in architecture.choices]))


def _record(
    number: int, architecture: Architecture, space: SearchSpace, rng: Any, values: Any, *, stop: bool, audit: bool
) -> dict[str, Any]:
    ends = STOP if stop and not audit else EPOCHS
    curve = [round(float(value), 6) for value in values[:ends]]
    state = "complete" if ends == EPOCHS else "pruned"
    known = {"accuracy": max(curve), "curve": curve, "epochs": ends, "audit": STOP if audit else None}
    return record(number, architecture, space, rng, state=state) | known
