"""`fusion-nas replay`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli.app import AsJson, RunDir, app

if TYPE_CHECKING:
    from reports.measures import Measure
    from search.run.replay import Replay, Replays


@app.command()
def replay(
    run_dir: RunDir,
    pruner: Annotated[
        str | None,
        typer.Option(help="Pruners, separated by commas; by default all that make sense for the objectives."),
    ] = None,
    sampler: Annotated[
        str | None, typer.Option(help="Not possible: says why, and how samplers are compared instead.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="In how many shuffled orders the candidates are gone through, too.")] = 5,
    min_epochs: Annotated[
        int | None, typer.Option(help="Nothing is stopped before so many epochs; by default as in the run.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the figures there as JSON.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what other pruners would have saved of a run, and wrongly stopped, from its learning curves.

    The run is only read; nothing is trained.

    Example: fusion-nas replay runs/a --pruner auto,none
    """
    import json

    from reports.run.run import load_run
    from search.cli.console import print_json
    from search.run.replay import refuse_sampler
    from search.run.replay import replay as replayed

    if sampler is not None:
        refuse_sampler(run_dir, sampler)
    names = None if pruner is None else [name.strip() for name in pruner.split(",")]
    found = replayed(run_dir, names, seeds=seeds, min_epochs=min_epochs)
    if output is not None:
        _write(output, json.dumps(found.to_dict(), indent=2) + "\n")
    if as_json:
        print_json(found.to_dict())
    else:
        _print(found, load_run(run_dir).quality)


def _write(path: Path, text: str) -> None:
    from fusion_ops.errors import RunError
    from reports.atomic import write_text

    try:
        write_text(path, text)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}.") from None


def _print(found: Replays, quality: Measure) -> None:
    from search.cli.console import print_lines, print_table

    known = f"{found.known} of {found.candidates} candidates were trained to their end"
    at_once = "one after the other" if found.workers == 1 else f"{found.workers} at once"
    floor = f"; no stops before epoch {found.min_epochs}" if found.min_epochs > 1 else ""
    print_lines("run", [f"{found.run}: {known}; they begin in the run's order, {at_once}{floor}"])
    rows = [_own(found), *(_row(one, quality) for one in found.replays)]
    print_table(["pruner"], ["stopped", "epochs saved", "time saved", "wrong stops", "front kept", "best lost"], rows)
    print_lines("", _notes(found))


def _own(found: Replays) -> list[str]:
    from reports.phrases import duration

    own = found.own
    saved = f"{100 * (1 - own.epochs / own.whole):.0f} %"
    whole = found.replays[0].counts.seconds_whole if found.replays else own.seconds
    low, high = 100 * own.wrong_low, 100 * own.wrong_high
    checked = f"{own.wrong} of {own.checked} checked ({low:.0f} to {high:.0f} %)" if own.checked else "none checked"
    wrong = checked if own.stopped or own.checked else "0"
    return [f"{own.pruner}, as it was", f"{own.stopped}", saved, duration(max(whole - own.seconds, 0.0)), wrong, "", ""]


def _row(one: Replay, quality: Measure) -> list[str]:
    from reports.phrases import duration, signed_points

    counts = one.counts
    time = [duration(max(counts.seconds_whole - seconds, 0.0)) for seconds in (counts.seconds_at_most, counts.seconds)]
    kept = "" if counts.front_kept is None else f"{100 * counts.front_kept:.1f} %"
    lost = "" if counts.best_lost is None else signed_points(quality, counts.best_lost).removeprefix("+")
    return [
        one.pruner,
        f"{counts.stopped}",
        f"{_range(100 * counts.saved, 100 * counts.saved_at_most)} %{_orders(one)}",
        " to ".join(dict.fromkeys(time)),
        _wrong(one),
        kept,
        lost,
    ]


def _range(low: float, high: float) -> str:
    return " to ".join(dict.fromkeys((f"{low:.0f}", f"{high:.0f}")))


def _orders(one: Replay) -> str:
    """Return the least and the most over all orders, where they differ."""
    least, most = one.spread("saved"), one.spread("saved_at_most")
    if not one.shuffled or least is None or most is None:
        return ""
    return f" ({_range(100 * least[0], 100 * most[1])})"


def _wrong(one: Replay) -> str:
    counts = one.counts
    if not counts.unknown:
        spread = one.spread("wrong")
        orders = f" ({_range(*spread)})" if one.shuffled and spread is not None else ""
        return f"{counts.wrong}{orders}"
    if counts.expected_wrong is None:
        return f"{counts.wrong_low:.0f} to {counts.wrong_high:.0f}, {counts.unknown} unknown"
    return f"about {counts.expected_wrong:.1f} ({counts.wrong_low:.1f} to {counts.wrong_high:.1f})"


def _notes(found: Replays) -> Iterator[str]:
    if not found.replays:
        return
    yield (
        "wrong stops would have been on the front of all candidates whose end is known; front kept is the share of its "
        "hypervolume that those which complete have, best lost what the best of them lacks"
    )
    if found.replays[0].shuffled:
        yield f"in brackets: least and most over the run's order and {len(found.replays[0].shuffled)} shuffled ones"
    if any(one.counts.past for one in found.replays):
        yield (
            "a range of epochs and time: some were stopped in the run and would have gone on; at least to the next "
            "chance to stop them, at most to the end. What they would have reached is not known"
        )
    if any(one.counts.unknown for one in found.replays):
        yield (
            f"Not known are the ends of {found.candidates - found.known}. Where the run's audits (stops that ran on "
            "as a check) say what such stops are worth, wrong stops are estimated, with a 95 % interval; else from "
            "none to all of them"
        )
