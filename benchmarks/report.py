"""Size, time to write and time to interactive of the report, beside optuna-dashboard and Plotly's own figures.

What it shows
    One search of a ResNet (CIFAR form, depth 14, 6 fusion points), two objectives, 100, 1,000 and 5,000 candidates;
    half of them complete. The same candidates are shown three ways:

    report      what `write_html` writes: one file.
    figures     the usual ones of `optuna.visualization` in one HTML file, Plotly embedded once: history, Pareto front,
                importances, parallel coordinates, slices, empirical distribution, timeline.
    dashboard   `optuna-dashboard` on an SQLite file: a server; its page of the study.

    A page is interactive when its document is, its files have come, no answer is awaited, and the last task of 50 ms or
    more is over that is followed by two seconds without one. These are the browser's own performance entries; Chromium
    is headless, 1280 × 900. Each page is loaded in turn, several times in fresh profiles; the median is kept. Size is
    that of the file, of the dashboard all that it sends.

    Each way has a time limit, to write its file and to become interactive. Whoever takes longer is stopped there and is
    told with `> LIMIT`, in the table and as `over` in the JSON; it is not loaded again.

How to run
    OMP_NUM_THREADS=1 python benchmarks/report.py [--candidates 100 1000 5000] [--loads 5] [--limit 120] [--json OUT]
    Needs `pip install fusion-nas[dashboard] playwright` and Chromium on the PATH.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import yaml
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from playwright.sync_api import Browser, Page, Request, sync_playwright
from playwright.sync_api import TimeoutError as TooLate

import reports
import spaces
from reports.candidates import table as candidates
from spaces import SearchSpace

OBJECTIVES = ("accuracy", "params")
EPOCHS = 8
QUIET = 2.0
STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

WATCH = """
window.tasks = [];
new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) tasks.push([startTime, startTime + duration]);
}).observe({ type: "longtask", buffered: true });
"""
READ = """() => {
    const page = performance.getEntriesByType("navigation")[0];
    const files = performance.getEntriesByType("resource");
    return {
        ready: Math.max(page.domInteractive, ...files.map((file) => file.responseEnd)),
        sent: page.transferSize + files.reduce((sum, file) => sum + file.transferSize, 0),
        painted: performance.getEntriesByName("first-contentful-paint")[0].startTime,
        nodes: document.getElementsByTagName("*").length,
        tasks, now: performance.now(),
    };
}"""


def made(space: SearchSpace, count: int) -> list[dict[str, Any]]:
    """Return rows of the candidates table: random networks, half of them complete."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(count):
        architecture, state = space.sample(rng), ("complete", "pruned", "complete", "failed")[number % 4]
        epochs = {"complete": EPOCHS, "pruned": int(rng.integers(2, 5)), "failed": 3}[state]
        cost, level = space.cost(architecture), rng.normal(0.95, 0.01)
        curve = [round(float(level - 0.7 * np.exp(-0.75 * (step + 1))), 6) for step in range(epochs)]
        began = 1.7723592e9 + 3 * number
        started, ended = (time.strftime("%FT%T.000+00:00", time.gmtime(began + late)) for late in (0, 60))
        row = {"number": number, "id": architecture.id, "state": state, "kind": "search", "seed": 0, "retries": 0}
        row |= {"reason": "" if state == "complete" else f"at epoch {epochs} its optimistic end is dominated"}
        row |= {"epochs": epochs, "accuracy": max(curve), "loss": 2.4 * (1 - max(curve)), "seconds": 0.7 * epochs}
        row |= {"params": cost.params, "flops": cost.flops, "worker": f"node-1:{number % 2}", "curve": curve}
        rows.append(row | {"started": started, "finished": ended, "architecture": architecture.to_json()})
    return rows


def write_run(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """Write a run directory of these candidates."""
    folder.mkdir()
    config = {"space": {"name": "resnet"}, "objectives": list(OBJECTIVES), "train": {"epochs": EPOCHS}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    candidates.write(candidates.frame(rows, OBJECTIVES), folder)
    return folder


def fill(storage: str | None, space: SearchSpace, rows: list[dict[str, Any]]) -> optuna.Study:
    """Return a study of these candidates, one parameter a fusion point; without a storage it is in memory."""
    choices = CategoricalDistribution(sorted({str(choice) for slot in space.slots for choice in slot.choices}))
    study = optuna.create_study(storage=storage, directions=["maximize", "minimize"], study_name="search")
    study.set_metric_names(list(OBJECTIVES))
    study.add_trials([_trial(row, choices) for row in rows])
    return study


def _trial(row: dict[str, Any], choices: CategoricalDistribution) -> FrozenTrial:
    chosen = {name: str(choice) for name, choice in spaces.Architecture.from_json(row["architecture"]).choices}
    return create_trial(
        state=STATES[row["state"]],
        values=[row[name] for name in OBJECTIVES] if row["state"] == "complete" else None,
        params=chosen,
        distributions=dict.fromkeys(chosen, choices),
        user_attrs={name: row[name] for name in ("flops", "loss", "reason")},
    )


def write_figures(study: optuna.Study, path: Path) -> None:
    """Write the usual figures of Optuna into one file."""
    from optuna import visualization as drawn

    def quality(trial: FrozenTrial) -> float:
        return float(trial.values[0])

    figures = [
        drawn.plot_optimization_history(study, target=quality, target_name="accuracy"),
        drawn.plot_pareto_front(study),
        drawn.plot_param_importances(study, target=quality, target_name="accuracy"),
        drawn.plot_parallel_coordinate(study, target=quality, target_name="accuracy"),
        drawn.plot_slice(study, target=quality, target_name="accuracy"),
        drawn.plot_edf(study, target=quality, target_name="accuracy"),
        drawn.plot_timeline(study),
    ]
    parts = [figure.to_html(full_html=False, include_plotlyjs=place == 0) for place, figure in enumerate(figures)]
    path.write_text(f"<!doctype html><meta charset=utf-8><title>figures</title>{''.join(parts)}", encoding="utf-8")


@contextmanager
def dashboard(storage: str) -> Iterator[str]:
    """Serve a study; yield the address of its page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).parent / "optuna-dashboard"), storage, "--port", str(port), "--quiet"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}/api/studies")
        yield f"http://127.0.0.1:{port}/dashboard/studies/1"
    finally:
        server.terminate()
        server.wait()


def _wait_for(address: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(address).read()  # noqa: S310 - of this machine
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{address} does not answer.")


def load(browser: Browser, address: str, limit: float) -> dict[str, float] | None:
    """Return when a page was painted and interactive, in ms, what came over the wire and its nodes.

    `None` where it is not interactive within the limit, in seconds.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    # What a busy page does not answer in time is over the limit, too.
    page.set_default_timeout(1000 * limit)
    page.add_init_script(WATCH)
    # A page that waits for its server is quiet, but not interactive.
    awaited = set[Request]()
    page.on("request", lambda request: awaited.add(request))
    page.on("requestfinished", lambda request: awaited.discard(request))
    page.on("requestfailed", lambda request: awaited.discard(request))
    try:
        page.goto(address)
        return _interactive(page, awaited, time.monotonic() + limit)
    except TooLate:
        return None
    finally:
        context.close()


def _interactive(page: Page, awaited: set[Request], until: float) -> dict[str, float] | None:
    while time.monotonic() < until:
        page.wait_for_timeout(250)
        seen = page.evaluate(READ)
        busy = max([seen["ready"], *(end for _, end in seen["tasks"])])
        if not awaited and seen["now"] - busy > 1000 * QUIET:
            return {"interactive": busy, **{name: seen[name] for name in ("painted", "sent", "nodes")}}
    return None


def timed(action: Callable[[], Any], limit: float) -> float | None:
    """Return how long something took, in seconds, in a process of its own; `None` where it was longer than the limit.

    The process is forked, so that all is imported and the candidates are there.
    """
    process = multiprocessing.get_context("fork").Process(target=action)
    started = time.perf_counter()
    process.start()
    process.join(limit)
    seconds = time.perf_counter() - started
    if process.is_alive():
        process.kill()
        process.join()
        return None
    if process.exitcode:
        raise SystemExit("what was to be timed failed; see above.")
    return seconds


def measure(browser: Browser, space: SearchSpace, count: int, loads: int, limit: float) -> dict[str, Any]:
    """Return what one number of candidates costs, shown in each of the three ways."""
    with tempfile.TemporaryDirectory() as name:
        folder, rows = Path(name), made(space, count)
        storage = f"sqlite:///{folder}/study.db"
        study, run = fill(None, space, rows), write_run(folder / "run", rows)
        fill(storage, space, rows)
        files = {"report": run / "report.html", "figures": folder / "figures.html"}
        written = {
            "report": timed(lambda: reports.write_html(run), limit),
            "figures": timed(lambda: write_figures(study, files["figures"]), limit),
        }
        pages = {way: files[way].as_uri() for way, seconds in written.items() if seconds is not None}
        with dashboard(storage) as served:
            found = _loaded(browser, pages | {"dashboard": served}, loads, limit)
        for way, seconds in written.items():
            if seconds is None:
                found[way] = {"over": "write"}
            else:
                found[way] |= {"write_s": round(seconds, 2), "bytes": files[way].stat().st_size}
    return found | {"ratios": _ratios(found)}


def _loaded(browser: Browser, pages: dict[str, str], loads: int, limit: float) -> dict[str, dict[str, Any]]:
    """Return what each page took to load, in turn; one that is over the limit is not loaded again."""
    seen: dict[str, list[dict[str, float]]] = {way: [] for way in pages}
    over = set[str]()
    for _ in range(loads):
        for way in [way for way in pages if way not in over]:
            one = load(browser, pages[way], limit)
            if one is None:
                over.add(way)
            else:
                seen[way].append(one)
    return {way: {"over": "load"} if way in over else _median(found) for way, found in seen.items()}


def _ratios(found: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Return what each of the others takes, in units of the report's own, as far as both are known."""
    return {
        f"{way}: {of}": round(found[way][of] / found["report"][of], 2)
        for way in ("figures", "dashboard")
        for of in ("interactive_ms", "bytes", "write_s")
        if of in found[way] and found["report"].get(of)
    }


def table_of(found: dict[str, Any], count: int, limit: float) -> str:
    """Return one number of candidates as lines of a table."""
    lines = [f"{count:,} candidates    {'write':>10}  {'size':>9}  {'interactive':>12}"]
    for way in ("report", "figures", "dashboard"):
        one, over = found[way], f"> {limit:g} s"
        write = f"{one['write_s']:.1f} s" if "write_s" in one else over if one.get("over") == "write" else "-"
        size = f"{one['bytes'] / 1e6:.1f} MB" if "bytes" in one else "-"
        ready = f"{one['interactive_ms'] / 1000:.2f} s" if "interactive_ms" in one else "-"
        lines.append(f"{way:<18}{write:>10}  {size:>9}  {over if one.get('over') == 'load' else ready:>12}")
    return "\n".join(lines)


def _median(seen: list[dict[str, float]]) -> dict[str, Any]:
    median = {name: round(statistics.median(one[name] for one in seen)) for name in seen[0]}
    return {
        "interactive_ms": median["interactive"],
        "interactive_ms_range": [round(pick(one["interactive"] for one in seen)) for pick in (min, max)],
        "painted_ms": median["painted"],
        "bytes": median["sent"],
        "nodes": median["nodes"],
    }


def _import_all(space: SearchSpace) -> None:
    """Write either file once, so that no import is in what is timed."""
    with tempfile.TemporaryDirectory() as name:
        rows = made(space, 20)
        reports.write_html(write_run(Path(name) / "run", rows))
        write_figures(fill(None, space, rows), Path(name) / "figures.html")


def main() -> None:
    """Measure, print, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--candidates", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--loads", type=int, default=5)
    parser.add_argument("--limit", type=float, default=120, help="seconds that one way may take to write or to load")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    space = spaces.create("resnet", depth=14, width=8, in_channels=1, input_size=(8, 8))
    _import_all(space)
    hardware = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start"
    results: dict[str, Any] = {
        "hardware": hardware,
        "date": time.strftime("%F"),
        "loads": asked.loads,
        "limit_s": asked.limit,
        "candidates": {},
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        results["chromium"] = browser.version
        for count in asked.candidates:
            results["candidates"][str(count)] = found = measure(browser, space, count, asked.loads, asked.limit)
            print(table_of(found, count, asked.limit), flush=True)
            if asked.json:
                asked.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        browser.close()


if __name__ == "__main__":
    main()
