"""Numbers by number."""

from __future__ import annotations

import numpy as np
import pytest

from search.study.dense import Dense


def test_it_is_what_a_dictionary_is() -> None:
    rng, mine, expected = np.random.default_rng(0), Dense(), {}
    for _ in range(2_000):
        key, value = int(rng.integers(300)), int(rng.integers(1 << 40))
        if rng.random() < 0.3:
            assert mine.pop(key, None) == expected.pop(key, None)
        else:
            mine[key] = expected[key] = value
        assert (mine.get(key), key in mine, len(mine)) == (expected.get(key), key in expected, len(expected))
    assert dict(mine) == expected
    assert list(mine) == sorted(expected)


@pytest.mark.parametrize("key", [-1, 1, 3, 4, "0"])
def test_what_is_not_there_is_an_error(key: int) -> None:
    mine = Dense()
    mine[3] = 0
    del mine[3]
    mine[0] = 0
    assert key not in mine
    with pytest.raises(KeyError):
        _ = mine[key]
    with pytest.raises(KeyError):
        del mine[key]
