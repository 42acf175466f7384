"""Does a whole run find the truth that was planted in its data, and nothing where nothing is?

    python benchmarks/planted_truth.py [--seeds 20] [--truth cued chance] [--json benchmarks/results/planted_truth.json]

Real trainings, as a user runs them: a search, then `retrain` of its finalists with 3 to 6 seeds, for each seed of data
and search anew (`planted/two_views.py` has the data and the network).

- `cued`: attention at `meet.add` matters, nothing else. Wanted: the verdict is `better`, and the ablation shows that
  this point, and no other, earned it. A fifth of the seeds.
- `chance`: labels are random, so no network is better than another on new images. Wanted: `same` or `undecided` for
  every seed; never `better`.

Runs that are whole in `--runs` are judged as they are, and not made again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import ops

import search
from reports.judging import judgement_of
from reports.run.run import load_run
from search.config import SearchConfig

HERE = Path(__file__).parent / "planted"
POINT = "meet.add"
SEEDS = (3, 6)
FEWER = 4


def outcome(truth: str, seed: int, folder: Path) -> dict[str, Any]:
    """Return what a whole run says: its verdict, and the points that the ablation shows to have earned something."""
    run_dir = folder / f"{truth}-{seed}"
    started = time.monotonic()
    if not (run_dir / "verdict.json").exists():
        shutil.rmtree(run_dir, ignore_errors=True)
        config = SearchConfig.load(HERE / f"{truth}.yaml", overrides={"data.seed": seed, "search.seed": seed})
        run = search.launch(config, run_dir=run_dir)
        run.retrain(top=2, seeds=SEEDS, ablate=truth == "cued")
    found = judgement_of(load_run(run_dir))
    assert found is not None
    against = found.against("sum")[0].contrast
    earned = {one.point: one.compared.contrast.outcome for one in found.under[0].earned}
    return {
        "truth": truth,
        "seed": seed,
        "outcome": found.verdict.outcome,
        "gain": round(against.gain, 4),
        "interval": [round(against.low, 4), round(against.high, 4)],
        "operators": {name: str(choice) for name, choice in found.candidate.architecture.choices},
        "earned": earned,
        "trainings": sum(len(arm.seeds) for arm in found.arms),
        "minutes": round((time.monotonic() - started) / 60, 1),
    }


def kept(row: dict[str, Any]) -> bool:
    """Return whether a run said what is true."""
    if row["truth"] == "chance":
        return row["outcome"] in ("same", "undecided")
    better = [point for point, said in row["earned"].items() if said == "better"]
    return row["outcome"] == "better" and better == [POINT]


def main() -> None:
    """Run both truths with all seeds, and say how often the truth was told."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--truth", nargs="+", choices=["cued", "chance"], default=["cued", "chance"])
    parser.add_argument("--runs", type=Path, help="folder of the runs; by default a temporary one")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    sys.path.insert(0, str(HERE))
    folder = options.runs or Path(tempfile.mkdtemp())
    rows = []
    for truth in options.truth:
        for seed in range(options.seeds if truth == "chance" else max(1, options.seeds // FEWER)):
            rows.append(outcome(truth, seed, folder))
            print(json.dumps(rows[-1]), flush=True)
    for truth in options.truth:
        own = [row for row in rows if row["truth"] == truth]
        print(f"{truth}: {dict(Counter(row['outcome'] for row in own))}, true in {sum(map(kept, own))} of {len(own)}")
    if options.json:
        options.json.write_text(json.dumps({"hardware": ops.hardware(1), "runs": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
