"""Recipes: `train` keys over those of a run; what is wrong is said with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from fusion_ops.errors import ConfigError
from search.config import SearchConfig
from search.config.recipe import read_recipe, recipe_document, recipe_name
from search.training import data


@pytest.fixture
def config() -> SearchConfig:
    return SearchConfig.from_dict({"train": {"epochs": 4, "lr": 0.2, "augment": ["crop"]}})


def test_a_recipe_changes_its_keys_and_leaves_the_others(config: SearchConfig, tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_text("epochs: 16\naugment: [crop, flip]\n")
    document = read_recipe(tmp_path / "long.yaml")
    train = config.with_recipe(document).train
    assert (train.epochs, train.lr, train.augment) == (16, 0.2, ("crop", "flip"))
    assert config.train.epochs == 4
    assert recipe_name(tmp_path / "long.yaml") == "long"
    remembered = recipe_document("long", document.values["train"])
    assert config.with_recipe(remembered).train == train


BAD = {
    "epochs: 0": (1, "`train.epochs` must be at least 1; got 0"),
    "lr: 0.1\nepoch: 9": (2, "unknown key `epoch` in `train`; did you mean `epochs`?"),
    "lr: fast": (1, "`train.lr` must be a number"),
    "lr: 0.1\naugment: [crop, flipp]": (2, "flipp"),
    "\nloss: nowhere:f": (2, "nowhere"),
    "device: cpu": (1, "`train.device` is the same in all recipes"),
    "epochs: 2\nepochs: 3": (2, "stands there twice"),
}


@pytest.mark.parametrize("text", BAD)
def test_what_is_wrong_is_said_with_file_and_line(config: SearchConfig, tmp_path: Path, text: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text + "\n")
    line, words = BAD[text]
    with pytest.raises(ConfigError) as raised:
        config.with_recipe(read_recipe(path)).check_task(data.load(config.data))
    assert str(raised.value).startswith(f"{path}:{line}: ")
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty. A recipe is a mapping of `train` keys such as `epochs: 60`."),
        ("# nothing yet", "is empty. A recipe is a mapping"),
        ("- epochs", "is no mapping; got the list [epochs]. A recipe is a mapping"),
        ("60", "is no mapping; got 60. A recipe is a mapping"),
        ("epochs: [1", "is not YAML"),
        ("train: {epochs: 60}", "a recipe has the keys of `train` without that line. Write `epochs: 60`."),
        (None, "there is no such file"),
    ],
)
def test_what_is_no_recipe_is_said_with_the_file_and_what_one_is(
    config: SearchConfig, tmp_path: Path, text: str | None, words: str
) -> None:
    path = tmp_path / "recipe.yaml"
    if text is not None:
        path.write_text(text + "\n")
    with pytest.raises(ConfigError) as raised:
        read_recipe(path)
    assert str(raised.value).startswith(f"{path}:")
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
    path.write_text("epochs: 60\n")
    assert config.with_recipe(read_recipe(path)).train.epochs == 60


def test_a_recipe_has_a_name_of_its_own() -> None:
    assert recipe_name("recipes/long_4.yaml") == "long_4"
    for path in ("default.yaml", "two words.yaml"):
        with pytest.raises(ConfigError, match=r"name|Rename"):
            recipe_name(path)
