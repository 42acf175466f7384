import itertools
import math

import pytest

from fusion_ops.errors import UnknownNameError
from search.training.schedule import SCHEDULES, learning_rate


def rates(steps: int, schedule: str, warmup: float = 0.25, peak: float = 0.4) -> list[float]:
    return [learning_rate(step, steps, peak=peak, schedule=schedule, warmup=warmup) for step in range(steps)]


@pytest.mark.parametrize("schedule", ["one_cycle", "triangular"])
@pytest.mark.parametrize("steps", [2, 3, 9, 101])
@pytest.mark.parametrize("warmup", [0.0, 0.25, 0.9])
def test_it_rises_to_the_peak_and_falls_to_nearly_nothing(schedule, steps, warmup):
    values = rates(steps, schedule, warmup)
    top = values.index(max(values))
    assert top == pytest.approx(warmup * (steps - 1), abs=1)
    assert all(a < b for a, b in itertools.pairwise(values[: top + 1]))
    assert all(a > b for a, b in itertools.pairwise(values[top:]))
    assert values[-1] == pytest.approx(0.4 / 10_000)
    assert 0 < max(values) <= 0.4


def test_every_schedule_is_tested():
    assert set(SCHEDULES.names()) == {"one_cycle", "triangular", "step"}


def test_step_falls_to_a_tenth_twice():
    values = rates(401, "step", warmup=0.01, peak=0.2)
    assert values[0] == pytest.approx(0.2 / 25)
    assert values[2] == pytest.approx(0.2 * (1 + 1 / 25) / 2)
    assert values[4:300] == [0.2] * 296
    assert values[300:350] == pytest.approx([0.02] * 50)
    assert values[350:] == pytest.approx([0.002] * 51)


def test_triangular_is_straight():
    values = rates(9, "triangular")
    assert values[2] == 0.4
    assert values[:3] == pytest.approx([0.016, 0.208, 0.4])
    assert values[2:] == pytest.approx([0.4 - (0.4 - 0.00004) * k / 6 for k in range(7)])


def test_one_cycle_is_a_cosine():
    values = rates(9, "one_cycle")
    assert values[1] == pytest.approx(0.016 + (0.4 - 0.016) / 2)
    expected = [0.00004 + (0.4 - 0.00004) * (1 + math.cos(math.pi * k / 6)) / 2 for k in range(7)]
    assert values[2:] == pytest.approx(expected)


def test_one_step_has_the_peak():
    assert rates(1, "one_cycle") == [0.4]


def test_an_unknown_schedule_is_named():
    with pytest.raises(UnknownNameError, match="unknown schedule `cosine`"):
        learning_rate(0, 9, peak=1.0, schedule="cosine", warmup=0.25)
