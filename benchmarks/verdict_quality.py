"""Does the verdict keep what it promises? Thousands of simulated studies, and one table of real trainings.

    python benchmarks/verdict_quality.py [--quick] [--only PART ...] [--json benchmarks/results/verdict_quality.json]

A study is two networks, each trained on some seeds and tested on the same images, with effects of seeds, of images,
of images in one of the networks only, and what is left. Shown are

- coverage: how often the 95 % interval has the true difference in it, wanted 93 to 97 %, for floats, right or wrong at
  90 and at 99 %, and mean IoU;
- wrong: how often two networks without a difference are called `better` or `worse`, wanted at most 5 %. Side by side a
  t-test over seeds alone and a paired test over images alone. Networks are without a difference if they are the same
  (`identical`), and if each is right on other images, but equally often (`other images`);
- power: how often the difference that `detectable` promises at 80 % is called `better`, wanted 75 to 85 %;
- adaptive: `SeedPlan` with 3..12 seeds against fixed designs, over a mix of true differences, 0, 0.5 and 2 points,
  without an effect of seeds of its own and with one as large as that of the test set, and margins of 0.25 and 1 point,
  each of these in equally many studies;
- picked: how often a finalist without a gain is called `better` or `worse` that was picked among several, at most 5 %;
- retraining: whole retrainings with adaptive seeds, as the product does them (`verdict_retraining.py`), against n seeds
  of everyone, over a mix of truths; wanted at most half of the trainings of the fixed n that closes as many verdicts;
- real: trainings of `benchmarks/tables/outcomes.py`, the seeds of one network dealt out to two arms; and what is found
  between the networks.

Right or wrong is simulated by a probit: an image is classified rightly where the sum of a level and normal effects is
positive; so the true accuracy is known exactly.

Result (Intel Xeon, one shared core, fifteen minutes, 2026-11-29; tables in `docs/verdict.md`): coverage 93 to 97 % in
88 of 90 cells, but for 99 % right on 200 images with seeds of 3 × (98 %); wrong in 4.5 % on average, by seeds alone up
to 27 %, by images alone up to 35 %; power 78 to 81 %, over looks 76 to 81 %; picked among three or six, wrong in at
most 3.4 %; whole retrainings take 45 % of the trainings of the fixed design that closes as many verdicts. Two
networks alone take 73 % (`adaptive`).
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import ops
import verdict_retraining
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit

from reports.comparison import Looks, SeedPlan, Spread, compare, detectable, miou_values
from reports.comparison.components import Components, components
from reports.comparison.interval import half_width
from search.study.adaptive_planner import HOPELESS

Floats = NDArray[np.float64]
CHUNK = 4_000_000
TABLE = Path(__file__).parent / "tables" / "cluttered_digits.outcomes.npz"
IMAGES = 2_000


@dataclass(frozen=True, slots=True)
class World:
    """What two networks are like.

    Args:
        name: In the results.
        accuracy: Of the reference, where scores are right or wrong; `None`: normal scores.
        own: Deviation of the images' effects that one network has alone, in units of the rest's.
        seed: Variance of the seeds' own effects in units of what the test set makes of them; candidate, reference.
        gain: True difference, in units of the score.
    """

    name: str
    accuracy: float | None = None
    own: float = 0.5
    seed: tuple[float, float] = (0.0, 0.0)
    gain: float = 0.0

    def draw(self, rng: np.random.Generator, studies: int, seeds: int, images: int) -> tuple[Floats, Floats]:
        """Return the scores (studies, seeds, images) of both."""
        common = rng.standard_normal((studies, 1, images), dtype=np.float32)
        both = []
        for arm in range(2):
            own = self.own / math.sqrt(2.0) * rng.standard_normal((studies, 1, images), dtype=np.float32)
            deviation = math.sqrt(self.seed[arm] / images * self._rest())
            seed = deviation * rng.standard_normal((studies, seeds, 1), dtype=np.float32)
            noise = rng.standard_normal((studies, seeds, images), dtype=np.float32)
            scores = common + own + seed + noise + self._level(arm, deviation)
            both.append(scores.astype(np.float64) if self.accuracy is None else (scores > 0).astype(np.float64))
        return both[0], both[1]

    def _rest(self) -> float:
        """Return the rest's variance on the scale on which seeds have their effect: 1, or that of a probit."""
        if self.accuracy is None:
            return 1.0
        level = ndtri(self.accuracy) * math.sqrt(2.0 + self.own**2 / 2.0)
        latent = np.random.default_rng(0).standard_normal(100_000) * math.sqrt(1.0 + self.own**2 / 2.0) + level
        right = ndtr(latent)
        slope = np.exp(-(latent**2) / 2.0) / math.sqrt(2.0 * math.pi)
        return float((right * (1.0 - right)).mean() / slope.mean() ** 2)

    def _level(self, arm: int, deviation: float) -> float:
        shift = self.gain if arm == 0 else 0.0
        if self.accuracy is None:
            return shift
        return float(ndtri(self.accuracy + shift)) * math.sqrt(2.0 + self.own**2 / 2.0 + deviation**2)


def studies(world: World, count: int, seeds: int, images: int, seed: int) -> Iterator[Components]:
    """Yield the components of studies, some at a time."""
    rng = np.random.default_rng([seed, seeds, images])
    at_once = max(1, CHUNK // (seeds * images))
    while count > 0:
        now = min(at_once, count)
        yield components(*world.draw(rng, now, seeds, images))
        count -= now


def missed(parts: Components, truth: float) -> NDArray[np.bool_]:
    """Return where the 95 % interval does not hold the truth."""
    return np.abs(parts.gain - truth) > half_width(parts, 0.95)


def missed_by_seeds(parts: Components) -> NDArray[np.bool_]:
    """Return where a t-test over the seeds alone (Welch) calls a difference."""
    variance = parts.between_seeds[0] + parts.between_seeds[1]
    noise = sum(part**2 / (seeds - 1) for part, seeds in zip(parts.between_seeds, parts.seeds, strict=True))
    freedom = np.where(noise > 0, variance**2 / np.maximum(noise, 1e-300), 1.0)
    return np.abs(parts.gain) > stdtrit(freedom, 0.975) * np.sqrt(variance)


def missed_by_images(parts: Components) -> NDArray[np.bool_]:
    """Return where a paired t-test over the images alone, the seeds averaged, calls a difference."""
    return np.abs(parts.gain) > stdtrit(parts.images - 1, 0.975) * np.sqrt(parts.between_images)


def grid(quick: bool) -> list[tuple[int, int, int]]:
    """Return seeds, images and studies."""
    counts = {200: 4_000, 1_000: 4_000, 10_000: 1_000}
    scale = 10 if quick else 1
    return [(seeds, images, count // scale) for images, count in counts.items() for seeds in (3, 5, 12)]


COVERED = [
    World("floats", gain=0.1),
    World("floats, seeds 1×", gain=0.1, seed=(1, 1)),
    World("floats, seeds 10×", gain=0.1, seed=(10, 10)),
    World("floats, seeds 100×", gain=0.1, seed=(100, 100)),
    World("floats, seeds of one 10×", gain=0.1, seed=(10, 0)),
    World("90 %", 0.9, gain=0.01),
    World("90 %, seeds 3×", 0.9, gain=0.01, seed=(3, 3)),
    World("99 %", 0.99, gain=0.002),
    World("99 %, seeds 3×", 0.99, gain=0.002, seed=(3, 3)),
]
EQUAL = [
    World("identical, floats", own=0.0),
    World("identical, floats, seeds 3×", own=0.0, seed=(3, 3)),
    World("identical, 90 %", 0.9, own=0.0),
    World("identical, 90 %, seeds 3×", 0.9, own=0.0, seed=(3, 3)),
    World("identical, 99 %", 0.99, own=0.0),
    World("other images, 90 %", 0.9, own=1.0),
    World("other images, 90 %, seeds 3×", 0.9, own=1.0, seed=(3, 3)),
]


def coverage(quick: bool) -> list[dict[str, Any]]:
    """Return how often the interval holds the truth, a row for each world, seeds and images."""
    rows = []
    for number, world in enumerate(COVERED):
        for seeds, images, count in grid(quick):
            found = [missed(parts, world.gain) for parts in studies(world, count, seeds, images, number)]
            held = 1.0 - float(np.concatenate(found).mean())
            rows.append(row(world=world.name, seeds=seeds, images=images, studies=count, coverage=held))
    for seeds, images, count in grid(quick):
        rows.append(miou_row(min(count, 1_000), seeds, images))
    return rows


def miou_row(count: int, seeds: int, images: int) -> dict[str, Any]:
    """Return how often the interval of a difference of mean IoU holds the truth."""
    rng, held = np.random.default_rng(seeds * images), 0
    for _ in range(count):
        first, second = (miou_values(counts) for counts in both_segmented(rng, seeds, images))
        held += not bool(missed(components(first, second), true_miou_gain()))
    return row(world="mIoU of 4 classes", seeds=seeds, images=images, studies=count, coverage=held / count)


@cache
def true_miou_gain() -> float:
    """Return the true difference of mean IoU, from three million images that both networks see."""
    rng = np.random.default_rng(0)
    totals = [np.zeros((3, 4)), np.zeros((3, 4))]
    for _ in range(20):
        for total, counts in zip(totals, both_segmented(rng, 1, 150_000), strict=True):
            total += counts[0].sum(axis=0)
    first, second = ((hit / (predicted + there - hit)).mean() for hit, predicted, there in totals)
    return float(first - second)


def both_segmented(rng: np.random.Generator, seeds: int, images: int) -> list[Floats]:
    """Return the counts of candidate and reference on the same images."""
    difficulty, there = rng.standard_normal((images, 1)), presence(rng, images)
    return [segmented(rng, seeds, arm, difficulty, there) for arm in (0, 1)]


def presence(rng: np.random.Generator, images: int) -> Floats:
    """Return the pixels of each class; the last one is rare."""
    seen = rng.random((images, 4)) < np.array([1.0, 0.7, 0.5, 0.2])
    return np.where(seen, rng.integers(5, 100, (images, 4)), 0).astype(np.float64)


def segmented(rng: np.random.Generator, seeds: int, arm: int, difficulty: Floats, there: Floats) -> Floats:
    """Return counts (seeds, images, 3, 4) of a network."""
    level = 1.0 + 0.1 * (1 - arm) + 0.7 * difficulty
    share = ndtr(level + 0.5 * rng.standard_normal((seeds, *there.shape)))
    hit = np.floor(share * there)
    predicted = hit + rng.poisson(2.0, hit.shape) * (there > 0)
    return np.stack([hit, predicted, np.broadcast_to(there, hit.shape)], axis=2)


def wrong(quick: bool) -> list[dict[str, Any]]:
    """Return how often equal networks are told apart: by us, by seeds alone, by images alone."""
    rows = []
    for number, world in enumerate(EQUAL):
        for seeds, images, count in grid(quick):
            tests = (lambda parts: missed(parts, 0.0), missed_by_seeds, missed_by_images)
            found = [[test(parts) for test in tests] for parts in studies(world, count, seeds, images, 100 + number)]
            ours, by_seeds, by_images = (float(np.concatenate(column).mean()) for column in zip(*found, strict=True))
            rows.append(
                row(world=world.name, seeds=seeds, images=images, studies=count, wrong=ours, seeds_alone=by_seeds)
                | row(images_alone=by_images)
            )
    return rows


def powers(quick: bool) -> list[dict[str, Any]]:
    """Return how often the difference that is promised at 80 % is called better."""
    rows = []
    worlds = [World("floats"), World("floats, seeds 10×", seed=(10, 10)), World("floats, as one", own=0.0)]
    for number, world in enumerate(worlds):
        for seeds, images, count in [(3, 1_000, 3_000), (5, 1_000, 3_000), (12, 1_000, 2_000), (5, 200, 4_000)]:
            spread = Spread(world.seed[0] / images, world.own**2, 1.0)
            gain = detectable(spread, seeds=seeds, images=images, margin=0.0)
            shown = World(world.name, own=world.own, seed=world.seed, gain=gain)
            found = studies(shown, count // (10 if quick else 1), seeds, images, 200 + number)
            share = float(np.concatenate([parts.gain > half_width(parts, 0.95) for parts in found]).mean())
            rows.append(row(world=world.name, seeds=seeds, images=images, studies=count, detectable=gain, power=share))
    return [*rows, *powers_of_looks(40 if quick else 400)]


def powers_of_looks(count: int) -> Iterator[dict[str, Any]]:
    """Yield how often the difference that is promised for a plan with repeated looks is called better in the end."""
    for own, seed in ((0.5, 0.0), (0.5, 10.0), (0.0, 1.0)):
        for looks in (Looks(3, 6, margin=0.0), Looks(3, 12, margin=0.0)):
            spread = Spread(seed / 400, own**2, 1.0)
            gain = detectable(spread, seeds=looks.most, images=400, looks=looks)
            world = World("floats", own=own, seed=(seed, seed), gain=gain)
            plan = SeedPlan(looks.least, looks.most, margin=0.0, hopeless=HOPELESS)
            found = followed(world, plan, count, images=400, fixed=False)
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
                found = list(followed(world, SeedPlan(margin=margin), count))
                collected += found
                rows.append(row(gain=gain, seed=effect, margin=margin) | outline(found))
    mixes = [row(margin=margin) | mixed(found) for margin, found in runs.items()]
    mixes.append({"margin": "both"} | mixed([run for found in runs.values() for run in found]))
    return {"mixes": mixes, "scenarios": rows, "equal": list(adaptive_wrong(quick))}


def mixed(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a mix of studies comes to, beside 24 trainings each and a fixed design that decides as often."""
    by_seeds = np.mean([run["fixed"] for run in runs], axis=0).tolist()
    found = outline(runs)
    alike = 2.0 * verdict_retraining.as_many(found["decided"], by_seeds, range(3, 13))
    agrees = float(np.mean([run["agrees"] for run in runs if run["fixed"][-1]]))
    held = float(np.mean([run["held"] for run in runs]))
    found |= row(studies=len(runs), share_of_24=found["trainings"] / 24, same_verdict=agrees, final_coverage=held)
    return found | row(fixed_alike=alike, share_of_alike=found["trainings"] / alike)


def outline(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return mean trainings, the share that is decided, and that of 12 seeds for everyone."""
    means = {key: float(np.mean([run[key] for run in runs])) for key in ("trainings", "decided")}
    return row(**means, decided_24=float(np.mean([run["fixed"][-1] for run in runs])))


def adaptive_wrong(quick: bool) -> Iterator[dict[str, Any]]:
    """Yield how often the adaptive plan tells equal networks apart."""
    for own, effect in ((0.0, 0.0), (0.0, 3.0), (0.5, 1.0), (1.0, 0.0)):
        world = World("90 %", 0.9, own=own, seed=(effect, effect))
        found = list(followed(world, SeedPlan(), 100 if quick else 2_000, images=400, fixed=False))
        apart = float(np.mean([run["outcome"] in ("better", "worse") for run in found]))
        held = float(np.mean([run["held"] for run in found]))
        yield row(own=own, seed=effect, studies=len(found), wrong=apart, final_coverage=held)


def followed(
    world: World, plan: SeedPlan, count: int, images: int = IMAGES, fixed: bool = True
) -> Iterator[dict[str, Any]]:
    """Yield what `SeedPlan` makes of studies whose trainings are all known, and what fixed designs make of them."""
    rng = np.random.default_rng([images, int(1e4 * world.gain), int(10 * world.seed[0]), int(10 * world.own)])
    for _ in range(count):
        first, second = (scores[0] for scores in world.draw(rng, 1, plan.most, images))
        yield followed_one(plan, first, second, world.gain, fixed)


def followed_one(plan: SeedPlan, first: Floats, second: Floats, truth: float, fixed: bool = True) -> dict[str, Any]:
    """Return how one study ends."""
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
    if fixed:
        numbers = range(plan.least, plan.most + 1)
        alone = [compare(first[:seeds], second[:seeds], margin=plan.margin).outcome for seeds in numbers]
        run |= {"fixed": [one != "undecided" for one in alone], "agrees": found.outcome == alone[-1]}
    return run


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
        runs = [followed_one(plan, scores[who[:12]], scores[who[12:24]], 0.0, fixed=False) for who in halves]
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
            runs.append(followed_one(plan, one, other, 0.0))
        yield (
            row(pair=f"{candidate} against {reference}", seeds=len(first), images=IMAGES, gain=found.gain)
            | row(low=found.low, high=found.high, p=found.p, accuracy=accuracy)
            | {"outcome": found.outcome}
            | row(seed_over_test_set=spread.seed * IMAGES / spread.rest)
            | row(rest_share=spread.rest / variance, image_share=spread.image / variance)
            | outline(runs)
        )


def picked(quick: bool) -> list[dict[str, Any]]:
    """Return how often a finalist without a gain is told apart that was picked among several."""
    return [row(**found) for found in verdict_retraining.picked(100 if quick else 500)]


def retraining(quick: bool) -> dict[str, Any]:
    """Return what whole retrainings take and close, adaptive and fixed."""
    found = verdict_retraining.whole(10 if quick else 36)
    return {title: [row(**one) for one in rows] for title, rows in found.items()}


def row(**values: Any) -> dict[str, Any]:
    """Return a row of results with its numbers rounded."""
    return {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in values.items()}


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows as text."""
    return "\n".join("  " + "  ".join(f"{key} {value}" for key, value in found.items()) for found in rows)


def summary(results: dict[str, Any]) -> dict[str, Any]:
    """Return the figures that are wanted, over all rows of the parts there are."""
    said: dict[str, Any] = {}
    if rows := results.get("coverage"):
        covered = [found["coverage"] for found in rows]
        outside = sum(not 0.93 <= share <= 0.97 for share in covered)
        said["coverage"] = row(
            lowest=min(covered), mean=float(np.mean(covered)), highest=max(covered), outside=outside, cells=len(rows)
        )
    if rows := results.get("wrong"):
        said["wrong"] = {
            test: row(mean=float(np.mean([one[test] for one in rows])), highest=max(one[test] for one in rows))
            for test in ("wrong", "seeds_alone", "images_alone")
        }
    if rows := results.get("power"):
        said["power"] = row(lowest=min(one["power"] for one in rows), highest=max(one["power"] for one in rows))
    if rows := results.get("picked"):
        said["picked"] = {
            design: row(highest=max(one[design] for one in rows)) for design in rows[0] if design.startswith("wrong")
        }
    if found := results.get("adaptive"):
        said["adaptive"] = found["mixes"]
        said["adaptive_wrong"] = row(highest=max(one["wrong"] for one in found["equal"]))
    if found := results.get("retraining"):
        said["retraining"] = found["mixes"]
    return said


PARTS: dict[str, Callable[[bool], Any]] = {
    "coverage": coverage,
    "wrong": wrong,
    "power": powers,
    "picked": picked,
    "retraining": retraining,
    "adaptive": adaptive,
    "real": real,
}


def main() -> None:
    """Run all of it or some parts, print them, and write them beside what the file has of the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the studies")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="these parts alone")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results: dict[str, Any] = {}
    if options.json and options.json.exists():
        results = json.loads(options.json.read_text())
    seconds = results.get("seconds") if isinstance(results.get("seconds"), dict) else {}
    for name in options.only:
        started = time.process_time()
        found = results[name] = PARTS[name](options.quick)
        seconds[name] = round(time.process_time() - started, 1)
        print(f"{name} ({seconds[name]:.0f} s)", flush=True)
        for title, rows in found.items() if isinstance(found, dict) else [("", found)]:
            print(f"{title}\n{table(rows if isinstance(rows, list) else [rows])}", flush=True)
        parts = {part: results[part] for part in PARTS if part in results}
        results = {"summary": summary(parts), "hardware": ops.hardware(1), "seconds": seconds} | parts
        if options.json:
            options.json.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results["summary"], indent=1))


if __name__ == "__main__":
    main()
