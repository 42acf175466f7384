"""The sections of a search config: their keys, defaults and limits.

They are strict: no key is unknown, no text becomes a number, no number is NaN or infinite. What a rule
cannot say in a type raises `ValueError` with the whole sentence; `search.config.errors` adds the place.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from fusion_ops.errors import UnknownNameError
from fusion_ops.registry import Registry
from search.config.document import masked, shown
from spaces.importing import is_reference

__all__ = [
    "CROSS_ENTROPY",
    "DataConfig",
    "DataSection",
    "LatencyConfig",
    "LimitsConfig",
    "RayConfig",
    "SearchSettings",
    "Section",
    "SpaceConfig",
    "StorageConfig",
    "Text",
    "TrainConfig",
]

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Positive = Annotated[float, Field(gt=0)]
HIDDEN = "***"
_HIDDEN_PARAMETER = re.compile(r"(?<=[?&])\w*password=\*\*\*&?")
CROSS_ENTROPY = "cross_entropy"
Count = Annotated[int, Field(ge=1, le=10**9)]
Text = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    """A part of a config: frozen, strict, without unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class SpaceConfig(Section):
    """The host network, and what may stand at its fusion points; each host adds settings of its own.

    Args:
        name: The host.
        ops: Fusion operators to choose from at every fusion point; `fusion-nas ops` lists them.
        reductions: Reduction ratios r to choose from, for the operators that have one.
        tie: What shares one choice: `none` (every point has its own), `stage`, or `all`.
    """

    model_config = ConfigDict(extra="allow")

    name: str = "resnet"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that were given, without `name`."""
        return dict(self.model_extra or {})


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class DataSection(Section):
    """What every data set is told; each adds settings of its own.

    Args:
        name: A known name, or `module:function` of the user's own.
        path: Where it lies, for data sets that are read from files.
        val_fraction: Share of the training images kept for validation.
        seed: Seed of that choice, and of whatever is random in the set.
        mean: By channel, of images scaled to 0 … 1; what is subtracted. By default that of the training images.
            Pretrained weights need the one that they were trained with.
        std: By channel; what is divided by. By default that of the training images.
    """

    name: str = "digits"
    path: Text | None = None
    val_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    seed: Seed = 0
    mean: Annotated[tuple[float, ...] | None, BeforeValidator(_tuple)] = None
    std: Annotated[tuple[Annotated[float, Field(gt=0)], ...] | None, BeforeValidator(_tuple)] = None


class DataConfig(DataSection):
    """The data set; each has settings of its own beside these."""

    model_config = ConfigDict(extra="allow")


class TrainConfig(Section):
    """How every candidate is trained.

    Args:
        epochs: Passes over the training images.
        batch_size: Images a step.
        lr: Peak learning rate.
        init: `default`, or `sum`: every fusion operator starts as the exact sum of its inputs.
        momentum: Nesterov momentum of SGD.
        weight_decay: L2 penalty on convolution and linear weights; not on biases and normalisations.
        loss: What is minimised: `cross_entropy`, or the user's own `module:function`, which gets the network's
            outputs and the labels of a batch and returns a scalar tensor.
        label_smoothing: Share of the target spread over all classes, in the cross-entropy.
        augment: How batches are changed at random, in this order.
        schedule: `one_cycle` (cosine up, cosine down), `triangular` (straight up, straight down), or `step`
            (straight up, a tenth after 75 % of the training, a hundredth after 87.5 %).
        warmup: Share of the steps in which the learning rate rises.
        device: `auto` (a GPU where there is one), `cpu` or `cuda`.
        compile: `none`, or `ops`: fusion operators run compiled, each by itself, with graphs that a worker's
            candidates share. Worth its compile time in long trainings on a GPU only; most operators get slower on a
            CPU, where it needs a C++ compiler.
    """

    epochs: Count = 8
    batch_size: Count = 128
    lr: Positive = 0.1
    init: Literal["default", "sum"] = "default"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    loss: str = CROSS_ENTROPY
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    augment: Annotated[tuple[str, ...], BeforeValidator(_tuple)] = ()
    schedule: Literal["one_cycle", "triangular", "step"] = "one_cycle"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.25
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compile: Literal["none", "ops"] = "none"

    @field_validator("loss")
    @classmethod
    def _known_loss(cls, name: str) -> str:
        if name != CROSS_ENTROPY and not is_reference(name):
            raise ValueError(f"`train.loss` must be `{CROSS_ENTROPY}` or `module:function`; got {shown(name)}.")
        return name


def _registered(registry: Registry[Any], name: str) -> str:
    if name not in registry:
        raise ValueError(str(UnknownNameError(registry.kind, name, registry)))
    return name


class SearchSettings(Section):
    """How architectures are proposed and stopped.

    Args:
        trials: Candidates to train, baselines included.
        timeout: Seconds after which the run ends, what is in training then with it; a resume goes on with that.
        sampler: Who proposes architectures.
        pruner: Who stops trainings early.
        seed: Seed of the proposals, and of every candidate's initial weights and batches.
        baselines: Whether the uniform architectures are trained first.
        patience: The search ends when so many candidates ended since its front, and so its hypervolume, changed;
            `null` for no such end. Baselines count.
        random_baseline: Whether random architectures are trained in full after the search, for as many epochs
            as it has trained, to compare it with.
        one_epoch_baseline: Whether, after the search, random architectures are trained for one epoch and the
            best of them in full, for as many epochs as the search has trained.
        strategy: `scratch`: every candidate is trained from its own initial weights.
    """

    trials: Count = 40
    timeout: Positive | None = None
    sampler: str = "auto"
    pruner: str = "auto"
    seed: Seed = 0
    baselines: bool = True
    patience: Count | None = None
    random_baseline: bool = False
    one_epoch_baseline: bool = False
    strategy: Literal["scratch"] = "scratch"

    @field_validator("sampler")
    @classmethod
    def _known_sampler(cls, name: str) -> str:
        from search.samplers import SAMPLERS

        return _registered(SAMPLERS, name)

    @field_validator("pruner")
    @classmethod
    def _known_pruner(cls, name: str) -> str:
        from search.pruners import PRUNERS

        return _registered(PRUNERS, name)

    @field_validator("strategy", mode="before")
    @classmethod
    def _available_strategy(cls, name: Any) -> Any:
        if name in ("inherit", "supernet"):
            raise ValueError(f"`search.strategy: {name}` is not available in this version; use `scratch`.")
        return name


class LimitsConfig(Section):
    """When a training is given up, and what a run may use.

    Args:
        device_hours: The run ends when its candidates have been in training for so many hours of devices, all
            together, those before a resume included; `null` for no limit. A device is a GPU where the workers
            have GPUs (`ray.gpus_per_trial`, fractions count as such), else a CPU core (`ray.cpus_per_trial`).
            The time in training is known at every rung; start-up and waiting do not count.
        checkpoint_gb: Disk space of the run's `checkpoints`, in 10⁹ bytes; `null` for no limit. When they take
            more, weights of finished candidates are removed, the oldest first; those on the front and whatever
            is in training stay, even where they alone take more.
        trial_seconds: Longest training; `null` for no limit.
        stall_seconds: Longest time without progress, which is a pass of the network; `null` for no limit.
        retries: How often a candidate whose worker was lost is started again.
    """

    trial_seconds: Positive | None = None
    stall_seconds: Positive | None = 300
    retries: Annotated[int, Field(ge=0, le=1000)] = 1
    device_hours: Positive | None = None
    checkpoint_gb: Positive | None = None


class LatencyConfig(Section):
    """How inference is timed, where `latency` is an objective.

    Args:
        batch_size: Images at a time.
        threads: CPU threads, on a CPU.
        seconds: Shortest time that is measured.
    """

    batch_size: Count = 1
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    seconds: Positive = 0.5


class StorageConfig(Section):
    """Where the Optuna study is kept.

    Args:
        url: `null` for a journal file in the run directory, or `sqlite:///FILE`, or
            `postgresql://USER@HOST/DATABASE` (`postgresql+psycopg://` is the same).
    """

    url: str | None = None

    @field_validator("url")
    @classmethod
    def _supported(cls, url: str | None) -> str | None:
        if url is None:
            return None
        scheme, separator, rest = url.partition("://")
        scheme = "postgresql" if scheme == "postgresql+psycopg" else scheme
        if scheme == "postgres":
            raise ValueError("`storage.url` must start with `postgresql://`; got `postgres://`. Write the long form.")
        if not separator or scheme not in ("sqlite", "postgresql") or not rest.strip("/"):
            start = f"{scheme}://…" if separator else shown(url)
            raise ValueError(
                f"`storage.url` must be null, `sqlite:///FILE` or `postgresql://USER@HOST/DATABASE`; got {start}."
            )
        if scheme == "sqlite" and not rest.startswith("/"):
            raise ValueError("`storage.url` of SQLite has three slashes: `sqlite:///FILE`; got two.")
        if scheme == "postgresql":
            _require_driver("psycopg", "fusion-nas[postgres]")
        return _HIDDEN_PARAMETER.sub("", url.replace(f":{HIDDEN}@", "@"))

    @property
    def public_url(self) -> str | None:
        """The URL as it may be shown and written down: its password is `***`.

        Where such a URL is read back, the password comes from PGPASSWORD or the file ~/.pgpass.
        """
        return None if self.url is None else masked(self.url)


def _require_driver(module: str, package: str) -> None:
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise ValueError(f"`storage.url` needs a driver that is not installed: pip install {package}.")


def _gpus(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value == "auto" or (number and 0 <= value < 1e6):
        return value
    raise ValueError(f"`ray.gpus_per_trial` must be `auto` or a number of at least 0; got {shown(value)}.")


class RayConfig(Section):
    """The workers.

    Args:
        address: `HOST:PORT` of a running Ray cluster; `null` starts a private Ray on this machine.
        cpus_per_trial: CPU cores of a worker.
        gpus_per_trial: GPUs of a worker; `auto` is one where the training uses a GPU, else none. A fraction shares a
            GPU: a worker may take that fraction of its memory.
        max_concurrent: Most candidates in training at a time; `null` for as many as fit.
        data: How a cluster's workers get the images: `send` (the driver reads them and sends them through Ray's
            object store) or `read` (every node has them at `data.path`).
    """

    address: Text | None = None
    cpus_per_trial: Positive = 1
    gpus_per_trial: Annotated[Literal["auto"] | float, BeforeValidator(_gpus)] = "auto"
    max_concurrent: Count | None = None
    data: Literal["send", "read"] = "send"
