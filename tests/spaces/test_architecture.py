"""`Architecture`: a value with one name, in every process; anything else than one is refused."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spaces
from fusion_ops import FusionChoice
from fusion_ops.errors import SpecError
from spaces import Architecture, SpaceRef

GOLDEN = Architecture(
    SpaceRef("resnet", (("width", 16), ("depth", 8), ("input_size", [8, 8]), ("ratio", 0.5), ("none", None))),
    (
        ("stage1.block1", FusionChoice("sum")),
        ("stage2.block1", FusionChoice("aff", 4, (("scale", "paper"),))),
    ),
)
GOLDEN_JSON = (
    '{"choices":[{"op":"sum","point":"stage1.block1"},'
    '{"op":"aff","options":{"scale":"paper"},"point":"stage2.block1","r":4}],'
    '"schema_version":1,'
    '"space":{"name":"resnet","settings":{"depth":8,"input_size":[8,8],"none":null,"ratio":0.5,"width":16}}}'
)
GOLDEN_ID = "14ac02aa9d"


def test_json_and_id_never_change() -> None:
    """Ids stand in studies, folders and exports of earlier versions."""
    assert GOLDEN.to_json() == GOLDEN_JSON
    assert GOLDEN.id == GOLDEN_ID


def test_id_is_the_same_in_another_process() -> None:
    space = spaces.create("resnet", depth=8, width=4)
    here = space.sample(np.random.default_rng(3))
    code = (
        "import numpy, spaces\n"
        "space = spaces.create('resnet', depth=8, width=4)\n"
        "print(space.sample(numpy.random.default_rng(3)).id)\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    command = [sys.executable, "-c", code]
    there = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here.id


def test_is_a_value() -> None:
    again = Architecture.from_json(GOLDEN_JSON)
    assert again == GOLDEN
    assert hash(again) == hash(GOLDEN)
    assert pickle.loads(pickle.dumps(GOLDEN)) == GOLDEN  # noqa: S301
    with pytest.raises(FrozenInstanceError):
        GOLDEN.choices = ()  # type: ignore[misc]


def test_order_of_settings_and_keys_does_not_matter() -> None:
    turned = json.loads(GOLDEN_JSON)
    turned["space"]["settings"] = dict(reversed(turned["space"]["settings"].items()))
    turned["choices"] = [dict(reversed(entry.items())) for entry in turned["choices"]]
    assert Architecture.from_dict(turned).id == GOLDEN.id


def test_every_decision_is_in_the_id() -> None:
    others = [
        GOLDEN_JSON.replace('"op":"sum"', '"op":"concat"'),
        GOLDEN_JSON.replace('"r":4', '"r":8'),
        GOLDEN_JSON.replace("paper", "inputs"),
        GOLDEN_JSON.replace("stage1", "stage3"),
        GOLDEN_JSON.replace('"depth":8', '"depth":14'),
        GOLDEN_JSON.replace("resnet", "other"),
    ]
    ids = {Architecture.from_json(text).id for text in others}
    assert len(ids | {GOLDEN.id}) == len(others) + 1


def test_choice_at_a_point() -> None:
    assert GOLDEN["stage2.block1"] == FusionChoice("aff", 4, (("scale", "paper"),))
    with pytest.raises(SpecError, match=r"no fusion point `stage9`.*stage1\.block1"):
        GOLDEN["stage9"]


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the golden description with one value replaced."""
    values = json.loads(GOLDEN_JSON)
    place = values
    *parents, last = [int(key) if key.isdigit() else key for key in path.split("/")]
    for key in parents:
        place = place[key]
    place[last] = value
    return values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "schema_version, space, choices"),
        ([], "schema_version, space, choices"),
        ({"schema_version": 1}, "schema_version, space, choices"),
        (changed("extra", 1), "schema_version, space, choices"),
        (changed("schema_version", 2), "reads schema_version 1; got 2"),
        (changed("schema_version", True), "reads schema_version 1; got True"),
        (changed("choices", {}), "`choices`.*must be a list"),
        (changed("choices/0", "sum"), "point, op, r, options"),
        (changed("choices/0/point", 3), "point, op, r, options"),
        (changed("choices/0/point", "stage2.block1"), "named once"),
        (changed("choices/1/r", "4"), "`r` must be a whole number"),
        (changed("choices/1/r", True), "`r` must be a whole number"),
        (changed("choices/1/ratio", 4), "keys op, r, options"),
        (changed("choices/1/options/scale", [1]), "`options`"),
        (changed("space", "resnet"), "keys name and settings"),
        (changed("space/name", 3), "name of a space must be text"),
        (changed("space/settings", [1]), "keys name and settings"),
        (changed("space/settings/depth", {}), "setting of a space"),
        (changed("space/settings/depth", float("nan")), "setting of a space"),
        (changed("space/settings/depth", float("inf")), "setting of a space"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refuses_other_descriptions(values: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Architecture.from_dict(values)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * 100_000, "[" * 600 + "]" * 600, "1" * 5000, "NaN", "\x00", "null", '"\\ud800"'],
    ids=lambda text: repr(text[:8]) + str(len(text)),
)
def test_refuses_other_text(text: str) -> None:
    with pytest.raises(SpecError):
        Architecture.from_json(text)


def test_refuses_deep_settings() -> None:
    """At some depth the parser still gets through, and what comes after it does not."""
    for depth in (6, *range(700, 1000)):
        deep = "[" * depth + "]" * depth
        with pytest.raises(SpecError):
            Architecture.from_json(GOLDEN_JSON.replace('"depth":8', f'"depth":{deep}'))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
paths = st.sampled_from(
    [
        "schema_version",
        "new",
        *(f"space{rest}" for rest in ("", "/name", "/new", "/settings", "/settings/depth", "/settings/new")),
        *(f"choices{rest}" for rest in ("", "/0", "/1/point", "/1/op", "/1/r", "/1/options/scale", "/1/options")),
    ]
)
texts = (
    st.text(max_size=40)
    | json_values.map(json.dumps)
    | st.builds(changed, paths, json_values).map(json.dumps)
    | st.builds(lambda cut, text: GOLDEN_JSON[:cut] + text, st.integers(0, 250), st.text(max_size=3))
)


@settings(max_examples=300, deadline=None)
@given(texts)
def test_whatever_the_text_it_is_an_architecture_or_a_spec_error(text: str) -> None:
    try:
        architecture = Architecture.from_json(text)
    except SpecError:
        return
    again = Architecture.from_json(architecture.to_json())
    assert again == architecture
    assert again.id == architecture.id
    assert hash(again) == hash(architecture)
