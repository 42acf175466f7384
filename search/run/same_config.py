"""What must stay the same from a launch to every resume, so that no table mixes two searches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fusion_ops.errors import ConfigError, RunError
from reports.run.space_stages import stages
from search.config import SearchConfig
from search.config.document import HYPERPARAMETERS
from search.strategy.trials import CONFIG

__all__ = ["MAY_CHANGE", "MAY_GROW", "require_changeable", "require_same", "space_of_study", "state_config"]

MAY_CHANGE = (
    "search.trials",
    "search.timeout",
    "search.pruner",
    "search.min_epochs",
    "search.patience",
    "search.random_baseline",
    "search.one_epoch_baseline",
    "strategy.trust",
    "verdict",
    "limits",
    "ray",
    "storage.url",
)
# What a wider space has more of; see `search.run.widening`.
MAY_GROW = ("space.ops", "space.reductions", "space.resamplers")
# A run may go on elsewhere: its data are known by their checksums, and a seed gives the same network on any device.
ELSEWHERE = ("data.path", "data.groups", "data.split", "train.device")


def require_changeable(keys: Iterable[str]) -> None:
    """Raise `ConfigError` if a resume may not change one of these config keys."""
    for key in keys:
        if not _is_among(key, MAY_CHANGE) and key not in MAY_GROW:
            raise ConfigError(
                f"`{key}` of a run cannot change; a resume takes {', '.join(MAY_CHANGE)}, and more of "
                f"{', '.join(MAY_GROW)}. Launch a new run."
            )


def state_config(study: Any, config: SearchConfig) -> None:
    """Write into a new study what its run was launched with."""
    study.set_user_attr(CONFIG, _fixed(config))


def require_same(study: Any, config: SearchConfig) -> None:
    """Check that the config is still the one that the study's run was launched with, as far as it must be.

    The study may be one of the spaces that the run had before it was widened.

    Raises:
        RunError: It was edited since; the message has the differences.
    """
    # A study of an earlier version has no config, or lacks the keys that are new.
    before, after = {HYPERPARAMETERS: {}} | study.user_attrs.get(CONFIG, {}), _fixed(config)
    widened = space_of_study(study, config) is not None
    changes = [
        f"{key} was {json.dumps(value)}, is {json.dumps(after[key])}"
        for key, value in before.items()
        if key in after and after[key] != value and not (key in MAY_GROW and widened)
    ]
    if changes:
        raise RunError(
            f"the run's config was edited since its launch: {'; '.join(changes)}. Put that back, or launch a new run."
        )


def space_of_study(study: Any, config: SearchConfig) -> dict[str, list[Any]] | None:
    """Return the choices of a study's space where the run's has more of them: as the run had them before."""
    earlier = [dict(stage.choices) for stage in stages(config.resolved)]
    stated = study.user_attrs.get(CONFIG)
    if stated is None:  # of a version that did not write it down; a study that was told anew has it
        return earlier[0] if earlier else None
    # A study of an earlier version lacks the keys that are new; one that was told anew has all.
    there = {key.partition(".")[2]: stated[key] for key in MAY_GROW if key in stated}
    found = next((was for was in earlier if all(was.get(key) == value for key, value in there.items())), None)
    now = config.to_dict()["space"]
    return found if found is not None and any(now[key] != value for key, value in found.items()) else None


def _fixed(config: SearchConfig) -> dict[str, Any]:
    """Return the keys that may not change, with their values as JSON keeps them."""
    values = json.loads(json.dumps(config.to_dict()))
    # As a whole, so that one more is a change, too.
    whole = {HYPERPARAMETERS: values.pop(HYPERPARAMETERS)}
    leaves = {key: value for key, value in _leaves(values) if not _is_among(key, (*MAY_CHANGE, *ELSEWHERE))}
    return leaves | whole


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _is_among(key: str, names: Iterable[str]) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in names)
