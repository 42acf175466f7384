"""What the report says of latencies: how they were taken, which drifted, where runtimes order networks otherwise.

Whole networks are compared, not operators: the uniform ones, where there are any, else all that were measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from reports.measures import AT, DRIFT, Measure
from reports.run.catalog import Catalog, Entry
from reports.run.run import RunRecord

__all__ = ["Disagreement", "LatencyInfo", "drifted", "latency_info", "protocol", "spread_column", "timed"]

PYTORCH = ("torch", "torch-compiled", "pt2")
GPU = "in bf16 on the GPU"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two networks that two runtimes order otherwise, each beyond the interquartile ranges of its times.

    Args:
        first: What is faster in `here`, in a few words.
        second: What is faster in `there`.
        here: One latency.
        there: The other.
    """

    first: str
    second: str
    here: Measure
    there: Measure


@dataclass(frozen=True, slots=True)
class LatencyInfo:
    """What is said of latencies.

    Args:
        protocol: How they were taken, in a sentence; empty where none was.
        drifted: Which candidates' measurement drifted, by the label of the latency.
        measures: The latencies that are compared; none where there is only one.
        rows: Networks from fast to slow in the first of these, in a few words, with their times in the order of these.
        uniform: Whether they are the uniform networks.
        networks: How many networks were compared.
        turned: The pairs that are ordered otherwise.
    """

    protocol: str
    drifted: Mapping[str, tuple[str, ...]]
    measures: tuple[Measure, ...] = ()
    rows: tuple[tuple[str, tuple[float, ...]], ...] = ()
    uniform: bool = False
    networks: int = 0
    turned: tuple[Disagreement, ...] = ()


def latency_info(run: RunRecord, catalog: Catalog) -> LatencyInfo | None:
    """Return what is to be said of latencies; `None` where none was measured."""
    latencies = _latencies(catalog)
    if not latencies:
        return None
    unsteady = drifted(catalog)
    everywhere = [entry for entry in catalog.ranked if all(entry.values[one.name] for one in latencies)]
    if len(latencies) < 2 or len(everywhere) < 2:
        return LatencyInfo(_protocol(run, latencies), unsteady)
    uniform = [entry for entry in everywhere if len({choice for _, choice in entry.architecture.choices}) == 1]
    compared = uniform if len(uniform) > 1 else everywhere
    compared.sort(key=lambda entry: _time(entry, latencies[0]))
    rows = tuple((one.description, tuple(_time(one, measure) for measure in latencies)) for one in compared)
    return LatencyInfo(
        _protocol(run, latencies),
        unsteady,
        latencies,
        rows,
        compared is uniform,
        len(compared),
        _turned(compared, latencies),
    )


def protocol(run: RunRecord, catalog: Catalog) -> str:
    """Return how latencies were taken, in a sentence; empty where none was."""
    latencies = _latencies(catalog)
    return _protocol(run, latencies) if latencies else ""


def drifted(catalog: Catalog) -> dict[str, tuple[str, ...]]:
    """Return which candidates' measurement drifted, by the label of the latency."""
    return {label: found for one in _latencies(catalog) for label, found in _drifted(catalog, one)}


def timed(catalog: Catalog) -> int:
    """Return of how many candidates the latency was taken that most have."""
    return max((len(_times(catalog, one)) for one in _latencies(catalog)), default=0)


def _latencies(catalog: Catalog) -> tuple[Measure, ...]:
    return tuple(one for one in catalog.measures if one.base == "latency" and _times(catalog, one))


def spread_column(measure: Measure) -> str:
    """Return the column with the interquartile range of a latency's times."""
    return _beside(measure, "iqr_ms")


def _times(catalog: Catalog, measure: Measure) -> list[float]:
    values = (entry.values[measure.name] for entry in catalog.ranked)
    return [value for value in values if value is not None]


def _protocol(run: RunRecord, latencies: Sequence[Measure]) -> str:
    kept = run.config.get("latency")
    settings: dict[str, Any] = dict(kept) if isinstance(kept, Mapping) else {}
    batch, runtime = settings.get("batch_size", 1), settings.get("runtime", "torch")
    plain = any(not one.place for one in latencies)
    where = f" in the runtime `{runtime}`" if plain else ""
    images = "one image" if batch == 1 else f"{batch} images"
    how = _calculated(run, settings, [one.place or runtime for one in latencies])
    return f"Latency{where} is that of {images} at a time {how}."


def _calculated(run: RunRecord, settings: Mapping[str, Any], runtimes: Sequence[str]) -> str:
    """Return in which precision, and by what: PyTorch's is timed where networks train, all others' on the CPU."""
    threads = settings.get("threads", 1)
    by = "one CPU thread" if threads == 1 else f"{threads} CPU threads"
    cpu = f"in {settings.get('precision', 'float32')}, with {by}"
    on_gpu = {_uses_gpu(run) and name in PYTORCH for name in runtimes}
    if on_gpu == {True, False}:
        return f"{GPU} in PyTorch, and in all other runtimes {cpu}"
    return GPU if True in on_gpu else cpu


def _uses_gpu(run: RunRecord) -> bool:
    train, ray, resolved = (run.config.get(name) or {} for name in ("train", "ray", "resolved"))
    device, there = train.get("device", "auto"), (resolved.get("environment") or {}).get("gpus")
    return device == "cuda" or (device == "auto" and bool(there) and ray.get("gpus_per_trial", "auto") != 0)


def _drifted(catalog: Catalog, measure: Measure) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the label of a latency and the candidates whose measurement drifted; then of each further batch size."""
    first, _, at = _beside(measure, "drift").partition(AT)
    columns = dict.fromkeys(column for entry in catalog.ranked for column in entry.measured)
    for column in columns:
        stem, _, place = column.partition(AT)
        size = stem.removeprefix(f"{first}_batch_")
        if place != at or not (stem == first or (size != stem and size.isdigit())):
            continue
        label = measure.label if stem == first else f"{measure.label} of {size} images"
        found = tuple(entry.id for entry in catalog.ranked if entry.measured.get(column, 0.0) > DRIFT)
        if found:
            yield label, found


def _beside(measure: Measure, what: str) -> str:
    """Return the column beside that of a latency: `latency_iqr_ms@openvino`."""
    return measure.column.replace("latency_ms", f"latency_{what}", 1)


def _turned(entries: Sequence[Entry], latencies: Sequence[Measure]) -> tuple[Disagreement, ...]:
    found: list[tuple[float, Disagreement]] = []
    for (here, there), (a, b) in ((ms, es) for ms in combinations(latencies, 2) for es in combinations(entries, 2)):
        if _faster(b, a, here):
            a, b = b, a
        if _faster(a, b, here) and _faster(b, a, there):
            found.append(
                (_gap(a, b, here) + _gap(a, b, there), Disagreement(a.description, b.description, here, there))
            )
    return tuple(one for _, one in sorted(found, key=lambda pair: -pair[0]))


def _faster(a: Entry, b: Entry, measure: Measure) -> bool:
    """Return whether one network is faster than another beyond the interquartile ranges of both."""
    column = spread_column(measure)
    slack = (a.measured.get(column, 0.0) + b.measured.get(column, 0.0)) / 2
    return _time(a, measure) + slack < _time(b, measure)


def _gap(a: Entry, b: Entry, measure: Measure) -> float:
    return abs(math.log(_time(a, measure) / _time(b, measure)))


def _time(entry: Entry, measure: Measure) -> float:
    return entry.values[measure.name] or math.nan
