"""Problems of architecture and hyperparameters at once, on which samplers are replayed.

Synthetic ones stand on the nine fusion points of a ResNet-20, 5 operators, r in 2, 4, 8, 16, with its exact costs; a
learning rate (0.003 to 1, logarithmic) and a weight decay (1e-5 to 1e-2, logarithmic) are searched beside. Only the
error is invented: what the operators are worth (as in `search_problems.Synthetic`, `additive`) plus what the recipe
costs, a bowl in the logarithms whose centre is planted:

- `same`: the best learning rate is the same for all operators;
- `own`: each operator has a best learning rate of its own, from a fifth to five times that of another one; a network
  has the mean of its operators' in logarithms, and pays more the further it is from there;
- `wide`: as `own`, and the host network has three widths, of which wider ones are better and cost more, and learn best
  at a smaller learning rate.

A recipe matters as much as the operators: over random configurations both have the same variance. A training measures
the error plus normal noise, a tenth of the standard deviation over random configurations.

A table of real trainings is `NAME.csv.gz` beside `NAME.json`, as `benchmarks/tables/build.py` writes it for a config
with `hyperparameters` that are lists: a row for each training, with a column for each of them.
"""

from __future__ import annotations

import csv
import gzip
import json
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

import spaces
from search.config import SearchConfig
from search.strategy.proposals.encoding import Encoding
from spaces import Configuration, JointSpace, Range, Values
from spaces.architecture import SpaceRef

NOISE = 0.1
SAMPLE = 4_000
SYNTHETIC = ("same", "own", "wide")


class JointProblem(ABC):
    """A space, the true error of its configurations, and what trainings measure.

    Args:
        name: What it is called in results.
        space: The search space.
    """

    def __init__(self, name: str, space: JointSpace) -> None:
        self.name = name
        self.space = space
        self.encoding = Encoding(space)

    @abstractmethod
    def error(self, configuration: Configuration) -> float:
        """Return the true error."""

    @abstractmethod
    def measured(self, configuration: Configuration, rng: np.random.Generator) -> float:
        """Return the error that one training shows."""

    def point(self, configuration: Configuration) -> tuple[float, float]:
        """Return true error and log₁₀ of the parameters."""
        return self.error(configuration), float(np.log10(self.space.cost(configuration.architecture).params))

    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the corner that bounds the hypervolume, and the ideal corner that scales it.

        Error from the best to the median of 4,000 random configurations (or all, if there are fewer), parameters from
        the smallest to the largest of the space, on a logarithmic scale.
        """
        errors = [self.error(one) for one in self._drawn()]
        low, high = np.log10(self.encoding.range("params"))
        margin = 1e-6 + 0.02 * (high - low)
        return np.array([np.median(errors), high + margin]), np.array([min(errors), low])

    def _drawn(self) -> list[Configuration]:
        rng = np.random.default_rng(12345)
        return [self.space.sample(rng) for _ in range(SAMPLE)]


class Synthetic(JointProblem):
    """An invented error on a real space."""

    def __init__(self, name: str, seed: int = 0) -> None:
        super().__init__(name, _space(name))
        rng = np.random.default_rng([seed, *name.encode()])
        encoding = self.encoding
        weights = np.exp(rng.normal(0.0, 0.7, size=encoding.slots))
        worth = np.array([0.0, 0.3, 0.5, 0.8, 1.0]) + rng.normal(0.0, 0.4, size=(encoding.slots, 5))
        suits = rng.uniform(1.0, 4.0, size=(encoding.slots, 1))
        misfit = 0.1 * np.abs(encoding.log_r - suits) * (encoding.log_r > 0)
        self._table = -weights[:, None] * (np.take_along_axis(worth, np.maximum(encoding.ops, 0), axis=1) - misfit)
        self._centre = rng.uniform(0.35, 0.65, size=2)
        # log 25 / log 333 of the range lies between the operators that like the smallest and the largest rate.
        shifts = rng.permutation(np.linspace(-0.5, 0.5, 5)) * np.log(25) / np.log(1 / 0.003)
        self._shifts = shifts if name != "same" else np.zeros(5)
        drawn = self._drawn()
        operators, recipes = np.array([self._parts(one) for one in drawn]).T
        self._ratio = float(operators.std() / recipes.std())
        whole = operators + self._ratio * recipes
        self._middle, self._scale = float(whole.mean()), 0.02 / float(whole.std())

    def error(self, configuration: Configuration) -> float:
        """Return the true error: mean 0.2, standard deviation 0.02 over random configurations."""
        operators, recipe = self._parts(configuration)
        return 0.2 + self._scale * (operators + self._ratio * recipe - self._middle)

    def measured(self, configuration: Configuration, rng: np.random.Generator) -> float:
        """Return the error and the noise of a training."""
        return self.error(configuration) + float(rng.normal(0.0, NOISE * 0.02))

    def _parts(self, configuration: Configuration) -> tuple[float, float]:
        """Return what the operators and what the recipe add to the error."""
        code = self.encoding.encode(configuration)[: self.encoding.slots]
        rows = np.arange(self.encoding.slots)
        wide = self.space.of_host[0].place(configuration["space.width"]) if self.space.of_host else 0.0
        operators = float(self._table[rows, code].sum()) - wide * float(np.abs(self._table).max())
        named = {one.name: one for one in self.space.hyperparameters}
        lr, decay = (named[name].place(configuration[name]) for name in ("train.lr", "train.weight_decay"))
        best = self._centre[0] + float(self._shifts[self.encoding.ops[rows, code]].mean()) * 2.0 - 0.2 * wide
        off = 4.0 * (lr - best) ** 2 + 0.7 * (decay - self._centre[1] + 0.5 * (lr - best)) ** 2
        return operators, float(np.minimum(off, 1.5))


class Table(JointProblem):
    """Real trainings of every configuration of a space.

    What a training measures is the best epoch's error; what diverged measures that of guessing. The true error, by
    which a search is judged, is what a Gaussian process over choice and hyperparameters, fitted to all trainings,
    expects: it takes out what a seed adds.
    """

    def __init__(self, path: Path) -> None:
        name = path.name.removesuffix(".csv.gz")
        about = json.loads(path.with_name(f"{name}.json").read_text())
        config = SearchConfig.from_dict(about["config"])
        choices = {k: v for k, v in about["config"]["space"].items() if k in ("ops", "reductions", "tie")}
        plain = spaces.from_ref(SpaceRef.from_dict(about["space"]), **choices)
        beside = [Values(key, values) for key, values in config.hyperparameters.items()]
        super().__init__(name, JointSpace(plain, beside))
        configurations = {configuration.id: configuration for configuration in self.space.enumerate()}
        self._measured: dict[str, float] = {}
        with gzip.open(path, "rt") as file:
            for row in csv.DictReader(file):
                curve = [float(row[column]) for column in row if column.startswith("accuracy_") and row[column]]
                self._measured[row["id"]] = 1.0 - max(curve, default=1.0 / len(about["dataset"]["classes"]))
        self._rows = [configurations[known] for known in self._measured]
        self._errors = self._estimated()

    def error(self, configuration: Configuration) -> float:
        """Return the estimated true error."""
        return self._errors[configuration.id]

    def measured(self, configuration: Configuration, rng: np.random.Generator) -> float:
        """Return what the training showed."""
        return self._measured[configuration.id]

    def _drawn(self) -> list[Configuration]:
        return self._rows

    def _estimated(self) -> dict[str, float]:
        inputs = np.array([self._features(one) for one in self._rows])
        values = np.array([self._measured[one.id] for one in self._rows])
        reaches = np.ones(inputs.shape[1])
        kernel = ConstantKernel() * RBF(reaches, (0.05, 20.0)) + WhiteKernel(0.05, (1e-4, 1.0))
        model = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0).fit(inputs, values)
        return dict(zip((one.id for one in self._rows), model.predict(inputs).tolist(), strict=True))

    def _features(self, configuration: Configuration) -> list[float]:
        code = self.encoding.encode(configuration)
        choice = np.eye(len(self.encoding.choices[0]))[code[0]]
        places = [one.place(configuration[one.name]) for one in self.space.hyperparameters]
        return [*choice.tolist(), *(3.0 * place for place in places)]


def _space(name: str) -> JointSpace:
    plain = spaces.create("resnet", depth=20, width=16, num_classes=10, in_channels=3, input_size=(32, 32))
    beside = [Range("train.lr", 0.003, 1.0, log=True), Range("train.weight_decay", 1e-5, 1e-2, log=True)]
    if name == "wide":
        beside = [Values("space.width", [8, 12, 16]), *beside]
    return JointSpace(plain, beside)


def problem(name: str) -> JointProblem:
    """Return a synthetic problem by its name, or the table at a path."""
    return Synthetic(name) if name in SYNTHETIC else Table(Path(name))
