"""Does the verdict keep what it promises? Thousands of simulated studies, and one table of real trainings.

    python benchmarks/verdict_quality.py [--quick] [--only PART ...] [--json benchmarks/results/verdict_quality.json]

A study is two networks, each trained on some seeds and tested on the same images, with effects of seeds, of images,
of images in one of the networks only, and what is left. Shown are

- coverage: how often the 95 % interval has the true difference in it, wanted 93 to 97 %, for floats, right or wrong at
  90 and at 99 %, and mean IoU;
- wrong: how often two networks without a difference are called `better` or `worse`, wanted at most 5 %. Side by side a
  t-test over seeds alone and a paired test over images alone. Networks are without a difference if they are the same
  (`identical`), and if each is right on other images, but equally often (`other images`);
- rarely wrong: coverage where networks are wrong on two images of 200 and seeds of both or of one alone differ, beside
  that of symmetric intervals; a limit of the method, nothing is wanted;
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

Result (Intel Xeon, one shared core, twenty-five minutes, 2026-11-29; tables in `docs/verdict.md`): coverage 93 to 97 %
in all of 90 cells; wrong in 4.5 % on average, in no cell above 5 % by more than chance, by seeds alone up to 27 %, by
images alone up to 35 %; power 78 to 81 %, over looks 75 to 81 %. Of the symmetric interval before, at 90 %: picked
among three or six, wrong in at most 3.4 %; whole retrainings take 45 % of the trainings of the fixed design that closes
as many verdicts, two networks alone (`adaptive`) 73 %.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import ops
import verdict_retraining
from verdict_coverage import beyond, coverage, rarely_wrong, wrong
from verdict_plans import adaptive, powers_of_looks, real
from verdict_worlds import World, row, studies

from reports.comparison import Spread, detectable
from reports.comparison.interval import half_width


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


def picked(quick: bool) -> list[dict[str, Any]]:
    """Return how often a finalist without a gain is told apart that was picked among several."""
    return [row(**found) for found in verdict_retraining.picked(100 if quick else 500)]


def retraining(quick: bool) -> dict[str, Any]:
    """Return what whole retrainings take and close, adaptive and fixed."""
    found = verdict_retraining.whole(10 if quick else 36)
    return {title: [row(**one) for one in rows] for title, rows in found.items()}


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows as text."""
    return "\n".join("  " + "  ".join(f"{key} {value}" for key, value in found.items()) for found in rows)


def summary(results: dict[str, Any]) -> dict[str, Any]:
    """Return the figures that are wanted, over all rows of the parts there are."""
    said: dict[str, Any] = {}
    if rows := results.get("coverage"):
        covered = [found["coverage"] for found in rows]
        outside = sum(not 0.93 <= share <= 0.97 for share in covered)
        clearly = sum(
            beyond(one["coverage"], 0.97, one["studies"], len(rows))
            or beyond(1.0 - one["coverage"], 0.07, one["studies"], len(rows))
            for one in rows
        )
        said["coverage"] = row(lowest=min(covered), mean=float(np.mean(covered)), highest=max(covered))
        said["coverage"] |= row(outside=outside, clearly_outside=clearly, cells=len(rows))
    if rows := results.get("wrong"):
        said["wrong"] = {
            test: row(mean=float(np.mean([one[test] for one in rows])), highest=max(one[test] for one in rows))
            | row(clearly_above=sum(beyond(one[test], 0.05, one["studies"], len(rows)) for one in rows))
            for test in ("wrong", "seeds_alone", "images_alone")
        }
        said["wrong"]["cells"] = len(rows)
    if rows := results.get("power"):
        said["power"] = row(lowest=min(one["power"] for one in rows), highest=max(one["power"] for one in rows))
    if rows := results.get("picked"):
        said["picked"] = {
            design: row(highest=max(one[design] for one in rows)) for design in rows[0] if design.startswith("wrong")
        }
    if found := results.get("adaptive"):
        said["adaptive"] = found["mixes"]
        said["adaptive_wrong"] = {
            test: row(highest=max(one[test] for one in found["equal"])) for test in ("wrong", "wrong_fixed")
        }
    if found := results.get("retraining"):
        said["retraining"] = found["mixes"]
    return said


def lines(said: dict[str, Any]) -> Iterator[str]:
    """Yield what was wanted, and what it comes to, a line each."""
    if found := said.get("coverage"):
        yield (
            f"coverage of 93 to 97 %: {found['cells'] - found['outside']} of {found['cells']} cells; "
            f"{found['lowest']:.1%} to {found['highest']:.1%}; outside by more than chance: {found['clearly_outside']}"
        )
    if found := said.get("wrong"):
        ours = found["wrong"]
        yield (
            f"equal networks told apart in at most 5 %: {ours['mean']:.1%} over all cells, {ours['highest']:.1%} in "
            f"the highest; above by more than chance: {ours['clearly_above']} of {found['cells']}"
        )
    if found := said.get("power"):
        yield f"power of 75 to 85 % where 80 % is promised: {found['lowest']:.1%} to {found['highest']:.1%}"
    if found := said.get("retraining"):
        both = found[-1]
        yield (
            "adaptive seeds with at most half of the trainings of a fixed number that closes as many verdicts: "
            f"whole retrainings, as `retrain --seeds 3..12` does them: {both['share_of_alike']:.0%}; verdicts wrong in "
            f"{both['wrong']:.1%} beside up to {both['wrong_fixed']:.1%}"
        )
    if found := said.get("adaptive"):
        both, wrong_of = found[-1], said["adaptive_wrong"]
        yield (
            f"the same of two networks alone: {both['share_of_alike']:.0%}; equal networks told apart in up to "
            f"{wrong_of['wrong']['highest']:.1%} beside {wrong_of['wrong_fixed']['highest']:.1%}; "
            f"the first seeds take {6 / both['fixed_alike']:.0%}, "
            f"a plan that foresaw what stays undecided {both['share_if_foreseen']:.0%}"
        )


PARTS: dict[str, Callable[[bool], Any]] = {
    "coverage": coverage,
    "rarely_wrong": rarely_wrong,
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
    print("\n".join(lines(results["summary"])))


if __name__ == "__main__":
    main()
