"""Whether the time left that a search shows is right.

What it shows
    A real search (examples/digits.yaml: 40 candidates of a ResNet-14 on digits, two workers on two cores) in a
    process of its own. Its lines are read as they come; the first one with a time left after 25 %, 50 % and 75 %
    of the run is compared with the time that the command then really took, report included.

Result
    Error at 25 %, 50 %, 75 % of a run; 23 November 2026, two cores with nothing beside (a line comes every 10 s, so
    the first one after a quarter comes after 27 to 33 %).

    - 160 candidates of 8 epochs: +20 %, +41 %, +41 % (20 s were left);
    - 40 candidates of 24 epochs: −8 %, +13 %, +78 % (23 s were left);
    - 40 candidates of 8 epochs, about a minute: −41 %, −19 %, +9 %, and −44 %, +61 %, +37 %.

    So after a quarter it is right within 30 % where several candidates are done by then. In a run of a minute one is
    done, the sum everywhere, which is the fastest; the sign changes later, as the pruner stops more and more.

How to run
    python benchmarks/time_left.py [--runs 2] [--set KEY=VALUE ...] [--json time_left.json]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONFIG = Path(__file__).parents[1] / "examples" / "digits.yaml"
SHARES = (0.25, 0.5, 0.75)
LINE = re.compile(r"(?P<done>\d+) of (?P<trials>\d+) candidates.*, (?P<left>[^,]+) left")
UNITS = {"s": 1, "min": 60, "h": 3600}


def seconds(text: str) -> float:
    """Return what a time span such as `3 min 05 s` means, in seconds."""
    return float(sum(float(number) * UNITS[unit] for number, unit in re.findall(r"([\d.]+) (h|min|s)\b", text)))


def search(settings: list[str]) -> tuple[list[tuple[float, int, float]], float]:
    """Run one search; return what it showed (seconds since its start, candidates done, seconds left) and its time."""
    with tempfile.TemporaryDirectory() as folder:
        changes = [word for setting in settings for word in ("--set", setting)]
        command = [sys.executable, "-m", "search", "launch", str(CONFIG), "--run-dir", f"{folder}/run", *changes]
        started = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            shown = [
                (time.monotonic() - started, int(found["done"]), seconds(found["left"]))
                for line in process.stderr or ()
                if (found := LINE.search(line))
            ]
        if process.returncode != 0:
            raise SystemExit(f"the search ended with {process.returncode}")
    return shown, time.monotonic() - started


def judged(shown: list[tuple[float, int, float]], total: float) -> list[dict[str, float]]:
    """Return, for every share of the run, the first estimate after it, the truth and the error."""
    rows = []
    for share in SHARES:
        at, done, left = next((row for row in shown if row[0] >= share * total), shown[-1])
        truth = total - at
        rows.append({"at": at / total, "done": done, "shown": left, "truth": truth, "error": left / truth - 1})
    return rows


def main() -> None:
    """Run the searches and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    runs = []
    print(f"{'run':>3}{'seconds':>9}{'at':>7}{'done':>6}{'shown':>8}{'truth':>8}{'error':>8}")
    for run in range(options.runs):
        shown, total = search([f"search.seed={run}", *options.settings])
        rows = judged(shown, total)
        runs.append({"seconds": total, "shares": rows, "shown": shown})
        for row in rows:
            print(
                f"{run:>3}{total:>9.0f}{row['at']:>7.0%}{row['done']:>6}{row['shown']:>6.0f} s{row['truth']:>6.0f} s"
                f"{row['error']:>+8.0%}",
                flush=True,
            )
    if options.json:
        from search.run.environment import describe_environment

        values = {"settings": options.settings, "runs": runs, "environment": describe_environment()}
        options.json.write_text(json.dumps(values, indent=2))


if __name__ == "__main__":
    main()
