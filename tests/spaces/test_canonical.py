"""One network, one id: an option that is written at its default changes nothing."""

import pytest

import spaces
from fusion_ops import FusionChoice
from fusion_ops.errors import SpecError
from spaces import Architecture

SPACE = spaces.create("resnet", depth=8, width=4)


def architecture(options: tuple[tuple[str, str], ...]) -> Architecture:
    return Architecture(SPACE.ref, tuple((point.name, FusionChoice("aff", 2, options)) for point in SPACE.points))


def test_default_options_do_not_change_the_id() -> None:
    plain, written = architecture(()), architecture((("scale", "inputs"), ("context", "both")))
    assert written == plain
    assert written.id == plain.id == SPACE.uniform("aff", 2).id
    assert written in SPACE.neighbors(SPACE.neighbors(plain)[0])
    assert architecture((("scale", "paper"),)).id != plain.id


def test_default_options_in_json_are_dropped() -> None:
    plain = architecture(())
    values = plain.to_dict()
    for choice in values["choices"]:
        choice["options"] = {"initial": "sum"}
    assert Architecture.from_dict(values) == plain


def test_an_option_is_given_once() -> None:
    with pytest.raises(SpecError, match="once"):
        architecture((("scale", "paper"), ("scale", "paper")))
