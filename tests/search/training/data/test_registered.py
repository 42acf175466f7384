"""A data set that a user registers: divided as the section says, or not taken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fusion_ops.errors import DataError
from search.data import DATASETS, Dataset, DatasetSource, Split, assembled, load
from search.training.settings import DataConfig, DataSection

RNG = np.random.default_rng(0)
IMAGES = torch.from_numpy(RNG.integers(0, 256, (40, 1, 6, 6), dtype=np.uint8))
SAMPLES = Split(IMAGES, torch.arange(40) % 2)


def by_itself(section: DataSection) -> Dataset:
    parts = (SAMPLES.at(slice(0, 20)), SAMPLES.at(slice(20, 30)), SAMPLES.at(slice(30, 40)))
    return Dataset(section.name, "classification", ("a", "b"), *parts, (0.5,), (0.2,))


def by_the_section(section: DataSection) -> Dataset:
    return assembled(section, ("a", "b"), SAMPLES)


def loaded(name: str, **settings: Any) -> Dataset:
    return load(DataConfig.model_validate({"name": name, **settings}))


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    for name, make in (("by_itself", by_itself), ("by_the_section", by_the_section)):
        DATASETS.register(name)(DatasetSource("classification", make, DataSection))
    yield
    for name in ("by_itself", "by_the_section"):
        del DATASETS._entries[name]


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "who.csv").write_text("".join(f"{index},p{index // 4}\n" for index in range(40)))
    parts = ["train"] * 20 + ["validation"] * 8 + ["test"] * 12
    (tmp_path / "parts.csv").write_text("".join(f"{index},{part}\n" for index, part in enumerate(parts)))
    return {"groups": str(tmp_path / "who.csv"), "split": str(tmp_path / "parts.csv")}


@pytest.mark.parametrize("key", ["groups", "split"])
def test_a_set_that_makes_its_parts_itself_takes_no_key_that_divides(keys: dict[str, Any], key: str) -> None:
    assert [len(part) for part in loaded("by_itself").parts.values()] == [20, 10, 10]
    with pytest.raises(
        DataError, match=rf"by_itself makes its parts itself, and not by `data\.{key}`; leave"
    ) as refused:
        loaded("by_itself", **{key: keys[key]})
    assert "\n" not in str(refused.value)


def test_a_set_that_is_assembled_is_divided_as_the_keys_say(keys: dict[str, Any]) -> None:
    by_group = loaded("by_the_section", groups=keys["groups"])
    assert [len(part) % 4 for part in by_group.parts.values()] == [0, 0, 0]
    by_file = loaded("by_the_section", split=keys["split"])
    assert [len(part) for part in by_file.parts.values()] == [20, 8, 12]
