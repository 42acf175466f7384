"""`retrain.yaml` in a run directory: what was asked of a retraining, and who takes part in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from fusion_ops.errors import RunError, SpecError
from reports.retrained.participant import NoControl, Participant

__all__ = ["DEFAULT_RECIPE", "RETRAIN_FILE", "RetrainRecord", "read_retrain_record"]

RETRAIN_FILE: Final = "retrain.yaml"
DEFAULT_RECIPE: Final = "default"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class RetrainRecord:
    """What a run directory says of its retraining.

    Args:
        top: Finalists.
        seeds: Least and most seeds of a network.
        looked: The least and the most seeds that were ever asked for, where they are not `seeds`: intervals allow for
            all looks at the results.
        recipes: By name, the keys of `train` that a recipe changes; `default` changes none.
        budget: When it ends at the latest, as `--budget` has it; `None` for no such end.
        ablate: Whether each point of the winner is set back, too.
        test_images: Images of the test set.
        test_digest: What tells that test set from any other.
        seed_list: The seeds, in the order in which they are used; the same for every network.
        participants: Who takes part.
        no_controls: Which finalists have no control of sums, and why.
    """

    top: int
    seeds: tuple[int, int]
    recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {DEFAULT_RECIPE: {}})
    budget: str | None = None
    ablate: bool = False
    test_images: int = 0
    test_digest: str = ""
    seed_list: tuple[int, ...] = ()
    participants: tuple[Participant, ...] = ()
    no_controls: tuple[NoControl, ...] = ()
    looked: tuple[int, int] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as values for YAML."""
        return {
            "schema_version": SCHEMA_VERSION,
            "top": self.top,
            "seeds": list(self.seeds),
            "looked": None if self.looked is None else list(self.looked),
            "recipes": {name: dict(changes) for name, changes in self.recipes.items()},
            "budget": self.budget,
            "ablate": self.ablate,
            "test_images": self.test_images,
            "test_digest": self.test_digest,
            "seed_list": list(self.seed_list),
            "participants": [one.to_dict() for one in self.participants],
            "no_controls": [asdict(one) for one in self.no_controls],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RetrainRecord:
        """Return the record that `to_dict` described."""
        plain = {name: values[name] for name in ("top", "recipes", "budget", "ablate", "test_images", "test_digest")}
        least, most = values["seeds"]
        looked = values.get("looked")
        return cls(
            **plain,
            seeds=(least, most),
            looked=None if looked is None else (looked[0], looked[1]),
            seed_list=tuple(values["seed_list"]),
            participants=tuple(map(Participant.from_dict, values["participants"])),
            no_controls=tuple(NoControl(**entry) for entry in values["no_controls"]),
        )


def read_retrain_record(run_dir: str | Path) -> RetrainRecord | None:
    """Return what a run says of its retraining; `None` where nothing was retrained.

    Raises:
        RunError: The file is damaged; the message names it.
    """
    path = Path(run_dir) / RETRAIN_FILE
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        version = values["schema_version"]
        if version != SCHEMA_VERSION:
            raise RunError(f"{path} is of version {version}; this one reads {SCHEMA_VERSION}. Use that which wrote it.")
        return RetrainRecord.from_dict(values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, SpecError, yaml.YAMLError) as error:
        what = " ".join(str(error).split())
        raise RunError(f"{path} is damaged ({what}). Remove it, and retrain with the arguments written out.") from None
