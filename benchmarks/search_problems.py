"""Problems on which samplers are replayed: what every architecture of a space would have measured.

Synthetic ones stand on the 10 fusion points of a ResNet-34 (stages 2 and 3), 5 operators, r in 2, 4, 8, 16, with
its exact costs; only the error is invented:

- `additive`: every point has its own weight, every operator its own worth with some variation between points,
  and an r that suits it best;
- `interactions`: the same, and pairs of neighbouring points add as much variance again;
- `deceptive`: the same as `additive` with less weight, and three groups of neighbouring points where only one
  certain combination of operators pays, while each of its steps alone costs.

A training measures the error plus normal noise (a fifth of the standard deviation over random architectures),
and its curve falls from 0.9 to there at a speed of its own.

A table of real trainings is `NAME.csv.gz` beside `NAME.json`, as `benchmarks/tables/build.py` writes it: a row for
each training with `seed`, `accuracy_1` … `accuracy_E`, `loss_1` … `loss_E` and `architecture` (the choices in the
order of the slots, `op` or `op:r`).
"""

from __future__ import annotations

import csv
import gzip
import json
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
from sklearn.linear_model import BayesianRidge

import spaces
from fusion_ops import FusionChoice
from search.strategy.proposals.encoding import Encoding, key
from spaces.architecture import SpaceRef

EPOCHS = 16
NOISE = 0.2
SAMPLE = 4_000


class Problem(ABC):
    """A space, the true error of its architectures, and the curves that trainings measure.

    Args:
        name: What it is called in results.
        space: The search space.
    """

    def __init__(self, name: str, space: spaces.SearchSpace) -> None:
        self.name = name
        self.space = space
        self.encoding = Encoding(space)

    @abstractmethod
    def error(self, codes: np.ndarray) -> np.ndarray:
        """Return the true error of `(n, s)` codes."""

    @abstractmethod
    def curve(self, code: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the accuracy after each epoch of one training."""

    def points(self, codes: np.ndarray) -> np.ndarray:
        """Return true error and log₁₀ of the parameters, `(n, 2)`."""
        return np.stack([self.error(codes), np.log10(self.encoding.cost("params", codes))], axis=1)

    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the corner that bounds the hypervolume, and the ideal corner that scales it.

        Error from the best to the worst of 4,000 random architectures (or all, if there are fewer), parameters
        from the smallest to the largest of the space, on a logarithmic scale.
        """
        drawn = self.encoding.draw(np.random.default_rng(12345), SAMPLE)
        errors = self.error(drawn)
        low, high = np.log10(self.encoding.range("params"))
        return np.array([errors.max(), high]), np.array([errors.min(), low])


class Synthetic(Problem):
    """An invented error on a real space."""

    def __init__(self, name: str, seed: int = 0, space: spaces.SearchSpace | None = None) -> None:
        super().__init__(name, space if space is not None else _resnet34())
        rng = np.random.default_rng([seed, *name.encode()])
        self._table = self._additive(rng)
        self._pairs = np.zeros((self.encoding.slots - 1, 5, 5))
        self._traps: list[tuple[np.ndarray, np.ndarray]] = []
        if name == "interactions":
            self._pairs = rng.normal(size=self._pairs.shape)
        if name == "deceptive":
            self._table *= 0.5
            self._traps = [(np.arange(first, first + 3), rng.integers(1, 5, size=3)) for first in (0, 4, 7)]
        drawn = self.encoding.draw(rng, SAMPLE)
        additive = self._slots(drawn).std()
        self._pairs *= additive / max(self._paired(drawn).std(), 1e-12)
        raw = self._raw(drawn)
        self._middle, self._scale = raw.mean(), 0.02 / raw.std()
        self._noise = NOISE * 0.02

    def error(self, codes: np.ndarray) -> np.ndarray:
        """Return the true error: mean 0.2, standard deviation 0.02 over random architectures."""
        return 0.2 + self._scale * (self._raw(codes) - self._middle)

    def curve(self, code: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return a curve that falls exponentially to the error, measured with noise."""
        final = float(self.error(code[None])[0]) + rng.normal(0.0, self._noise)
        speed = 0.3 * np.exp(rng.normal(0.0, 0.15))
        epochs = np.arange(1, EPOCHS + 1)
        above = 0.6 * (np.exp(-speed * epochs) - np.exp(-speed * EPOCHS))
        wobble = rng.normal(0.0, 0.3 * self._noise, size=EPOCHS) * (epochs < EPOCHS)
        return 1.0 - final - above + wobble

    def _additive(self, rng: np.random.Generator) -> np.ndarray:
        encoding = self.encoding
        weights = np.exp(rng.normal(0.0, 0.7, size=encoding.slots))
        worth = np.array([0.0, 0.3, 0.5, 0.8, 1.0]) + rng.normal(0.0, 0.4, size=(encoding.slots, 5))
        suits = rng.uniform(1.0, 4.0, size=(encoding.slots, 1))
        misfit = 0.1 * np.abs(encoding.log_r - suits) * (encoding.log_r > 0)
        return -weights[:, None] * (np.take_along_axis(worth, np.maximum(encoding.ops, 0), axis=1) - misfit)

    def _slots(self, codes: np.ndarray) -> np.ndarray:
        return self._table[np.arange(codes.shape[1]), codes].sum(axis=1)

    def _ops(self, codes: np.ndarray) -> np.ndarray:
        return self.encoding.ops[np.arange(codes.shape[1]), codes]

    def _paired(self, codes: np.ndarray) -> np.ndarray:
        ops = self._ops(codes)
        return self._pairs[np.arange(codes.shape[1] - 1), ops[:, :-1], ops[:, 1:]].sum(axis=1)

    def _raw(self, codes: np.ndarray) -> np.ndarray:
        out = self._slots(codes) + self._paired(codes)
        ops = self._ops(codes)
        size = self._table.std() * np.sqrt(codes.shape[1])
        for slots, wanted in self._traps:
            hits = (ops[:, slots] == wanted).sum(axis=1)
            out = out + size * np.array([0.0, 0.25, 0.5, -1.5])[hits]
        return out


class Table(Problem):
    """Real trainings, of which a search sees one for each architecture that it asks for.

    What a training measures is the best epoch's error. The true error, by which a search is judged, is estimated from
    the trainings of all architectures (empirical Bayes): what a Bayesian ridge regression on choices and pairs of
    neighbouring operators expects, and as much of the architecture's own deviation from it, averaged over its
    seeds, as the spread between seeds leaves believable. Otherwise the lucky seeds would be the front.

    Args:
        path: `NAME.csv.gz`, with `NAME.json` beside it.

    Attributes:
        seed_deviation: Standard deviation of the measured error between seeds.
        spread: Standard deviation of the estimated true error between architectures.
    """

    def __init__(self, path: Path) -> None:
        name = path.name.removesuffix(".csv.gz")
        about = json.loads(path.with_name(f"{name}.json").read_text())
        choices = {k: v for k, v in about["config"]["space"].items() if k in ("ops", "reductions", "tie")}
        super().__init__(name, spaces.from_ref(SpaceRef.from_dict(about["space"]), **choices))
        self._curves: dict[bytes, list[np.ndarray]] = {}
        with gzip.open(path, "rt") as file:
            for row in csv.DictReader(file):
                epochs = sum(column.startswith("accuracy_") for column in row)
                curve = np.array([float(row[f"accuracy_{epoch + 1}"]) for epoch in range(epochs)])
                self._curves.setdefault(self._key(row["architecture"]), []).append(curve)
        measured = [np.array([1.0 - curve.max() for curve in curves]) for curves in self._curves.values()]
        self.seed_deviation = float(np.sqrt(np.mean([errors.var(ddof=1) for errors in measured if len(errors) > 1])))
        codes = np.array([np.frombuffer(known, dtype=np.int16) for known in self._curves])
        estimated = self._estimated(codes, measured)
        self.spread = float(estimated.std())
        self._errors = dict(zip(self._curves, estimated, strict=True))

    @property
    def known(self) -> tuple[bytes, ...]:
        """The keys of the codes of all architectures that were trained."""
        return tuple(self._curves)

    def error(self, codes: np.ndarray) -> np.ndarray:
        """Return the estimated true error of `(n, s)` codes."""
        return np.array([self._errors[key(code)] for code in codes])

    def _estimated(self, codes: np.ndarray, measured: list[np.ndarray]) -> np.ndarray:
        means = np.array([errors.mean() for errors in measured])
        noise = self.seed_deviation**2 / np.array([len(errors) for errors in measured])
        slots = np.arange(codes.shape[1])
        ops = self.encoding.ops[slots, codes]
        columns = [codes[:, slot, None] == np.unique(codes[:, slot]) for slot in slots]
        for one, other in zip(ops.T[:-1], ops.T[1:], strict=True):
            pairs = one * (ops.max() + 1) + other
            columns.append(pairs[:, None] == np.unique(pairs))
        features = np.concatenate(columns, axis=1).astype(float)
        expected = BayesianRidge().fit(features, means, sample_weight=1 / noise).predict(features)
        own = means - expected
        believable = max(float(np.mean(own**2 - noise)), 0.0)
        return np.asarray(expected + believable / (believable + noise) * own)

    def curve(self, code: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the curve of one of the trainings."""
        curves = self._curves[key(code)]
        return curves[rng.integers(len(curves))]

    def _key(self, text: str) -> bytes:
        code = []
        for choices, short in zip(self.encoding.choices, text.split(), strict=True):
            op, _, r = short.partition(":")
            code.append(choices.index(FusionChoice(op, int(r) if r else None)))
        return key(np.array(code))


def _resnet34() -> spaces.SearchSpace:
    return spaces.create("resnet", form="imagenet", depth=34, stages=(2, 3), num_classes=10, in_channels=3)


SYNTHETIC = ("additive", "interactions", "deceptive")


def problem(name: str) -> Problem:
    """Return a synthetic problem by its name, or the table at a path."""
    return Synthetic(name) if name in SYNTHETIC else Table(Path(name))
