"""A small space, and a ledger over it whose trainings are told by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import spaces
from search.strategy.pruners import create_pruner
from search.strategy.samplers import create_sampler
from search.study.ledger import Ledger
from search.study.opening import create_study, load_study


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Data sets are cached in a folder of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def space():
    return spaces.create(
        "resnet",
        depth=8,
        width=4,
        in_channels=1,
        input_size=(8, 8),
        ops=("sum", "concat", "aff"),
        reductions=(2, 4),
    )


@pytest.fixture
def open_ledger(tmp_path: Path, space) -> Callable[..., Ledger]:
    """Create the study on the first call, open it again on later ones: what a restarted driver does."""

    def make(**changes) -> Ledger:
        journal = tmp_path / "study.journal"
        settings = {"objectives": ("accuracy", "params"), "sampler": "random", "pruner": "auto"} | changes
        sampler = create_sampler(
            settings["sampler"], settings.get("space", space), objectives=settings["objectives"], seed=0
        )
        opener = load_study if journal.exists() else create_study
        study = opener(journal, None, settings["objectives"], sampler)
        events: list[tuple[str, int]] = []
        ledger = Ledger(
            study,
            settings.get("space", space),
            objectives=settings["objectives"],
            constraints=settings.get("constraints", {}),
            pruner=settings.get("made")
            or create_pruner(settings["pruner"], space, settings["objectives"], settings.get("epochs", 8), 0),
            trials=settings.get("trials", 10),
            seed=0,
            patience=settings.get("patience"),
            same_failures=settings.get("same_failures"),
            min_epochs=settings.get("min_epochs", 1),
            notify=lambda event, candidate: events.append((event, candidate.number)),
        )
        ledger.events = events  # type: ignore[attr-defined]
        return ledger

    return make


@pytest.fixture(scope="session")
def family() -> Callable[[int], set[int]]:
    """Return a process and all its descendants."""
    return _family


def _family(root: int) -> set[int]:
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, size = {root}, 0
    while len(found) > size:
        size = len(found)
        found |= {child for child, parent in parents.items() if parent in found}
    return found
