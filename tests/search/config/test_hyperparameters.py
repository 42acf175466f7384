"""The section `hyperparameters`: what it makes of a space; what is refused, with its place and advice that works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fusion_ops.errors import ConfigError
from search.config import SearchConfig
from search.training import data
from spaces import JointSpace

CONFIG = """space: {name: resnet, depth: 8, width: 8, ops: [sum, aff], reductions: [2, 4]}
train: {lr: 0.1}
hyperparameters:
  train.lr:
    low: 0.02
    high: 0.5
    log: true
  space.width: [12, 8]
  train.augment: [[], [cutout]]
"""


def loaded(tmp_path: Path, text: str = CONFIG, **overrides: Any) -> SearchConfig:
    (tmp_path / "config.yaml").write_text(text)
    return SearchConfig.load(tmp_path / "config.yaml", {f"hyperparameters.{k}": v for k, v in overrides.items()})


def joint_of(config: SearchConfig) -> JointSpace:
    return config.joint_space(config.create_space(data.load(config.data)))


def test_without_the_section_nothing_is_searched_beside(tmp_path: Path) -> None:
    config = loaded(tmp_path, "space: {name: resnet}")
    assert config.to_dict()["hyperparameters"] == {}
    assert joint_of(config).hyperparameters == ()


def test_it_is_written_down_as_it_was_and_read_back(tmp_path: Path) -> None:
    config = loaded(tmp_path)
    written = yaml.safe_load(yaml.safe_dump(config.to_dict()))
    assert written["hyperparameters"] == yaml.safe_load(CONFIG)["hyperparameters"]
    assert SearchConfig.from_dict(written) == config


def test_what_the_config_has_otherwise_is_tried_first(tmp_path: Path) -> None:
    space = joint_of(loaded(tmp_path))
    assert [one.name for one in space.hyperparameters] == ["space.width", "train.lr", "train.augment"]
    assert [dict(variant.ref.settings)["width"] for variant in space.variants] == [8, 12]
    (first,) = space.draws(1)
    assert first["space.width"] == 8
    assert first["train.lr"] == pytest.approx(0.1, rel=0.1)
    assert first["train.augment"] == ()


@pytest.mark.parametrize(
    ("key", "given", "levels"),
    [
        ("train.momentum", "{low: 0, high: 0.9}", (0.0, 0.9)),
        ("train.batch_size", "{low: 32, high: 128, step: 32}", (32, 128)),
        ("space.depth", "{low: 8, high: 20, step: 6}", (8, 20)),
        ("space.width", "{low: 8, high: 12}", (8, 12)),
        ("train.init", "[sum, default]", ("sum", "default")),
        ("train.lr.high", "0.4", (0.02, 0.4)),
        ("train.class_weights", "[null, balanced]", (None, "balanced")),
    ],
)
def test_values_and_ranges_reach_the_space(tmp_path: Path, key: str, given: str, levels: tuple[Any, Any]) -> None:
    space = joint_of(loaded(tmp_path, **{key: given}))
    name = ".".join(key.split(".")[:2])
    found = next(one for one in space.hyperparameters if one.name == name)
    assert (found.levels[0], found.levels[-1]) == levels


HOME = "--set hyperparameters."
REFUSED = {
    ("train.lrr", "[1, 2]"): r"unknown key `train.lrr` in `hyperparameters`; did you mean `train.lr`\?",
    ("train", "{lr: [1, 2]}"): "unknown key `train` .*as in `train.lr: ",
    ("lr", "[1, 2]"): "unknown key `lr` .*as in `train.lr: ",
    ("train.lr", "0.1"): "must be a list of values, or a range .*; got 0.1",
    ("train.lr", "[]"): "names no value; leave it out",
    ("train.lr", "[0.1]"): "has one value, which is no choice; write `lr` under `train`",
    ("train.lr", "[0.1, 0.1]"): "none twice",
    ("train.lr", "[0.1, -1]"): "`train.lr` must be more than 0; got -1",
    ("train.lr", "[0.1, x]"): "`train.lr` must be a number; got text `x`",
    ("train.lr", "{low: 0.1, hihg: 1}"): r"unknown key `hihg` in `hyperparameters.train.lr`; did you mean `high`\?",
    ("train.lr", "{low: 0.1}"): "needs `high`",
    ("train.lr", "{low: 1, high: 0.1}"): "`low` of `train.lr` must be less than `high`",
    ("train.lr", "{low: 0, high: 1, log: true}"): "must be above 0 where `log` is true",
    ("train.lr", "{low: x, high: 1}"): "`hyperparameters.train.lr.low` must be a number; got text `x`",
    ("train.lr", "{low: true, high: 1}"): "`hyperparameters.train.lr.low` must be a number; got true",
    ("train.momentum", "{low: 0, high: 1}"): "`train.momentum` must be less than 1; got 1",
    ("train.batch_size", "{low: 32, high: 64.5}"): "batch_size.high` must be a whole number; got 64.5",
    ("train.batch_size", "{low: 32, high: 64, step: 0.5}"): "batch_size.step` must be a whole number; got 0.5",
    ("train.init", "{low: 1, high: 2}"): "must be a list of values; a range is of numbers",
    ("train.augment", "[flip, crop]"): r"`train.augment` must be a list; got text `flip`; write \[flip\]",
    ("train.augment", "[[], [flipp]]"): "unknown augmentation `flipp`; did you mean `flip`",
    ("train.loss", "[auto, nowhere:loss]"): "there is no module `nowhere`",
    ("train.epochs", "[2, 4]"): "`train.epochs` is no hyperparameter: .*equal epochs",
    ("train.device", "[cpu, cuda]"): "`train.device` is no hyperparameter: ",
    ("train.compile", "[none, ops]"): "`train.compile` is no hyperparameter: ",
    ("train.output", "[0, 1]"): "`train.output` is no hyperparameter: ",
    ("space.name", "[resnet, inception]"): "`space.name` is no hyperparameter: ",
    ("space.ops", "[[sum], [aff]]"): "`space.ops` is no hyperparameter: ",
    ("space.num_classes", "[2, 10]"): "`space.num_classes` is no hyperparameter: ",
    ("space.depth", "[8, 9]"): "`space.depth` .*must be 6n",
    ("space.depth", "{low: 8, high: 20, step: 4}"): "`space.depth` .*must be 6n.*got 12",
    ("space.width", "{low: 1, high: 100}"): "takes at most 33, without `log`; write a list, or a larger `step`",
    ("space.width", "{low: 8, high: 16, log: true}"): "takes at most 33, without `log`",
    ("space.width", "[8, true]"): "`space.width` must be a number; got true",
}


@pytest.mark.parametrize(("given", "why"), REFUSED.items(), ids=str)
def test_refused_in_one_line_with_its_place(tmp_path: Path, given: tuple[str, str], why: str) -> None:
    key, value = given
    with pytest.raises(ConfigError, match=why) as caught:
        loaded(tmp_path, **{key: value})
    assert str(caught.value).startswith(f"{HOME}{key}={value}"[:80])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("was", "now", "line"),
    [
        ("low: 0.02", "low: x", 5),
        ("high: 0.5", "high: 0.01", 4),
        ("[12, 8]", "[12, 0]", 8),
        ("[cutout]", "[cutuot]", 9),
        ("    log: true", "    lgo: true", 7),
    ],
)
def test_the_line_is_that_of_the_value(tmp_path: Path, was: str, now: str, line: int) -> None:
    with pytest.raises(ConfigError, match=rf"config.yaml:{line}: "):
        loaded(tmp_path, CONFIG.replace(was, now))


def test_a_value_that_does_not_fit_the_data_set_is_refused_where_it_is_listed(tmp_path: Path) -> None:
    weights = "hyperparameters:\n  train.class_weights:\n  - null\n  - [1, 2, 3]\n"
    config = loaded(tmp_path, weights)
    with pytest.raises(ConfigError, match=r"config.yaml:4: `train.class_weights` needs a number for each of 10"):
        config.check_task(data.load(config.data))


def test_values_that_are_wrong_together_alone_are_refused_where_one_is_listed(tmp_path: Path) -> None:
    losses, weights = (
        "  train.loss: [auto, 'torch.nn.functional:cross_entropy']\n",
        "  train.class_weights: [null, balanced]\n",
    )
    for section in (f"{losses}{weights}", f"{weights}{losses}"):
        config = loaded(tmp_path, f"hyperparameters:\n{section}")
        line = 2 + section.splitlines().index(weights.rstrip("\n"))
        said = f"config.yaml:{line}: `train.class_weights` does not reach `torch.nn.functional:cross_entropy`"
        with pytest.raises(ConfigError, match=said):
            config.check_task(data.load(config.data))


def test_too_many_host_networks_are_refused_before_anything_starts(tmp_path: Path) -> None:
    widths = {"space.width": "{low: 4, high: 20}", "space.depth": "{low: 8, high: 44, step: 6}"}
    with pytest.raises(ConfigError, match="make 119 host networks, and at most 64"):
        joint_of(loaded(tmp_path, **widths))


def test_settings_of_a_network_of_ones_own_are_refused(tmp_path: Path) -> None:
    text = "space: {name: traced, model: 'm:f'}\nhyperparameters: {space.width: [4, 8]}\n"
    with pytest.raises(ConfigError, match="a network of your own has no settings to search"):
        loaded(tmp_path, text)


def test_a_recipe_leaves_what_it_states_to_no_candidate(tmp_path: Path) -> None:
    from search.config.recipe import recipe_document

    config = loaded(tmp_path).with_recipe(recipe_document("hot", {"lr": 0.3}))
    assert list(config.hyperparameters) == ["space.width", "train.augment"]
    assert config.train.lr == 0.3
