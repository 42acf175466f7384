"""One candidate of a run. Its fields are declared here alone.

What a study keeps of it, its row of the candidates table, the types of the columns and what the script of the report's
page gets are derived from the fields of `Candidate`: a further field is one line, and its column stands last.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, fields
from typing import Any, Final, get_type_hints

from fusion_ops import Cost
from spaces import Architecture, Configuration, configuration_id
from spaces.hyperparameter import label

__all__ = [
    "COLUMNS",
    "DTYPES",
    "LATER",
    "LIBRARY",
    "ON_PAGE",
    "PARENT",
    "RANDOM",
    "RETRAINED",
    "STAGES",
    "STATES",
    "SUPERNET",
    "TERMINAL",
    "TRAINED",
    "TRUST",
    "VERIFY",
    "Candidate",
]

TRAINED: Final = ("complete", "pruned", "failed")
TERMINAL: Final = (*TRAINED, "infeasible", "duplicate")
STATES: Final = (*TERMINAL, "running")
# The series of all that is trained again after the search.
RETRAINED: Final = "retrain"
# The series of a strategy's stages: the trained network with whose weights others begin; that network with one point
# changed; all operators in one network; candidates once more, from scratch; the parent trained on, to verify others by.
PARENT, LIBRARY, SUPERNET, TRUST, VERIFY = "parent", "library", "supernet", "trust", "verify"
STAGES: Final = (PARENT, LIBRARY, SUPERNET, TRUST, VERIFY)
# The series of architectures that were drawn at random, each trained in full.
RANDOM: Final = "random"

_TO_PAGE: Final = {"page": True}
_NO_COLUMN: Final = {"column": False}


@dataclass(slots=True)
class Candidate:
    """A row of the candidates table while it grows.

    Args:
        number: Number of its trial in the study.
        architecture: What is trained.
        kind: `search`, `baseline`, `control` or `retrain`.
        seed: Seed of its initial weights and batches.
        params: Exact parameters.
        flops: Exact FLOPs: 2 × multiply-adds for one input.
        state: `running` or a terminal state.
        reason: Why it ended as it did, where that needs saying.
        curve: Validation measures after each epoch.
        measured: What was measured after training, by column of the candidates table: costs and, of a retraining, the
            measures on the test images.
        seconds: Time spent in training.
        worker: Host and process of the worker.
        retries: How often it was started again after a worker was lost.
        lost: How Ray says that it lost its last worker, where it lost one. The study keeps this, not the table.
        started: When it was proposed, ISO 8601 in UTC.
        finished: When it ended, ISO 8601 in UTC.
        audit: The epoch at which it would have been stopped, where it ran on to check that decision.
        feasible: Whether it meets every constraint, as far as is known.
        series: What it is trained for, where that is not the search itself: a baseline of the search (`random`,
            `one_epoch`, `one_epoch_top`), a stage of its strategy (`parent`, `library`, `supernet`, `trust`, `verify`),
            or `retrain`.
        again: Whether it is a second look: its architecture was stopped before, and is trained on from there. The
            study keeps this for a run that goes on; the table tells it by the architecture's id, which is there twice.
        role: Of a retraining, the first of its network's roles; see `reports.retrained.participant`.
        recipe: Of a retraining, the recipe by which it is trained: `default`, or a name.
        predicted: The quality that the sampler's model predicted when it proposed the candidate, where it has one.
        doubt: Standard deviation of that, the noise of a single training included.
        hyperparameters: What was searched beside its choices, by key; lists as lists. The table has a column for each.
        start: Number of the candidate with whose weights its training began; `None`: with weights of its own.
        before: How many epochs of its curve were not trained for it: those of the stopped candidate that it goes on
            from, or the one that stands for a network that was measured as it is.
        slot: Of a training of the library, the slot around which alone the network was trained.
        asked: Whether it was asked for, by `solve --verify`, and so proposed by nobody; it runs to its end.
    """

    number: int = field(metadata=_TO_PAGE)
    architecture: Architecture
    kind: str = field(metadata=_TO_PAGE)
    seed: int
    params: int
    flops: int
    state: str = field(default="running", metadata=_TO_PAGE)
    reason: str = field(default="", metadata=_TO_PAGE)
    curve: list[dict[str, float]] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict, metadata=_NO_COLUMN)
    seconds: float = 0.0
    worker: str = ""
    retries: int = 0
    started: str = ""
    finished: str = ""
    audit: int | None = None
    feasible: bool = True
    series: str = ""
    again: bool = field(default=False, metadata=_NO_COLUMN)
    role: str = ""
    recipe: str = ""
    predicted: float | None = None
    doubt: float | None = None
    hyperparameters: dict[str, Any] = field(default_factory=dict, metadata=_NO_COLUMN)
    start: int | None = None
    before: int = 0
    slot: str = ""
    asked: bool = False
    lost: str = field(default="", metadata=_NO_COLUMN)

    @property
    def id(self) -> str:
        """Id of its configuration: of its architecture, and the hyperparameters of its training where there are any."""
        return configuration_id(self.architecture, self.hyperparameters)

    @property
    def configuration(self) -> Configuration:
        """Its architecture and its hyperparameters, as a value."""
        return Configuration(self.architecture, tuple(self.hyperparameters.items()))

    @property
    def epochs(self) -> int:
        """Epochs of its training so far, those that it took over included."""
        return len(self.curve)

    @property
    def trained_epochs(self) -> int:
        """Epochs that were trained for it."""
        return max(len(self.curve) - self.before, 0)

    @property
    def exact(self) -> dict[str, float]:
        """The costs that are known before it is trained, by measure."""
        return Cost(self.params, self.flops).measures()

    @property
    def beside(self) -> bool:
        """Whether it is no proposal: a retraining, or a stage of the search's strategy."""
        return bool(self.role) or self.series in STAGES

    @property
    def runs_on(self) -> bool:
        """Whether it is never stopped early: a baseline, an audited candidate, what was asked for."""
        return self.kind != "search" or self.audit is not None or self.asked

    def curve_of(self, measure: str) -> list[float]:
        """Return a validation measure after each epoch."""
        return [measures[measure] for measures in self.curve]

    def best(self, quality: str, *, maximize: bool) -> dict[str, float]:
        """Return the measures of the best epoch so far; empty before the first one."""
        if not self.curve:
            return {}
        pick = max if maximize else min
        return pick(self.curve, key=lambda measures: measures[quality])

    def record(self, quality: str, *, maximize: bool) -> dict[str, Any]:
        """Return the row of the candidates table, without what only the whole table tells: who is on the front."""
        return {
            **self.best(quality, maximize=maximize),
            **self.measured,
            **{name: getattr(self, name) for name in _OWN},
            "seconds": round(self.seconds, 3) if self.curve else None,
            "architecture": self.architecture.to_json(),
            "curve": [round(value, 6) for value in self.curve_of(quality)],
            **{name: label(value) for name, value in self.hyperparameters.items()},
        }

    def to_attrs(self) -> dict[str, Any]:
        """Return what the study keeps of the candidate: JSON-ready values."""
        kept = {name: getattr(self, name) for name in _FIELDS}
        return kept | {
            "architecture": self.architecture.to_dict(),
            "curve": [dict(measures) for measures in self.curve],
            "measured": dict(self.measured),
            "hyperparameters": deepcopy(self.hyperparameters),
        }

    @classmethod
    def from_attrs(cls, values: Mapping[str, Any]) -> Candidate:
        """Return the candidate that `to_attrs` described, in this version or in another one.

        What this version does not know is left out; what the other one did not has its default.
        """
        known = {one.name: values[one.name] for one in fields(cls) if one.name in values}
        # Fusion-nas 0.1 wrote the number of the candidate that was stopped.
        known.setdefault("again", values.get("second_look") is not None)
        return cls(**{**known, "architecture": Architecture.from_dict(values["architecture"])})


# Every table has these, in this order: scripts outside rely on it. All that came later stands behind.
_CONTRACT: Final = (
    *("number", "id", "state", "reason", "kind", "seed", "epochs", "accuracy", "loss", "params", "flops"),
    *("latency_ms", "memory_bytes", "seconds", "worker", "retries", "started", "finished", "on_front"),
    *("architecture", "curve"),
)
LATER: Final[Mapping[str, Any]] = {
    one.name: one.default for one in fields(Candidate) if one.metadata.get("column", True) and one.name not in _CONTRACT
}
COLUMNS: Final = (*_CONTRACT, *LATER)
_FIELDS: Final = tuple(one.name for one in fields(Candidate))
_OWN: Final = tuple(name for name in COLUMNS if hasattr(Candidate, name))
ON_PAGE: Final = ("id", "epochs", *(one.name for one in fields(Candidate) if one.metadata.get("page")))

_NUMBERS: Final = {int: "int64", int | None: "Int64", float: "float64", float | None: "float64", bool: "bool"}
_HINTS: Final = get_type_hints(Candidate) | {"id": str, "epochs": int, "on_front": bool}
# Of every column but the measures; whatever is no number is text.
DTYPES: Final[Mapping[str, Any]] = {name: _NUMBERS.get(_HINTS[name], "text") for name in COLUMNS if name in _HINTS}
