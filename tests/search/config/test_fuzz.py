"""Whatever a config or an architecture file holds, it is accepted or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import spaces
from fusion_ops.errors import FusionNasError
from search.config import SearchConfig
from spaces import Architecture

MANY = 10_000
FEW = 150
DEFAULTS = SearchConfig.from_dict({}).to_dict()
ARCHITECTURE = spaces.create("resnet", depth=8, width=4).uniform("aff", 4).to_dict()

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=12),
    st.sampled_from(["", "resnet", "traced", "unet", "aff", "a:b", "os:system", "1e-3", "\x00", "../x", "&a"]),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)


def paths(tree: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document, the whole of it first."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [above, *(found for key, value in items for found in paths(value, (*above, key)))]


def changed(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The document with another value at one place."""
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = changed(copy[path[0]], path[1:], value)
    return copy


def documents(valid: Any) -> st.SearchStrategy[Any]:
    """The valid document with one to three places changed, or something else altogether."""
    change = st.lists(st.tuples(st.sampled_from(paths(valid)), values), min_size=1, max_size=3)

    def apply(changes: list[tuple[tuple[Any, ...], Any]]) -> Any:
        tree = valid
        for path, value in sorted(changes, key=lambda pair: -len(pair[0])):
            tree = changed(tree, path, value)
        return tree

    return st.one_of(change.map(apply), values)


def refused_in_one_line(error: FusionNasError) -> None:
    assert str(error).strip()
    assert "\n" not in str(error)


def check_config(text: str, folder: Path) -> None:
    path = folder / "config.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        config = SearchConfig.load(path)
    except FusionNasError as error:
        refused_in_one_line(error)
    else:
        again = SearchConfig.from_dict(config.to_dict())
        assert again.to_dict() == config.to_dict()
    assert [entry.name for entry in folder.iterdir()] == ["config.yaml"]


def check_architecture(text: str) -> None:
    try:
        read = Architecture.from_json(text)
    except FusionNasError as error:
        refused_in_one_line(error)
        return
    assert Architecture.from_json(read.to_json()) == read
    try:
        spaces.from_ref(read.space).cost(read)
    except FusionNasError as error:
        refused_in_one_line(error)


def fuzzed(count: int) -> Any:
    checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much]
    return settings(max_examples=count, deadline=None, suppress_health_check=checks, derandomize=True, database=None)


def as_yaml(document: Any) -> str:
    return str(yaml.safe_dump(document, allow_unicode=True))


@fuzzed(FEW)
@given(document=documents(DEFAULTS))
def test_configs(document: Any, tmp_path: Path) -> None:
    check_config(as_yaml(document), tmp_path)


@fuzzed(FEW)
@given(text=st.one_of(st.text(), st.binary().map(lambda raw: raw.decode("latin-1"))))
def test_texts_that_are_no_configs(text: str, tmp_path: Path) -> None:
    check_config(text, tmp_path)


@fuzzed(FEW)
@given(document=documents(ARCHITECTURE))
def test_architectures(document: Any) -> None:
    check_architecture(json.dumps(document))


@fuzzed(FEW)
@given(text=st.text())
def test_texts_that_are_no_architectures(text: str) -> None:
    check_architecture(text)


@pytest.mark.soak
@fuzzed(MANY)
@given(document=documents(DEFAULTS))
def test_ten_thousand_configs(document: Any, tmp_path: Path) -> None:
    check_config(as_yaml(document), tmp_path)


@pytest.mark.soak
@fuzzed(MANY)
@given(document=documents(ARCHITECTURE))
def test_ten_thousand_architectures(document: Any) -> None:
    check_architecture(json.dumps(document))
