"""What passes between the driver and its workers: the job, a candidate to train, and the progress on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from reports.measures import Measure, quality_of, split_place
from search.training.files import CandidateFiles
from search.training.settings import DataConfig, LatencyConfig, LimitsConfig, TrainConfig, trained_with
from search.training.stage import Stage
from spaces import Architecture, configuration_id

__all__ = ["Assignment", "Job", "Progress"]


class _Immutable:
    """Is its own copy: Ray Tune copies what it passes on, several times for each candidate."""

    __slots__ = ()

    def __deepcopy__(self, memo: object) -> Self:
        return self


@dataclass(frozen=True, slots=True)
class Job(_Immutable):
    """What a worker is told of a run: all that its candidates share.

    Args:
        files: Where the files of candidates are kept.
        objectives: Names of the objectives.
        train: How candidates are trained.
        data: The data set.
        limits: When a training is given up.
        latency: How inference is timed.
        cpus: CPU cores of a worker.
        gpus: GPUs of a worker; a fraction shares one.
        imports: The user's modules to import first.
        folders: Where they lie.
        sent: What the user's script or notebook defines, pickled by value, by reference.
        recipes: By name, how what is trained again is trained.
        stated: By name of a recipe, the keys of `train` that it states itself, so that it has them of no candidate.
        test_digest: What tells the test images of the run from any others; empty where nobody may touch them.
        bounded: Names of the measures that constraints bound.
        stages: By series, how those trainings go that are no candidates of the search.
    """

    files: CandidateFiles
    objectives: tuple[str, ...] = ("accuracy", "params")
    train: TrainConfig = field(default_factory=TrainConfig)
    data: DataConfig = field(default_factory=DataConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    latency: LatencyConfig = field(default_factory=LatencyConfig)
    cpus: float = 1
    gpus: float = 0
    imports: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    sent: Mapping[str, bytes] = field(default_factory=dict)
    recipes: Mapping[str, TrainConfig] = field(default_factory=dict)
    test_digest: str = ""
    bounded: tuple[str, ...] = ()
    stated: Mapping[str, Collection[str]] = field(default_factory=dict)
    stages: Mapping[str, Stage] = field(default_factory=dict)

    def settings(self, candidate: Assignment) -> TrainConfig:
        """Return how a candidate is trained; a key that its recipe states is the recipe's."""
        if candidate.recipe:
            train = self.recipes[candidate.recipe]
        else:
            train = self.stages[candidate.series].train if candidate.series in self.stages else self.train
        return trained_with(train, candidate.hyperparameters, self.stated.get(candidate.recipe, ()))

    @property
    def asked(self) -> frozenset[str]:
        """Names of the measures that objectives and constraints ask for, wherever they are taken."""
        return frozenset(split_place(name)[0] for name in (*self.objectives, *self.bounded))

    @property
    def quality(self) -> Measure:
        """The measure by which the best epoch is chosen."""
        return quality_of(self.objectives)


@dataclass(frozen=True, slots=True)
class Assignment(_Immutable):
    """A candidate that a worker is to train.

    Args:
        number: Number of the candidate.
        architecture: What is trained.
        seed: Seed of its initial weights and batches.
        recipe: Of what is trained again, the recipe; empty for the search.
        hyperparameters: What was searched beside its choices, by key.
        series: Of what is no candidate of the search itself, its series.
        start: Number of the candidate with whose weights it begins; `None`: with weights of its own.
        before: Epochs that this one has trained already, of which it goes on; 0 where it has the weights alone.
        around: Names of the fusion points around which alone it is trained; none for the whole network.
    """

    number: int
    architecture: Architecture
    seed: int
    recipe: str = ""
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    series: str = ""
    start: int | None = None
    before: int = 0
    around: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Id of its architecture and hyperparameters."""
        return configuration_id(self.architecture, self.hyperparameters)


@dataclass(frozen=True, slots=True)
class Progress:
    """What a worker has reported of a training so far.

    Args:
        curve: Validation measures after each epoch, by name.
        seconds: Time spent in training.
        worker: Host and process of the worker.
        done: Whether the training has ended.
        failure: Why it failed, if it did.
        out_of_memory: Whether it failed because it does not fit the device.
        measured: Costs that were measured after training, by column of the candidates table.
        note: What the table should say of how it was trained.
        halt: What is wrong with the worker's machine, or with a disk on which nothing can be kept: the run ends, and
            is resumed when that is put right.
        machine: With the first report of a worker, the versions and hardware that it trains with.
        before: How many epochs of the curve were not trained for this candidate.
    """

    curve: tuple[dict[str, float], ...]
    seconds: float
    worker: str
    done: bool = False
    failure: str | None = None
    out_of_memory: bool = False
    measured: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    halt: str = ""
    machine: Mapping[str, Any] | None = None
    before: int = 0
