"""The line that a refusal names is the network's own, not one of what it calls."""

from __future__ import annotations

from traceback import FrameSummary

import pytest

from spaces.tracing.recording.refusals import line

NETWORK = "/env/lib/python3.11/site-packages/zoo/models/net.py"
LIBRARY = "/env/lib/python3.11/site-packages/einops/einops.py"
USER = "/home/me/net.py"
COMPILED = "numpy/random/mtrand.pyx"


def frame(filename: str, number: int, name: str) -> FrameSummary:
    return FrameSummary(filename, number, name, lookup_line=False, line="x = y")


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([(USER, 1, "forward"), (USER, 2, "split"), (COMPILED, 9, "binomial")], 2),
        ([(USER, 1, "forward"), (LIBRARY, 9, "rearrange"), (LIBRARY, 8, "_shape")], 1),
        ([(NETWORK, 1, "forward"), (NETWORK, 2, "split"), (LIBRARY, 9, "rearrange")], 2),
        ([(NETWORK, 1, "forward"), (USER, 2, "hook"), (LIBRARY, 9, "rearrange")], 2),
        ([(LIBRARY, 1, "rearrange"), (COMPILED, 9, "binomial")], 1),
    ],
)
def test_the_innermost_line_of_the_networks_own_code(frames: list[tuple[str, int, str]], expected: int) -> None:
    file = next(filename for filename, number, _ in frames if number == expected)
    told = line([frame(*one) for one in frames])
    assert told == f", {file.rpartition('/')[2]}, line {expected} (`x = y`)"


def test_nothing_is_said_where_there_is_no_line() -> None:
    assert line([frame(COMPILED, 9, "binomial")]) == ""
