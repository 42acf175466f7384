"""Adaptive seeds of two networks, simulated and of real trainings. Part of `verdict_quality.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import verdict_retraining
from verdict_worlds import Floats, World, missed, missed_by_images, missed_by_seeds, row

from reports.comparison import Looks, SeedPlan, Spread, compare, detectable
from reports.comparison.components import components
from search.study.adaptive_planner import HOPELESS

TABLE = Path(__file__).parent / "tables" / "cluttered_digits.outcomes.npz"
IMAGES = 2_000
NUMBERS = range(3, 13)
ALIKE = 8  # of a fixed design that decides about as often as the plan


def powers_of_looks(count: int) -> Iterator[dict[str, Any]]:
    """Yield how often the difference that is promised for a plan with repeated looks is called better in the end."""
    for own, seed in ((0.5, 0.0), (0.5, 10.0), (0.0, 1.0)):
        for looks in (Looks(3, 6, margin=0.0), Looks(3, 12, margin=0.0)):
            spread = Spread(seed / 400, own**2, 1.0)
            gain = detectable(spread, seeds=looks.most, images=400, looks=looks)
            world = World("floats", own=own, seed=(seed, seed), gain=gain)
            plan = SeedPlan(looks.least, looks.most, margin=0.0, hopeless=HOPELESS)
            found = followed(world, plan, count, images=400)
            share = float(np.mean([run["outcome"] == "better" for run in found]))
            yield (
                row(world=f"floats, own {own}, seeds {seed:.0f}×", seeds=f"3..{looks.most}", images=400, studies=count)
                | row(detectable=gain, power=share)
            )


def adaptive(quick: bool) -> dict[str, Any]:
    """Return trainings and verdicts of the adaptive plan, and of fixed designs on the same studies."""
    count = 20 if quick else 200
    runs: dict[float, list[dict[str, Any]]] = {0.0025: [], 0.01: []}
    rows = []
    for margin, collected in runs.items():
        for effect in (0.0, 1.0):
            for gain in (0.0, 0.005, 0.02):
                world = World("90 %", 0.9, own=0.5, seed=(effect, effect), gain=gain)
                found = list(followed(world, SeedPlan(margin=margin), count, numbers=NUMBERS))
                collected += found
                rows.append(row(gain=gain, seed=effect, margin=margin) | outline(found))
    mixes = [row(margin=margin) | mixed(found) for margin, found in runs.items()]
    mixes.append({"margin": "both"} | mixed([run for found in runs.values() for run in found]))
    return {"mixes": mixes, "scenarios": rows, "equal": list(adaptive_wrong(quick))}


def mixed(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a mix of studies comes to, beside 24 trainings each and a fixed design that decides as often.

    `share_if_foreseen`: of that design's trainings those of a plan that decides the same studies with the same seeds,
    and knows of the others beforehand, so that they get the first seeds alone.
    """
    by_seeds = np.mean([run["fixed"] for run in runs], axis=0).tolist()
    found = outline(runs)
    alike = 2.0 * verdict_retraining.as_many(found["decided"], by_seeds, NUMBERS)
    agrees = float(np.mean([run["agrees"] for run in runs if run["fixed"][-1]]))
    held = float(np.mean([run["held"] for run in runs]))
    found |= row(studies=len(runs), share_of_24=found["trainings"] / 24, same_verdict=agrees, final_coverage=held)
    foreseen = float(np.mean([run["trainings"] if run["decided"] else 2 * SeedPlan().least for run in runs]))
    return found | row(fixed_alike=alike, share_of_alike=found["trainings"] / alike, share_if_foreseen=foreseen / alike)


def outline(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return mean trainings, the share that is decided, and that of 12 seeds for everyone."""
    means = {key: float(np.mean([run[key] for run in runs])) for key in ("trainings", "decided")}
    return row(**means, decided_24=float(np.mean([run["fixed"][-1] for run in runs])))


def adaptive_wrong(quick: bool) -> Iterator[dict[str, Any]]:
    """Yield how often the adaptive plan tells equal networks apart, and so many seeds for everyone."""
    for own, effect in ((0.0, 0.0), (0.0, 3.0), (0.5, 1.0), (1.0, 0.0)):
        world = World("90 %", 0.9, own=own, seed=(effect, effect))
        found = list(followed(world, SeedPlan(), 100 if quick else 2_000, images=400, numbers=(ALIKE,)))
        apart, fixed = (
            float(np.mean([one in ("better", "worse") for one in outcomes]))
            for outcomes in ([run["outcome"] for run in found], [run["alone"][0] for run in found])
        )
        held = float(np.mean([run["held"] for run in found]))
        yield row(own=own, seed=effect, studies=len(found), wrong=apart, wrong_fixed=fixed, final_coverage=held)


def followed(
    world: World, plan: SeedPlan, count: int, images: int = IMAGES, numbers: Sequence[int] = ()
) -> Iterator[dict[str, Any]]:
    """Yield what `SeedPlan` makes of studies whose trainings are all known, and what fixed designs make of them."""
    rng = np.random.default_rng([images, int(1e4 * world.gain), int(10 * world.seed[0]), int(10 * world.own)])
    for _ in range(count):
        first, second = (scores[0] for scores in world.draw(rng, 1, plan.most, images))
        yield followed_one(plan, first, second, world.gain, numbers)


def followed_one(
    plan: SeedPlan, first: Floats, second: Floats, truth: float, numbers: Sequence[int] = ()
) -> dict[str, Any]:
    """Return how one study ends, with the plan and with each of some fixed numbers of seeds."""
    have = {"candidate": plan.least, "reference": plan.least}
    arms = {"candidate": first, "reference": second}
    while True:
        standing = plan.standing({name: arms[name][: have[name]] for name in arms}, [("candidate", "reference")])
        if standing.train is None:
            break
        have[standing.train] += 1
    found = standing.pairs[0].contrast
    assert found is not None
    run = {"trainings": sum(have.values()), "decided": found.outcome != "undecided", "outcome": found.outcome}
    run["held"] = found.low <= truth <= found.high
    alone = [compare(first[:seeds], second[:seeds], margin=plan.margin).outcome for seeds in numbers]
    run |= {"alone": alone, "fixed": [one != "undecided" for one in alone]}
    return run | {"agrees": bool(alone) and found.outcome == alone[-1]}


def real(quick: bool) -> dict[str, Any]:
    """Return what is found in real trainings: within a network, and between them."""
    packed = np.load(TABLE)
    tables = {name: np.unpackbits(packed[name], axis=1)[:, :IMAGES].astype(np.float64) for name in packed.files}
    rng = np.random.default_rng(0)
    within, plan = [], SeedPlan()
    for name, scores in tables.items():
        for seeds in (3, 5, 10):
            dealt = [rng.permutation(len(scores))[: 2 * seeds] for _ in range(200 if quick else 2_000)]
            parts = [components(scores[who[:seeds]], scores[who[seeds:]]) for who in dealt]
            tests = (lambda one: missed(one, 0.0), missed_by_seeds, missed_by_images)
            ours, by_seeds, by_images = (float(np.mean([test(one) for one in parts])) for test in tests)
            within.append(row(network=name, seeds=seeds, wrong=ours, seeds_alone=by_seeds, images_alone=by_images))
        halves = [rng.permutation(len(scores)) for _ in range(100 if quick else 1_000)]
        runs = [followed_one(plan, scores[who[:12]], scores[who[12:24]], 0.0) for who in halves]
        apart = float(np.mean([run["outcome"] in ("better", "worse") for run in runs]))
        trainings = float(np.mean([run["trainings"] for run in runs]))
        within.append(row(network=name, seeds="3..12", wrong=apart, trainings=trainings))
    return {"within": within, "between": list(between(tables, plan, rng, 30 if quick else 300))}


def between(
    tables: dict[str, Floats], plan: SeedPlan, rng: np.random.Generator, count: int
) -> Iterator[dict[str, Any]]:
    """Yield what all trainings say about each pair, what they vary by, and what the adaptive plan makes of some."""
    for candidate, reference in (("aff", "sum"), ("iaff", "sum"), ("iaff", "aff")):
        first, second = tables[candidate], tables[reference]
        found = compare(first, second)
        spread = Spread.measured(found.parts)
        accuracy = float(second.mean())
        variance = accuracy * (1.0 - accuracy)
        runs = []
        for _ in range(count):
            one, other = (table[rng.permutation(len(table))[:12]] for table in (first, second))
            runs.append(followed_one(plan, one, other, 0.0, NUMBERS))
        yield (
            row(pair=f"{candidate} against {reference}", seeds=len(first), images=IMAGES, gain=found.gain)
            | row(low=found.low, high=found.high, p=found.p, accuracy=accuracy)
            | {"outcome": found.outcome}
            | row(seed_over_test_set=spread.seed * IMAGES / spread.rest)
            | row(rest_share=spread.rest / variance, image_share=spread.image / variance)
            | outline(runs)
        )
