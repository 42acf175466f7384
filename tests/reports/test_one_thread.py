"""Statistics keep to one thread, and give back what was there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
import scipy.linalg  # noqa: F401 - whose library is to be held, too
from threadpoolctl import threadpool_info, threadpool_limits

from reports.checks import leave_one_out
from reports.marginal import cells, recipes, shares
from reports.one_thread import one_thread


def blas() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_libraries_are_held_and_given_back() -> None:
    with threadpool_limits(2, user_api="blas"):
        before = blas()
        with one_thread():
            assert set(blas()) == {1}
        assert blas() == before
        with pytest.raises(ZeroDivisionError), one_thread():
            _ = 1 / 0
        assert blas() == before


def test_threads_that_leave_in_the_order_in_which_they_came_give_back_what_was_there() -> None:
    first, second = ExitStack(), ExitStack()
    with threadpool_limits(2, user_api="blas"):
        before = blas()
        for one in (first, second):
            one.enter_context(one_thread())
        first.close()
        assert set(blas()) == {1}
        second.close()
        assert blas() == before


def known() -> cells.Effects:
    chosen = [[("aff" if number % 2 else "sum", None)] for number in range(16)]
    return cells.effects_of(["a"], chosen, np.random.default_rng(0).normal(size=16))


@pytest.mark.parametrize(
    ("module", "inner", "call"),
    [
        (cells, "make_design", lambda: cells.effects_of(["a"], [], [])),
        (recipes, "_problem", lambda: recipes.recipes_of([], np.zeros((0, 0)), [], np.zeros(0))),
        (leave_one_out, "make_design", lambda: leave_one_out.predicted([], np.zeros(0))),
        (shares, "_drawn", lambda: shares.importance_of(known())),
    ],
)
def test_what_takes_long_is_held(
    module: Any, inner: str, call: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class SeenError(Exception):
        pass

    def seen(*args: Any) -> Any:
        assert set(blas()) == {1}
        raise SeenError

    monkeypatch.setattr(module, inner, seen)
    with threadpool_limits(2, user_api="blas"), pytest.raises(SeenError):
        call()
