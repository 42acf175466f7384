"""Whole retrainings, simulated: how often the verdict is wrong, how often it is closed, and what seeds it takes.

    python benchmarks/verdict_retraining.py [--studies 100]

Part of `benchmarks/verdict_quality.py`, which says what is wanted. A retraining has three finalists, the original, a
uniform network of three operators, and for each finalist an all-sum network that has its cost: ten networks, each right
or wrong on 2,000 test images, and on as many validation images, by which the candidate is picked. A training's own luck
is the same on both. What is trained next says the real planner, `search.study.adaptive_planner`; what comes out says
the real judge, `reports.judging`. A fixed design trains n seeds of everyone.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from reports.comparison import Looks
from reports.judging.judgement import judge
from reports.measures import MEASURES
from reports.retrained.arm import Arm, Part
from reports.retrained.participant import CONTROLS, Participant
from search.study.adaptive_planner import AdaptivePlanner
from search.study.planner import Result, Wanted
from spaces import create

Floats = NDArray[np.float64]
ACCURACY, QUALITY = 0.9, MEASURES["accuracy"]
IMAGES, LEAST, MOST = 2_000, 3, 12
OWN = 0.5
UNIFORM = 3


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of a retraining.

    Args:
        name: In the results.
        over_sum: True gain of each finalist over the original, in units of accuracy; the uniform networks are the sum.
        over_control: True gain of each finalist over its control.
        seed: Variance of the seeds' own effects, in units of what the test set makes of them.
        own: Deviation of the images' effects that one network has alone, in units of the rest's.
    """

    name: str
    over_sum: tuple[float, ...]
    over_control: tuple[float, ...]
    seed: float = 0.0
    own: float = OWN

    def gains(self) -> list[float]:
        """Return the gain of every network over the original: finalists, the original, uniform networks, controls."""
        controls = [one - other for one, other in zip(self.over_sum, self.over_control, strict=True)]
        return [*self.over_sum, 0.0, *[0.0] * UNIFORM, *controls]

    def is_wrong(self, finalist: int, outcome: str, margin: float) -> bool:
        """Return whether an outcome about a finalist is wrong."""
        gain, over_control = self.over_sum[finalist], self.over_control[finalist]
        if outcome == "better":
            return min(gain, over_control) <= 0.0
        if outcome == "worse":
            return gain >= 0.0
        return outcome == "same" and (gain < -margin or min(gain, over_control) > margin)


def alike(name: str, gain: float, control: float, finalists: int = 3) -> Truth:
    """Return a truth in which the first finalist differs, and all others are the sum."""
    rest = (0.0,) * (finalists - 1)
    return Truth(name, (gain, *rest), (control, *rest))


TRUTHS = [
    alike("nothing differs", 0.0, 0.0),
    alike("better by 0.5", 0.005, 0.005),
    alike("better by 1", 0.01, 0.01),
    alike("better by 2", 0.02, 0.02),
    alike("better by 2 than the sum, not than the control", 0.02, 0.0),
    Truth("worse by 1", (-0.01,) * 3, (-0.01,) * 3),
    Truth("worse by 2", (-0.02,) * 3, (-0.02,) * 3),
]


@dataclass(frozen=True, slots=True)
class Drawn:
    """All trainings of one retraining, whether a design takes them or not.

    Args:
        test: Right or wrong, `(networks, seeds, images)`.
        validation: The validation measure, `(networks, seeds)`.
    """

    test: NDArray[np.bool_]
    validation: Floats

    @classmethod
    def of(cls, rng: np.random.Generator, truth: Truth, images: int = IMAGES) -> Drawn:
        """Draw it."""
        gains = np.array(truth.gains())
        deviation = math.sqrt(truth.seed / images * _rest(truth.own))
        scale = math.sqrt(2.0 + truth.own**2 / 2.0 + deviation**2)
        levels = ndtri(ACCURACY + gains)[:, None] * scale + deviation * rng.standard_normal((len(gains), MOST))
        test, validation = (_right(rng, levels, truth.own, images) for _ in range(2))
        return cls(test, validation.mean(axis=2))


def _right(rng: np.random.Generator, levels: Floats, own: float, images: int) -> NDArray[np.bool_]:
    """Return who is right on images that are new to all: common, own and remaining effects are normal."""
    common = rng.standard_normal((1, 1, images), dtype=np.float32)
    alone = own / math.sqrt(2.0) * rng.standard_normal((len(levels), 1, images), dtype=np.float32)
    noise = rng.standard_normal((*levels.shape, images), dtype=np.float32)
    right: NDArray[np.bool_] = noise + (common + alone) + levels[..., None].astype(np.float32) > 0.0
    return right


@cache
def _rest(own: float) -> float:
    """Return the variance of what is left of a score, on the scale on which seeds have their effect."""
    level = ndtri(ACCURACY) * math.sqrt(2.0 + own**2 / 2.0)
    latent = np.random.default_rng(0).standard_normal(100_000) * math.sqrt(1.0 + own**2 / 2.0) + level
    right, slope = ndtr(latent), np.exp(-(latent**2) / 2.0) / math.sqrt(2.0 * math.pi)
    return float((right * (1.0 - right)).mean() / slope.mean() ** 2)


@cache
def everyone(finalists: int) -> tuple[Participant, ...]:
    """Return who takes part, in the order of `Truth.gains`; which networks they are plays no part."""
    space = create("resnet", depth=8, width=4, in_channels=1, input_size=(8, 8))
    rng, found = np.random.default_rng(0), {}
    while len(found) < 2 * finalists + 1 + UNIFORM:
        architecture = space.sample(rng)
        found[architecture.id] = architecture
    ids = list(found)
    roles = [(("finalist", ""),)] * finalists + [(("original", ""),)]
    roles += [(("uniform", str(number)),) for number in range(UNIFORM)]
    controls = [tuple((role, ids[number]) for role in CONTROLS.values()) for number in range(finalists)]
    return tuple(Participant(found[name], part) for name, part in zip(ids, [*roles, *controls], strict=True))


@cache
def places(finalists: int) -> dict[str, int]:
    """Return each network's place by its id."""
    return {one.id: number for number, one in enumerate(everyone(finalists))}


def adaptive(drawn: Drawn, finalists: int, margin: float) -> list[Result]:
    """Return the trainings that the planner takes, one after the other."""
    people, place = everyone(finalists), places(finalists)
    done: list[Result] = []

    def scores(identity: str, numbers: Sequence[int]) -> Floats:
        return drawn.test[place[identity]][[done[number].training.seed for number in numbers]].astype(np.float64)

    planner = AdaptivePlanner(
        people, ["default"], range(MOST), LEAST, MOST, scores=scores, quality=QUALITY, margin=margin
    )
    while wanted := planner.next(done, []):
        done += [_result(drawn, place, one, len(done) + ahead) for ahead, one in enumerate(wanted)]
    return done


def fixed(drawn: Drawn, finalists: int, seeds: int) -> list[Result]:
    """Return the trainings of n seeds of everyone."""
    place = places(finalists)
    wanted = [Wanted(name, "default", seed) for seed in range(seeds) for name in place]
    return [_result(drawn, place, one, number) for number, one in enumerate(wanted)]


def _result(drawn: Drawn, place: dict[str, int], training: Wanted, number: int) -> Result:
    return Result(training, number, "complete", float(drawn.validation[place[training.id], training.seed]))


def verdict(
    drawn: Drawn, finalists: int, done: Sequence[Result], margin: float, looks: Looks | None
) -> tuple[int, str]:
    """Return which finalist the verdict is about, and what it says."""
    arms = []
    for number, (name, one) in enumerate(zip(places(finalists), everyone(finalists), strict=True)):
        seeds = [result.training.seed for result in done if result.training.id == name]
        arms.append(
            Arm(
                id=name,
                architecture=None,
                parts=tuple(Part(role, of) for role, of in one.roles),
                recipe="default",
                seeds=tuple(seeds),
                scores=drawn.test[number][seeds].astype(np.float64),
                validation=tuple(drawn.validation[number][seeds].tolist()),
                searched=None,
                params=1,
                flops=1,
            )
        )
    found = judge(arms, QUALITY, margin=margin, looks=looks)
    assert found is not None
    return places(finalists)[found.verdict.candidate], found.verdict.outcome


@dataclass(frozen=True, slots=True)
class Ended:
    """How a design ended.

    Args:
        trainings: How many it took.
        outcome: What it says.
        wrong: Whether that is wrong.
    """

    trainings: int
    outcome: str
    wrong: bool


def followed(
    truth: Truth, margin: float, studies: int, numbers: Sequence[int] = (), images: int = IMAGES
) -> Iterator[tuple[Ended, list[Ended]]]:
    """Yield how studies end with adaptive seeds, and with each of some fixed numbers of seeds."""
    rng = np.random.default_rng([images, len(truth.name), *(int(1e4 * (1 + gain)) for gain in truth.gains())])
    finalists, looks = len(truth.over_sum), Looks(LEAST, MOST, margin=margin)

    def ended(drawn: Drawn, done: Sequence[Result], looks: Looks | None) -> Ended:
        finalist, outcome = verdict(drawn, finalists, done, margin, looks)
        return Ended(len(done), outcome, truth.is_wrong(finalist, outcome, margin))

    for _ in range(studies):
        drawn = Drawn.of(rng, truth, images)
        alone = [ended(drawn, fixed(drawn, finalists, seeds), None) for seeds in numbers]
        yield ended(drawn, adaptive(drawn, finalists, margin), looks), alone


def shares(ends: Sequence[Ended]) -> dict[str, float]:
    """Return mean trainings, and the shares of closed and of wrong verdicts."""
    return {
        "trainings": float(np.mean([one.trainings for one in ends])),
        "closed": float(np.mean([one.outcome != "undecided" for one in ends])),
        "wrong": float(np.mean([one.wrong for one in ends])),
    }


def beside_fixed(pairs: Sequence[tuple[Ended, list[Ended]]], numbers: Sequence[int]) -> dict[str, Any]:
    """Return what adaptive seeds come to, beside the fixed number of seeds that closes as many verdicts."""
    found = shares([one for one, _ in pairs])
    alone = [shares(ends) for ends in zip(*(others for _, others in pairs), strict=True)]
    seeds = as_many(found["closed"], [one["closed"] for one in alone], numbers)
    each = alone[0]["trainings"] / numbers[0]
    return {
        **found,
        "closed_fixed_12": alone[-1]["closed"],
        "wrong_fixed": max(one["wrong"] for one in alone),
        "fixed_alike": seeds,
        "share_of_alike": found["trainings"] / (each * seeds),
        "share_of_12": found["trainings"] / (each * numbers[-1]),
    }


def as_many(closed: float, fixed: Sequence[float], numbers: Sequence[int]) -> float:
    """Return the fewest seeds of a fixed design that closes as many verdicts, between two designs in proportion."""
    more = [n for n, share in enumerate(fixed) if share > max(fixed[:n], default=-1.0)]
    return float(np.interp(closed, [fixed[n] for n in more], [numbers[n] for n in more]))


def whole(studies: int) -> dict[str, Any]:
    """Return rows of all truths and margins, and what their mix comes to."""
    numbers = (3, 4, 5, 6, 7, 8, 10, 12)
    rows, mixes, everything = [], [], []
    for margin in (0.0025, 0.01):
        collected = []
        for seed in (0.0, 1.0):
            for truth in TRUTHS:
                found = list(followed(replace(truth, seed=seed), margin, studies, numbers))
                collected += found
                rows.append({"truth": truth.name, "seed": seed, "margin": margin} | beside_fixed(found, numbers))
        mixes.append({"margin": margin, "studies": len(collected)} | beside_fixed(collected, numbers))
        everything += collected
    mixes.append({"margin": "both", "studies": len(everything)} | beside_fixed(everything, numbers))
    return {"mixes": mixes, "scenarios": rows}


def picked(studies: int) -> list[dict[str, Any]]:
    """Return how often a finalist without a gain is called better or worse, picked among 1, 3 and 6.

    All but one comparison are clear, so that nothing else takes a wrong verdict back.
    """
    rows, numbers = [], (3, 5, 12)
    for finalists in (1, 3, 6):
        for name, over_sum, over_control in (("as good as the sum", 0.0, 0.08), ("as good as the control", 0.08, 0.0)):
            for seed in (0.0, 10.0) if finalists > 1 or over_sum == 0.0 else ():
                truth = Truth(name, (over_sum,) * finalists, (over_control,) * finalists, seed)
                found = list(followed(truth, 0.0, studies, numbers, images=400))
                alone = zip(numbers, zip(*(others for _, others in found), strict=True), strict=True)
                wrong = {f"wrong_{n}": shares(ends)["wrong"] for n, ends in alone}
                adaptive_wrong = shares([one for one, _ in found])["wrong"]
                rows.append(
                    {"finalists": finalists, "truth": name, "seed": seed, "studies": studies}
                    | wrong
                    | {"wrong_adaptive": adaptive_wrong}
                )
    return rows


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=100, help="of each truth and margin")
    studies = parser.parse_args().studies
    for title, rows in ({"picked": picked(10 * studies)} | whole(studies)).items():
        print(title)
        for found in rows:
            print(
                "  "
                + "  ".join(
                    f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
                    for key, value in found.items()
                )
            )


if __name__ == "__main__":
    main()
