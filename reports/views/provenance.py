"""Where a run's numbers come from: seeds, splits, versions, hardware, hashes, and what cannot be repeated exactly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fusion_ops.errors import RunError
from reports.candidates.table import FILE
from reports.checks.occupation import occupation
from reports.masking import masked
from reports.retrained.record import read_retrain_record
from reports.run.catalog import Catalog
from reports.run.latencies import protocol
from reports.run.run import CONFIG, RunRecord
from reports.run.space_stages import SpaceStage, stages
from reports.run.workers import Worker, read_workers
from reports.views.repositories import repositories

__all__ = ["NOT_RECORDED", "Fact", "Provenance", "provenance"]

NOT_RECORDED: Final = "not recorded"
MOST_CONFIG = 200_000
MOST_SEEDS = 12
# Of what `describe_environment` notes, all that is no version of a package.
HARDWARE: Final = ("platform", "cpu", "cpus", "gpus")
_CLOCKS: Final = (("search", "timeout"), ("limits", "device_hours"), ("limits", "trial_seconds"))


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known, or was not recorded.

    Args:
        label: What it is.
        value: It as text.
        exact: Whether it is to be read letter by letter, such as a hash.
    """

    label: str
    value: str
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the numbers of a run come from.

    Args:
        sections: Headings, each with its facts.
        unrepeatable: What another run of the same config would not repeat exactly, a sentence each.
        config: The resolved config as it is on disk, passwords masked.
        config_cut: How many characters of it were cut.
    """

    sections: tuple[tuple[str, tuple[Fact, ...]], ...]
    unrepeatable: tuple[str, ...]
    config: str
    config_cut: int


def provenance(run: RunRecord, catalog: Catalog) -> Provenance:
    """Return where the numbers of a run come from; what an older version did not record is said to be so."""
    text = masked(_text(run.path / CONFIG))
    sections = {
        "Space": _choices(run),
        "Seeds": _seeds(run),
        "Splits": _splits(run),
        "Software": _software(run),
        "Hardware": _hardware(run),
        "Latency": _latency(run, catalog),
        "Hashes": _hashes(run),
    }
    return Provenance(
        tuple((title, facts) for title, found in sections.items() if (facts := tuple(found))),
        tuple(_unrepeatable(run)),
        text[:MOST_CONFIG],
        max(len(text) - MOST_CONFIG, 0),
    )


def _choices(run: RunRecord) -> Iterator[Fact]:
    """Yield what there was to choose from, also before the space was widened."""
    earlier = stages(_resolved(run))
    for key, label in (("ops", "operators"), ("reductions", "ratios r"), ("resamplers", "resamplers")):
        if key not in _section(run, "space"):
            continue  # of a version that did not write it down, or had no such choice
        now, parts = _listed(_section(run, "space").get(key)), []
        for stage in earlier:
            before = _listed(stage.choices.get(key))
            if before != now:
                parts.append(f"until {stage.until[:19].replace('T', ' ')} UTC ({_begun(run, stage)}): {before}")
        yield Fact(label, "; ".join((now, *parts)))


def _begun(run: RunRecord, stage: SpaceStage) -> str:
    count = int((run.table["started"].astype(str) < stage.until).sum())
    return f"{count} candidate{'s' if count != 1 else ''}"


def _listed(values: Any) -> str:
    return ", ".join(map(str, values)) if isinstance(values, list | tuple) and values else NOT_RECORDED


def _seeds(run: RunRecord) -> Iterator[Fact]:
    yield Fact("search and trainings", _said(run.seed))
    yield Fact("split of the data", _said(_section(run, "data").get("seed")))
    try:
        record = read_retrain_record(run.path)
    except RunError as error:
        yield Fact("retrainings", str(error))
        return
    if record is not None:
        seeds = record.seed_list
        more = f" and {len(seeds) - MOST_SEEDS} more" if len(seeds) > MOST_SEEDS else ""
        yield Fact("retrainings", ", ".join(map(str, seeds[:MOST_SEEDS])) + more or NOT_RECORDED)


def _splits(run: RunRecord) -> Iterator[Fact]:
    data, found = _section(run, "data"), run.dataset
    yield Fact("data set", _said(found.get("name") or data.get("name")))
    yield Fact("task", _said(found.get("task")))
    if data.get("path"):
        yield Fact("from", masked(str(data["path"])))
    yield Fact("validation images are", _made(data))
    prints = _mapping(_resolved(run).get("fingerprints"))
    for name in ("train", "validation", "test"):
        size = found.get(name)
        yield Fact(f"{name} images", _images(size, _mapping(found.get("images_a_class")).get(name)))
    for name in ("train", "validation", "test"):
        yield Fact(f"fingerprint of {name}", _said(prints.get(name)), exact=name in prints)
    yield Fact("test images are", "never seen by the search; shown once to each retrained network")
    for notice in found.get("notices") or ():
        yield Fact("notice", masked(str(notice)))


def _images(size: Any, by_class: Any) -> str:
    if not isinstance(size, int):
        return NOT_RECORDED
    if not isinstance(by_class, Sequence) or len(by_class) != 2:
        return f"{size:,}"
    least, most = by_class
    return f"{size:,}, {least:,} a class" if least == most else f"{size:,}, {least:,} to {most:,} a class"


def _made(data: Mapping[str, Any]) -> str:
    if data.get("val_fraction") is None:
        return NOT_RECORDED
    if data.get("split"):
        return f"those of `data.split: {masked(str(data['split']))}`; of the training images where it names none"
    whole = f" in whole groups of `data.groups: {masked(str(data['groups']))}`" if data.get("groups") else ""
    drawn = f"{data['val_fraction']} of the training images{whole}, drawn with seed {_said(data.get('seed'))}"
    return f"{drawn}, unless the data set has a part of its own for validation"


def _software(run: RunRecord) -> Iterator[Fact]:
    versions = {name: value for name, value in run.environment.items() if name not in HARDWARE}
    if not versions:
        yield Fact("versions", NOT_RECORDED)
    for name, value in versions.items():
        yield Fact(str(name).replace("_", "-"), _said(value))
    code = _resolved(run).get("code")
    if not isinstance(code, Sequence) or isinstance(code, str):
        yield Fact("your code", NOT_RECORDED)
        return
    for found in repositories(code):
        yield Fact(f"code in {' and '.join(found.folders)}", found.state, exact=True)


def _hardware(run: RunRecord) -> Iterator[Fact]:
    there = run.environment
    yield Fact("driver", _said(there.get("platform")))
    cpus = f" ({there['cpus']} cores)" if there.get("cpus") else ""
    yield Fact("CPU", f"{there['cpu']}{cpus}" if there.get("cpu") else NOT_RECORDED)
    gpus = there.get("gpus")
    yield Fact("GPUs", NOT_RECORDED if gpus is None else ", ".join(map(str, gpus)) or "none")
    for host, processes in _hosts(run).items():
        yield Fact(f"worker {host}", f"{processes} process{'es' if processes != 1 else ''}")
    for worker in read_workers(run.path):
        yield Fact(f"machine of {worker.host}", _machine(worker, there))


def _hosts(run: RunRecord) -> dict[str, int]:
    """Return by host how many processes have trained there."""
    names = {str(name) for part in (run.table, run.retrained) if len(part) for name in part["worker"] if name}
    hosts = sorted(name.rpartition(":")[0] or name for name in names)
    return {host: hosts.count(host) for host in dict.fromkeys(hosts)}


def _machine(worker: Worker, driver: Mapping[str, Any]) -> str:
    """Return what differs from the driver's machine and packages."""
    other = {name: value for name, value in worker.environment.items() if driver.get(name, value) != value}
    if not other:
        return "as the driver's"
    said = (f"{name.replace('_', '-')} {value} (the driver: {driver.get(name)})" for name, value in other.items())
    return "; ".join(said)


def _latency(run: RunRecord, catalog: Catalog) -> Iterator[Fact]:
    yield Fact("protocol", protocol(run, catalog) or "no latency was measured")


def _hashes(run: RunRecord) -> Iterator[Fact]:
    for name in (CONFIG, FILE):
        yield Fact(f"SHA-256 of {name}", _sha256(run.path / name), exact=True)
    network = _resolved(run).get("network")
    if network:
        yield Fact("fingerprint of your network", str(network), exact=True)
    space = next((str(text) for text in run.table["architecture"] if text), "")
    yield Fact("space", _space(space), exact=True)


def _space(architecture: str) -> str:
    """Return a hash of what the architectures say of their space."""
    if not architecture:
        return NOT_RECORDED
    space = json.loads(architecture).get("space")
    return hashlib.sha256(json.dumps(space, sort_keys=True).encode()).hexdigest()


def _unrepeatable(run: RunRecord) -> Iterator[str]:
    used, earlier = occupation(run.table), stages(_resolved(run))
    if earlier:
        yield (
            f"The space was widened during the search: {_begun(run, earlier[-1])} were proposed from fewer choices, so "
            "that what came later is in fewer of them."
        )
    if run.environment.get("gpus"):
        yield "GPU kernels add in an order of their own: trainings of one seed differ in the last digits, then in more."
    if used.workers > 1:
        yield (
            f"Up to {used.workers} candidates were in work at once: what a proposal knows depends on who ends first, "
            "so that a second run proposes others. Each candidate alone can be trained again from its seed."
        )
    retried = int((run.table["retries"] > 0).sum())
    if retried:
        yield f"{retried} candidate{'s' if retried != 1 else ''} went on from a checkpoint after a worker was lost."
    ends = [f"`{section}.{key}`" for section, key in _CLOCKS if _section(run, section).get(key) is not None]
    if ends:
        yield f"The clock ends trainings or the run ({', '.join(ends)}): a faster machine trains more."
    if any(name.startswith("latency") for name in run.objectives):
        yield "Latency is measured anew each time, and with it the front changes."
    yield "Another CPU or version of torch rounds otherwise: only the same machine repeats a training bit by bit."


def _said(value: Any) -> str:
    return NOT_RECORDED if value is None or value == "" else str(value)


def _section(run: RunRecord, name: str) -> Mapping[str, Any]:
    return _mapping(run.config.get(name))


def _resolved(run: RunRecord) -> Mapping[str, Any]:
    return _section(run, "resolved")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return NOT_RECORDED
