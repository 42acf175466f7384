"""The sections of a search config that only the driver needs; workers need those in `search.training.settings`."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, ValidationInfo, field_validator

from fusion_ops.errors import UnknownNameError, nearest
from fusion_ops.registry import Registry
from reports.masking import masked
from search.config.document import shown
from search.config.strategy import AUTO, SCRATCH, STRATEGIES
from search.training.settings import Count, Positive, Section, Seed, Text

__all__ = ["RayConfig", "SearchSettings", "SpaceConfig", "StorageConfig", "VerdictSettings"]

_HIDDEN_PARAMETER = re.compile(r"(?<=[?&])\w*password=\*\*\*&?")


class SpaceConfig(Section):
    """The host network, and what may stand at its fusion points. Each host adds its settings.

    Args:
        name: The host.
        ops: Fusion operators to choose from at every fusion point; `fusion-nas ops` lists them. Options follow a name:
            `scaled per=channel`.
        reductions: Reduction ratios r to choose from, for the operators that have one.
        tie: Which fusion points share one choice: `none` of them, those of a `stage`, or `all`.
        resamplers: What to choose from to bring the smaller input to size, at points whose inputs differ in size.
    """

    model_config = ConfigDict(extra="allow")

    name: str = "resnet"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that were given, without `name`."""
        return dict(self.model_extra or {})


class SearchSettings(Section):
    """How architectures are proposed and stopped.

    Args:
        trials: Candidates to train, baselines included.
        timeout: Seconds after which the run ends. Trainings that are not finished by then continue after a resume.
        sampler: What proposes architectures.
        pruner: What stops trainings early.
        min_epochs: No training is stopped before so many epochs; the report says where earlier stops are unfair.
        seed: Seed of the proposals, and of every candidate's initial weights and batches.
        baselines: Whether the uniform architectures are trained first.
        baseline_draws: Settings of the hyperparameters with which each of them is trained, the same for all; where
            none are searched, there is one.
        prior: The run directory of another search, of other data, depth, width or budget, of whose completed
            candidates `auto` tries the best, once seven of its own proposals are complete.
        patience: The search ends when so many candidates in succession, baselines included, have not changed the
            front; `null` for no such end.
        random_baseline: Whether random architectures are trained in full after the search, for as many epochs as the
            search, to compare it with.
        one_epoch_baseline: Whether random architectures are trained for one epoch after the search and the best of
            them in full, for as many epochs as the search, to compare it with.
        strategy: With which weights trainings begin: `scratch` (with their own), `inherit` (with those of a trained
            network of sums), `library` (likewise, after every choice was tried alone in that network; `solve` then
            answers for any budget), `supernet` (with those of a network of all architectures, which scores them
            before), or `auto` (`inherit`, or `scratch` where hyperparameters are searched).
    """

    trials: Count = 40
    timeout: Positive | None = None
    sampler: str = "auto"
    pruner: str = "auto"
    min_epochs: Count = 1
    seed: Seed = 0
    baselines: bool = True
    baseline_draws: Count = 3
    prior: Text | None = None
    patience: Count | None = None
    random_baseline: bool = False
    one_epoch_baseline: bool = False
    strategy: str = SCRATCH

    @field_validator("strategy")
    @classmethod
    def _known_strategy(cls, name: str) -> str:
        names = (*STRATEGIES, AUTO)
        if name not in names:
            known, hint = ", ".join(names), nearest(name, names)
            raise ValueError(f"`search.strategy` must be one of {known}; got {shown(name)}{hint or '.'}")
        return name

    @field_validator("sampler", "pruner")
    @classmethod
    def _registered(cls, name: str, info: ValidationInfo) -> str:
        from search.strategy.pruners import PRUNERS
        from search.strategy.samplers import SAMPLERS

        registry: Registry[Any] = SAMPLERS if info.field_name == "sampler" else PRUNERS
        if name not in registry:
            raise ValueError(str(UnknownNameError(registry.kind, name, registry)))
        return name


class VerdictSettings(Section):
    """When networks that were retrained count as the same.

    Args:
        margin: Differences up to this are too small to matter, in the unit of the quality: 0.0025 are a quarter of a
            point of accuracy, mIoU and whatever else is a percentage. `null` takes that for those and, of a loss, an
            error, R² or a user-defined measure, 1 % of the value that the search had shown of the original network.
    """

    margin: Positive | None = None


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
        if scheme == "postgresql" and find_spec("psycopg") is None:
            raise ValueError("`storage.url` needs a driver that is not installed: pip install fusion-nas[postgres].")
        return _HIDDEN_PARAMETER.sub("", url.replace(":***@", "@"))

    @property
    def public_url(self) -> str | None:
        """The URL as it may be shown and written down: its password is `***`.

        Where such a URL is read back, the password comes from PGPASSWORD or the file ~/.pgpass.
        """
        return None if self.url is None else masked(self.url)


def _gpus(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value == "auto" or (number and 0 <= value < 1e6):
        return value
    raise ValueError(f"`ray.gpus_per_trial` must be `auto` or a number of at least 0; got {shown(value)}.")


class RayConfig(Section):
    """The workers.

    Args:
        address: `HOST:PORT` of a running Ray cluster; `null` starts a private Ray on this machine, in which tasks
            of your own cannot have a `runtime_env`.
        cpus_per_trial: CPU cores of a worker.
        gpus_per_trial: GPUs of a worker; `auto` is one where the training uses a GPU, else none. With a fraction,
            workers share a GPU, and each may take that fraction of its memory.
        max_concurrent: Most candidates in training at a time; `null` for as many as fit.
        data: How a cluster's workers get the images: `send` (the driver reads them and sends them through Ray's
            object store) or `read` (every node has them at `data.path`).
    """

    address: Text | None = None
    cpus_per_trial: Positive = 1
    gpus_per_trial: Annotated[Literal["auto"] | float, BeforeValidator(_gpus)] = "auto"
    max_concurrent: Count | None = None
    data: Literal["send", "read"] = "send"
