"""Plain words for architectures and differences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_ops import FusionChoice
from reports.measures import MEASURES
from reports.phrases import describe, duration, gain_range, gained, ratio, signed_points, signed_range, uniform_operator
from spaces import Architecture, SpaceRef

SUM, AFF, AFF8, IAFF = FusionChoice("sum"), FusionChoice("aff", 4), FusionChoice("aff", 8), FusionChoice("iaff", 8)


def architecture(*choices: FusionChoice) -> Architecture:
    return Architecture(SpaceRef("resnet"), tuple((f"p{index}", choice) for index, choice in enumerate(choices)))


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ([SUM] * 4, "`sum` everywhere"),
        ([AFF] * 3, "`aff r=4` everywhere"),
        ([SUM, SUM, SUM, IAFF], "`iaff r=8` at the deepest point, `sum` elsewhere"),
        ([SUM, SUM, SUM, IAFF, IAFF], "`iaff r=8` at the 2 deepest points, `sum` elsewhere"),
        ([AFF, SUM, SUM], "`aff r=4` at the first point, `sum` elsewhere"),
        ([AFF, AFF, SUM, SUM, SUM], "`aff r=4` at the first 2 points, `sum` elsewhere"),
        ([SUM, AFF, SUM, SUM], "`aff r=4` at `p1`, `sum` elsewhere"),
        ([SUM, AFF, SUM, AFF, SUM], "`aff r=4` at `p1` and `p3`, `sum` elsewhere"),
        ([AFF, SUM, AFF, SUM, AFF, SUM, SUM], "`aff r=4` at 3 of 7 points, `sum` elsewhere"),
        ([SUM, AFF], "`aff r=4` at the deepest point, `sum` elsewhere"),
        ([SUM, AFF, IAFF, AFF8], "a mix of 2 × `aff`, 1 × `sum` and 1 × `iaff`"),
        ([AFF, AFF8, FusionChoice("aff", 2)], "`aff` everywhere, with different settings"),
    ],
)
def test_architectures_in_words(choices: list[FusionChoice], words: str) -> None:
    assert describe(architecture(*choices)) == words


def test_uniform_means_one_operator_whatever_its_settings() -> None:
    assert uniform_operator(architecture(AFF, AFF8)) == "aff"
    assert uniform_operator(architecture(AFF, SUM)) is None


@pytest.mark.parametrize(
    ("name", "value", "base", "words"),
    [
        ("flops", 88, 100, "12 % fewer FLOPs"),
        ("flops", 107, 100, "7 % more FLOPs"),
        ("params", 180, 100, "1.8 × the parameters"),
        ("params", 100, 100, "the same parameters"),
        ("params", 10_001, 10_000, "about the same parameters"),
        ("latency", 50, 100, "50 % less latency"),
        ("params", 1200, 0, "1.20 k parameters"),
    ],
)
def test_costs_compared(name: str, value: float, base: float, words: str) -> None:
    assert ratio(MEASURES[name], value, base) == words


@pytest.mark.parametrize(
    ("name", "difference", "words"),
    [
        ("accuracy", 0.0062, "+0.62 points"),
        ("accuracy", -0.0062, "−0.62 points"),
        ("accuracy", -1e-9, "0.00 points"),
        ("loss", 0.0131, "+0.0131"),
        ("loss", 0.00012345, "+0.000123"),
        ("loss", -1.25e-11, "−1.25e-11"),
        ("loss", 12345.6, "+12,346"),
        ("loss", 0.0, "0"),
    ],
)
def test_differences(name: str, difference: float, words: str) -> None:
    assert signed_points(MEASURES[name], difference) == words


def test_intervals() -> None:
    assert signed_range(MEASURES["accuracy"], (-0.0029, 0.0153)) == "−0.29 to +1.53 points"
    assert signed_range(MEASURES["loss"], (-0.1, 0.2)) == "−0.100 to +0.200"
    assert signed_range(MEASURES["loss"], (-0.000012, 0.0153)) == "0.0000 to +0.0153"
    assert signed_range(MEASURES["loss"], (0.00012, 0.00034), (0.0153,)) == "+0.0001 to +0.0003"


@pytest.mark.parametrize(
    ("name", "gain", "bounds", "words", "interval"),
    [
        ("accuracy", 0.0062, (-0.0029, 0.0153), "+0.62 points", "−0.29 to +1.53 points"),
        ("r2", 0.12, (0.02, 0.22), "+0.120", "+0.020 to +0.220"),
        ("mae", 0.12, (0.02, 0.22), "0.120 lower", "0.020 to 0.220 lower"),
        ("mae", -0.12, (-0.22, -0.02), "0.120 higher", "0.020 to 0.220 higher"),
        ("mae", 0.12, (-0.05, 0.29), "0.120 lower", "0.050 higher to 0.290 lower"),
        ("mae", 1200.0, (-1000.0, 3400.0), "1,200 lower", "1,000 higher to 3,400 lower"),
        ("loss", 0.0, (0.0, 0.0), "0", "0 to 0"),
    ],
)
def test_gains_in_what_is_to_be_low_say_so(
    name: str, gain: float, bounds: tuple[float, float], words: str, interval: str
) -> None:
    assert gained(MEASURES[name], gain) == words
    assert gain_range(MEASURES[name], bounds) == interval


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (4.24, "4.2 s"),
        (9.96, "10 s"),
        (45.2, "45 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (119.6, "2 min 00 s"),
        (185, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7199, "2 h 00 min"),
        (7805, "2 h 10 min"),
        (93_600, "26 h 00 min"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


UNITS = {"s": 1, "min": 60, "h": 3600}


@given(st.one_of(st.floats(0, 200), st.floats(0, 1e6), st.integers(1, 10_000).map(lambda n: 60 * n - 0.4)))
def test_durations_are_right_to_half_of_what_they_show(seconds: float) -> None:
    words = duration(seconds).split()
    shown = dict(zip(words[1::2], map(float, words[::2]), strict=True))
    assert all(value < 60 for unit, value in shown.items() if unit != "h")
    least = 0.1 if words[0].count(".") else UNITS[words[-1]]
    assert abs(sum(UNITS[unit] * value for unit, value in shown.items()) - seconds) <= least / 2 + 1e-9
