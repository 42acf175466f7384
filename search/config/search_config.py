"""The search config: read from YAML, checked strictly, written back as it was resolved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, PrivateAttr, ValidationError

from reports.run.space_stages import stages, standing
from search.config.data import check_augment, check_data, located, resolved_data
from search.config.document import HYPERPARAMETERS, Document, read_file
from search.config.errors import config_error
from search.config.hyperparameters import alternatives, check_hyperparameters, hyperparameters_of
from search.config.learning import check_learning
from search.config.main_module import named_functions, require_modules
from search.config.network import check_network
from search.config.objectives import check_constraints, check_latency, check_objectives, check_search
from search.config.recipe import recipe_keys, recipe_train
from search.config.sections import RayConfig, SearchSettings, SpaceConfig, StorageConfig, VerdictSettings
from search.config.space import check_space, create_space, resolved_settings, stated_space
from search.config.strategy import AUTO, StrategySettings, check_strategy, inherited_train, inherits, picked_strategy
from search.config.user_code import check_loss, try_functions
from search.training.data import Dataset
from search.training.settings import DataConfig, LatencyConfig, LimitsConfig, Section, TrainConfig
from spaces import JointSpace, SearchSpace
from spaces.host import HOSTS
from spaces.importing import import_modules, make_importable

__all__ = ["SearchConfig"]


class SearchConfig(Section):
    """All settings of a search job.

    Args:
        space: Host network and choices.
        data: Data set.
        train: Training of every candidate.
        hyperparameters: What is searched beside the fusion choices, by key: a list of values, or a range
            `{low: 0.02, high: 0.5, log: true}`.
        objectives: What is improved, one of them a quality of the task: `accuracy`, `balanced_accuracy`, `f1`, `map`,
            `miou`, `dice`, `mae`, `r2` or `loss`; a cost: `params`, `flops`, `latency` or `latency@RUNTIME`, `memory`;
            or a user-defined `module:function`. Beside them a quality in int8, such as `accuracy@int8`.
        constraints: Bounds by measure: at most on a cost or a loss, at least on any other quality. Those on
            exact costs (`params`, `flops`) are checked before training, those on qualities after it.
        search: Proposals and early stopping.
        strategy: How trainings go that begin with a trained network's weights.
        limits: When a training is given up, and what the run may use.
        latency: How inference is timed, where that is an objective.
        verdict: When retrained networks count as the same.
        storage: Where the study is kept.
        ray: The workers.
        imports: User-defined modules. They are imported before anything is looked up by name, so that the operators,
            spaces and data sets that they register are known everywhere in the run.
        resolved: What a run noted about itself when it was launched; not part of the config.
    """

    space: SpaceConfig = SpaceConfig()
    data: DataConfig = DataConfig()
    train: TrainConfig = TrainConfig()
    hyperparameters: dict[str, Any] = Field(default_factory=dict)
    objectives: tuple[str, ...] = ("accuracy", "params")
    constraints: dict[str, Any] = Field(default_factory=dict)
    search: SearchSettings = SearchSettings()
    strategy: StrategySettings = StrategySettings()
    limits: LimitsConfig = LimitsConfig()
    latency: LatencyConfig = LatencyConfig()
    verdict: VerdictSettings = VerdictSettings()
    storage: StorageConfig = StorageConfig()
    ray: RayConfig = RayConfig()
    imports: tuple[str, ...] = ()
    resolved: dict[str, Any] = Field(default_factory=dict, exclude=True)

    _document: Document = PrivateAttr(default_factory=lambda: Document("", {}))
    _folders: tuple[str, ...] = PrivateAttr(default=())

    @classmethod
    def load(cls, path: str | Path, overrides: Mapping[str, Any] | None = None) -> Self:
        """Return the config that a YAML file holds.

        Args:
            path: The file; any section and any key may be left out.
            overrides: Values by dotted key, for example `{"search.trials": 8}`; text is read as YAML.

        Raises:
            ConfigError: The file or an override is wrong; one line with the place, the rule, the value
                received and what to write.
        """
        document = read_file(path)
        for key, value in (overrides or {}).items():
            document.override(key, value)
        return cls._checked(document, (Path(path).parent, Path.cwd()))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the config with these values, as `to_dict` returns them.

        Raises:
            ConfigError: A key is unknown, or a value breaks a rule.
        """
        return cls._checked(Document("", dict(values)), (Path.cwd(),))

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders with user-defined modules: the config's, and the current one at launch."""
        return self._folders

    def to_dict(self) -> dict[str, Any]:
        """Return all keys with their values, ready for YAML or JSON; passwords are left out."""
        values = self.model_dump(mode="json")
        values["space"] = resolved_settings(self.space)
        values["data"] = resolved_data(self.data)
        values["storage"]["url"] = self.storage.public_url
        return values

    def check_program(self) -> None:
        """Check that what is needed where this program is not, by exports and reports, is not defined by it.

        Raises:
            ConfigError: The network is, or something that is registered, such as an operator.
        """
        require_modules(self.to_dict(), self._document)

    @property
    def candidate_train(self) -> TrainConfig:
        """How the candidates of the search are trained: `train`, or the shorter training from a parent's weights."""
        shorter = inherits(self.search.strategy, self.strategy)
        return inherited_train(self.train, self.strategy) if shorter else self.train

    @property
    def asked(self) -> tuple[str, ...]:
        """Names of the measures that objectives and constraints ask for."""
        return (*self.objectives, *self.constraints)

    def check_task(self, dataset: Dataset) -> None:
        """Check that objectives, constraints, loss and augmentation fit a data set, once it is loaded.

        A user-defined loss and user-defined qualities are called with some of its labels.

        Raises:
            ConfigError: One of them is for another task than the data set's, or user-defined and fails.
        """
        check_objectives(self.objectives, self.data.name, dataset.task, self._document)
        check_constraints(self.constraints, self.objectives, dataset.task, self._document)
        own = HOSTS[self.space.name].sized
        for train, document in self._trainings():
            check_augment(train.augment, dataset.task, document, dataset.other_shapes)
            check_learning(train, dataset, document)
            try_functions(train, self.objectives, dataset, document, own=own)

    def create_space(self, dataset: Dataset) -> SearchSpace:
        """Return the search space for the images and classes of a data set.

        Raises:
            ConfigError: The space has no such setting, a setting has an impossible value, or it does not
                fit the data set.
        """
        earlier = standing(stages(self.resolved))
        return create_space(self.space, dataset, self._document, self.train.output, earlier)

    def joint_space(self, space: SearchSpace) -> JointSpace:
        """Return a search space with the hyperparameters that are searched beside its choices; there may be none.

        What the config has for a key where it is not searched is tried first.

        Raises:
            ConfigError: The host network cannot have a value, or takes too many.
        """
        found = hyperparameters_of(self.hyperparameters, self.space.name)
        sections = {"train": self.train.model_dump(), "space": space.host.settings()}
        first = {one.name: sections[one.name.partition(".")[0]][one.key] for one in found}
        with self._document.placing(HYPERPARAMETERS):
            return JointSpace(space, found, first)

    def check_network(self, space: SearchSpace, dataset: Dataset) -> None:
        """Run a user-defined network on images of the data set, in training and in evaluation.

        Raises:
            ConfigError: It fails, or what it returns does not fit `train.output`, the classes, the loss or a quality.
        """
        for train, document in self._trainings():
            check_network(space, train, self.objectives, dataset, document)

    def with_recipe(self, document: Document) -> Self:
        """Return this config with a recipe in place of its own `train`.

        What is wrong with that, also for `check_task` and `check_network`, is said of the recipe's file.

        Raises:
            ConfigError: A key is unknown, or a value breaks a rule.
        """
        left = {key: values for key, values in self.hyperparameters.items() if key not in recipe_keys(document)}
        config = self.model_copy(update={"train": recipe_train(document, self.train), "hyperparameters": left})
        config._document = document
        check_loss(config.train.loss, document)
        return config

    def stated_space(self) -> SearchSpace | None:
        """Return the search space if `space` has `num_classes`, `in_channels` and `input_size`; no data are read.

        Raises:
            ConfigError: A setting has an impossible value.
        """
        return stated_space(self.space, self._document)

    def _trainings(self) -> Iterator[tuple[TrainConfig, Document]]:
        """Yield how candidates are trained: as `train` says, and with each value that is searched."""
        yield self.train, self._document
        yield from alternatives(self.hyperparameters, self.train, self._document)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SearchConfig) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def _checked(cls, document: Document, folders: Iterable[Path]) -> Self:
        named_functions(document)
        # A section whose keys are all commented out is null in YAML.
        values = {
            key: value for key, value in document.values.items() if value is not None or key not in cls.model_fields
        }
        try:
            config = cls.model_validate(values)
        except ValidationError as error:
            raise config_error(error, cls, document) from None
        folders = tuple(folders)
        config._folders = _import(config, document, folders)
        check_space(config.space, document)
        config = config.model_copy(update={"data": located(config.data, (*map(str, folders), *config.folders))})
        task = check_data(config.data, document)
        check_objectives(config.objectives, config.data.name, task, document)
        check_latency(config.latency, config.objectives, document)
        check_hyperparameters(config.hyperparameters, config.space, config.train, document)
        config._document = document
        for train, place in config._trainings():
            check_augment(train.augment, task, place)
            check_loss(train.loss, place)
        check_constraints(config.constraints, config.objectives, task, document)
        if config.search.strategy == AUTO:
            picked = config.search.model_copy(update={"strategy": picked_strategy(config.hyperparameters)})
            config = config.model_copy(update={"search": picked})
        check_strategy(config.search.strategy, config.strategy, config.space.name, config.hyperparameters, document)
        check_search(config.search, config.objectives, config.candidate_train.epochs, document)
        return config


def _import(config: SearchConfig, document: Document, folders: Iterable[Path]) -> tuple[str, ...]:
    """Import the user-defined modules; return the folders where they were looked for."""
    noted = config.resolved.get("folders")
    where = tuple(noted) if noted is not None else tuple(str(folder.resolve()) for folder in folders)
    make_importable(*where)
    for index, name in enumerate(config.imports):
        with document.placing("imports", index):
            import_modules([name])
    return where
