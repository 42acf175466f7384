"""Patterns that fit nothing are told."""

from __future__ import annotations

import pytest

from spaces.tracing.patterns import unmatched, within

POINTS = ("layer1.0.add", "layer2.0.add", "cat")
MODULES = ("layer1", "layer1.0", "layer2", "head", "head.fc")


@pytest.mark.parametrize(
    ("include", "exclude", "lost"),
    [
        (None, None, ()),
        (["layer1.*", "cat"], ["head", "layer2.0.add"], ()),
        (["layer3.*", "cat"], ["head.*"], ("layer3.*",)),
        (["head"], ["neck", "layer1.?"], ("head", "neck")),
        (["layer1"], None, ("layer1",)),
    ],
)
def test_unmatched(include: list[str] | None, exclude: list[str] | None, lost: tuple[str, ...]) -> None:
    told = unmatched(include, exclude, POINTS, MODULES)
    assert len(told) == len(lost)
    assert all(f"`{pattern}` names no" in line for pattern, line in zip(lost, told, strict=True))


def test_a_point_is_in_its_modules() -> None:
    assert within("layer1.0.add", ["layer1"])
    assert within("layer1.0.add", ["*.add"])
    assert not within("layer1.0.add", ["layer", "0"])
