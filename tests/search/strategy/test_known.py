"""A number for each of very many things."""

from __future__ import annotations

import numpy as np
import pytest

from search.strategy import known
from search.strategy.known import Known


@pytest.mark.parametrize("waiting", [0, 7, 10_000])
def test_it_knows_what_a_dictionary_knows(waiting: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "WAITING", waiting)
    rng, mine, expected = np.random.default_rng(0), Known(), {}
    for value in range(2_000):
        name = f"{int(rng.integers(700)):04x}"
        mine[name] = expected[name] = value
        other = f"{int(rng.integers(1_000)):04x}"
        assert mine.get(other) == expected.get(other)
        assert (other in mine) == (other in expected)
    assert len(mine) == len(expected)
    assert {name: mine.get(name) for name in expected} == expected


def test_bytes_of_codes_are_keys_and_zero_is_a_number() -> None:
    mine, codes = Known(), np.random.default_rng(1).integers(0, 9, size=(20_000, 30)).astype(np.int16)
    for code in codes:
        mine[code.tobytes()] = False
    assert all(code.tobytes() in mine for code in codes)
    assert mine.get(codes[0].tobytes()) == 0
    assert np.int16(9).tobytes() not in mine
    assert len(mine) == len(np.unique(codes, axis=0))


def test_a_thing_takes_sixteen_bytes() -> None:
    mine = Known()
    for number in range(50_000):
        mine[str(number)] = number
    assert len(mine._waiting) <= known.WAITING
    assert (mine._hashes.itemsize, mine._values.itemsize) == (8, 8)
    assert len(mine._hashes) + len(mine._waiting) == 50_000
