"""The settings that workers need: of the data set, the training, its limits and the timing of inference.

They are strict: no key is unknown, no text becomes a number, no number is NaN or infinite. A rule that no type
expresses raises `ValueError` with the whole sentence; `search.config.errors` adds the place.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from fusion_ops.errors import nearest
from search.training.tasks import BALANCED, TASKS, ClassWeights
from spaces.importing import is_reference

__all__ = [
    "AUTO",
    "DIVIDING",
    "Count",
    "DataConfig",
    "DataSection",
    "LatencyConfig",
    "LimitsConfig",
    "Positive",
    "Section",
    "Seed",
    "Text",
    "TrainConfig",
    "trained_with",
]

AUTO = "auto"
GROUP_FILE = ".csv"
# The keys of a data set that say how it is divided.
DIVIDING = ("groups", "split")
Precision = Literal["float32", "bfloat16", "int8"]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
MOST = 10**9
Count = Annotated[int, Field(ge=1, le=MOST)]
Positive = Annotated[float, Field(gt=0)]
Text = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    """A part of a config: frozen, strict, without unknown keys; lists become tuples."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, values: Any) -> Any:
        return {key: _tuple(value) for key, value in values.items()} if isinstance(values, dict) else values


def _tuple(value: Any) -> Any:
    return tuple(_tuple(item) for item in value) if isinstance(value, list | tuple) else value


def _task(value: Any) -> Any:
    if value is None or value in TASKS:
        return value
    hint = nearest(value, TASKS) if isinstance(value, str) else ""
    raise ValueError(f"`data.task` must be one of {', '.join(TASKS)}, or null; got {value!r}{hint or '.'}")


class DataSection(Section):
    """The settings of every data set.

    Args:
        name: A known name, or a user-defined `module:function`.
        path: The file or folder, for data sets that are read from files.
        val_fraction: Share of the training images kept for validation.
        seed: Seed of that choice, and of whatever else is random in the set.
        mean: Subtracted by channel from images scaled to 0 … 1; by default the mean of the training images. Pretrained
            weights need the mean that they were trained with.
        std: Divided by, by channel; by default the standard deviation of the training images.
        task: What is learned: a name of a task; `null`: what the labels show.
        groups: Which images belong together, such as those of one patient or one scene, and so into one part: a column
            of the set, a CSV file (`NAME.csv`) of images and their groups, or a user-defined `module:function` that
            returns the group of an image, given its name.
        split: A CSV file of images and their parts, `train`, `validation` or `test`, in place of any other division.
    """

    name: str = "digits"
    path: Text | None = None
    val_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    seed: Seed = 0
    mean: tuple[float, ...] | None = None
    std: tuple[Positive, ...] | None = None
    task: Annotated[str | None, BeforeValidator(_task)] = None
    groups: Text | None = None
    split: Text | None = None

    @property
    def group_column(self) -> str | None:
        """The column that `groups` names, where it is neither a file nor a function."""
        other = self.groups is None or self.groups.endswith(GROUP_FILE) or is_reference(self.groups)
        return None if other else self.groups

    @property
    def group_function(self) -> str | None:
        """The function that `groups` names."""
        return self.groups if self.groups is not None and is_reference(self.groups) else None

    @property
    def division_files(self) -> dict[str, str]:
        """The files that say how the set is divided, by their keys."""
        groups = self.groups if self.groups is not None and self.groups.endswith(GROUP_FILE) else None
        return {key: value for key, value in (("groups", groups), ("split", self.split)) if value is not None}


class DataConfig(DataSection):
    """The data set. Each has further settings beside these, and knows of which tasks it is."""

    model_config = ConfigDict(extra="allow")

    task: Any = None


def _output(value: Any) -> Any:
    name = isinstance(value, str) and (is_reference(value) or (bool(value.strip()) and ":" not in value))
    if value is None or name or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ValueError(
        f"`train.output` must be the index or the name of a part of what the network returns, `module:function`, or "
        f"null; got {value!r}."
    )


def _loss(value: Any) -> Any:
    names = (AUTO, *dict.fromkeys(loss for task in TASKS for loss in TASKS[task].losses))
    if isinstance(value, str) and (value in names or is_reference(value)):
        return value
    known = ", ".join(f"`{name}`" for name in names)
    raise ValueError(f"`train.loss` must be one of {known}, or `module:function`; got {value!r}.")


def _class_weights(value: Any) -> Any:
    weights = isinstance(value, tuple) and all(_is_weight(one) for one in value) and any(value)
    if value in (None, BALANCED) or weights:
        return tuple(map(float, value)) if weights else value
    raise ValueError(
        f"`train.class_weights` must be `{BALANCED}`, a list with a number for each class, 0 or more and not all 0, or "
        f"null; got {value!r}."
    )


def _is_weight(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


class TrainConfig(Section):
    """How every candidate is trained.

    Args:
        epochs: Passes over the training images.
        batch_size: Images a step.
        lr: Peak learning rate.
        init: `default`, or `sum`: every fusion operator starts as the exact sum of its inputs.
        momentum: Nesterov momentum of SGD.
        weight_decay: L2 penalty on convolution and linear weights; not on biases and normalisations.
        output: Which part of what the network returns is its prediction, where that is a tuple, a list, a mapping or a
            dataclass, in training or in evaluation: its index, its name, or a user-defined `module:function` that gets
            all that is returned. `null`: all of it.
        loss: What is minimised: `auto`, the usual loss of the task; a loss of the task by name: `cross_entropy`,
            `binary_cross_entropy`, `mse`, `huber` or `l1`; or a user-defined `module:function`, which gets the
            network's prediction and the labels of a batch and returns a scalar tensor.
        label_smoothing: Share of the target spread over all classes, in the cross-entropies; a regression has none.
        class_weights: What each class counts for in a cross-entropy: `balanced` (as often as it is rare), or a number
            for each class, in their order. The measure `loss` stays without weights.
        augment: How batches are changed at random, in this order.
        schedule: `one_cycle` (cosine up, cosine down), `triangular` (straight up, straight down), or `step`
            (straight up, a tenth after 75 % of the training, a hundredth after 87.5 %).
        warmup: Share of the steps in which the learning rate rises.
        device: `auto` (a GPU where there is one), `cpu` or `cuda`.
        compile: `none`, or `ops`: each fusion operator runs compiled; a worker's candidates share the graphs. It is
            worth the time to compile in long trainings on a GPU. On a CPU it needs a C++ compiler, and most operators
            get slower.
    """

    epochs: Count = 8
    batch_size: Count = 128
    lr: Positive = 0.1
    init: Literal["default", "sum"] = "default"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    output: Annotated[int | str | None, BeforeValidator(_output)] = None
    loss: Annotated[str, BeforeValidator(_loss)] = AUTO
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    class_weights: Annotated[ClassWeights, BeforeValidator(_class_weights)] = None
    augment: tuple[str, ...] = ()
    schedule: Literal["one_cycle", "triangular", "step"] = "one_cycle"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.25
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compile: Literal["none", "ops"] = "none"


TRAIN = "train."


def trained_with(train: TrainConfig, hyperparameters: Mapping[str, Any], stated: Collection[str] = ()) -> TrainConfig:
    """Return how a candidate is trained whose hyperparameters, by key, take the place of what `train` has.

    Those of its network, and keys of `train` that are `stated` elsewhere, change nothing.
    """
    own = {name.removeprefix(TRAIN): value for name, value in hyperparameters.items() if name.startswith(TRAIN)}
    changes = {key: value for key, value in own.items() if key not in stated}
    return TrainConfig.model_validate(train.model_dump() | changes) if changes else train


class LimitsConfig(Section):
    """When a training is given up, and what a run may use.

    Args:
        trial_seconds: Longest training; `null` for no limit.
        stall_seconds: Longest time without a pass of the network or a call of a user-defined measure; `null` for no
            limit.
        retries: How often a candidate whose worker was lost is started again.
        device_hours: The run ends when its candidates have been in training for so many hours of devices in total,
            those before a resume included; `null` for no limit. A device is a GPU where the workers have GPUs
            (`ray.gpus_per_trial`, fractions of one included), else a CPU core (`ray.cpus_per_trial`). The time in
            training is added up at every rung, without start-up and waiting.
        same_failures: The run ends when so many candidates have failed for the same reason, numbers in it aside, and
            none has come further: the fault is then in the network, the loss or the data. `null` for no such end.
        checkpoint_gb: Disk space of the run's `checkpoints`, in 10⁹ bytes; `null` for no limit. When they take more,
            the states of stopped candidates are removed, without which a second look begins again; then weights of
            finished candidates, of retrainings before those of the search. Of all the oldest go first. Candidates on
            the front and in training and finalists keep theirs, even where these alone take more.
    """

    trial_seconds: Positive | None = None
    stall_seconds: Positive | None = 300
    retries: Annotated[int, Field(ge=0, le=1000)] = 1
    device_hours: Positive | None = None
    same_failures: Count | None = 3
    checkpoint_gb: Positive | None = None


class LatencyConfig(Section):
    """How inference is timed, where `latency` is an objective, or `latency@RUNTIME`, which is the same in that runtime.

    Args:
        runtime: Where `latency` is measured: a name that `fusion-nas runtimes` lists, or a user-defined
            `module:Class`.
        precision: In which runtimes calculate: `float32`, `bfloat16` or `int8`, whose ranges are calibrated on training
            images. On a GPU PyTorch calculates in bf16 mixed precision.
        threads: CPU threads, on a CPU.
        batch_size: Images at a time.
        batch_sizes: Several such sizes, in place of `batch_size`: latency is that of the first; those of the others get
            columns of their own, such as `latency_ms_batch_8`.
        seconds: Shortest time that is measured.
    """

    runtime: Text = "torch"
    precision: Precision = "float32"
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    batch_size: Count = 1
    batch_sizes: Annotated[tuple[Count, ...], Field(min_length=1)] = (1,)
    seconds: Positive = 0.5

    @model_validator(mode="before")
    @classmethod
    def _one_size_is_several(cls, values: Any) -> Any:
        """Fill in, of `batch_size` and `batch_sizes`, the one that is not given."""
        if not isinstance(values, dict):
            return values
        sizes = values.get("batch_sizes")
        first = sizes[0] if isinstance(sizes, list | tuple) and sizes else None
        if _is_count(first) and "batch_size" not in values:
            return values | {"batch_size": first}
        size = values.get("batch_size")
        if _is_count(size) and "batch_sizes" not in values:
            return values | {"batch_sizes": (size,)}
        return values

    @model_validator(mode="after")
    def _same_first_size(self) -> Self:
        first = self.batch_sizes[0]
        if self.batch_size != first:
            raise ValueError(
                f"`latency.batch_size` must be the first of `latency.batch_sizes`; got {self.batch_size} and {first}. "
                "Leave one of the two out."
            )
        if len(set(self.batch_sizes)) < len(self.batch_sizes):
            raise ValueError(
                f"`latency.batch_sizes` must differ; got {list(self.batch_sizes)}. "
                f"Write {list(dict.fromkeys(self.batch_sizes))}."
            )
        return self

    def at(self, place: str) -> Self:
        """Return how inference is timed in another runtime, in that of a measure `latency@place`."""
        return self.model_copy(update={"runtime": place}) if place else self


def _is_count(value: Any) -> bool:
    """Return whether a value is a whole number that `Count` takes; all others are told of by their own key."""
    return type(value) is int and 1 <= value <= MOST
