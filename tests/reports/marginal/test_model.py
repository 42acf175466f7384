"""The model beside naive references, with matrices of all candidates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import f as f_distribution

from reports.marginal.adjusted import Adjusted, adjusted_ratios, adjusted_row, p_of, searched_row
from reports.marginal.cells import holm
from reports.marginal.design import Design, Row, make_design
from reports.marginal.shrinkage import CELLS, best_common, evidence, fit, fit_with, left_out, sums
from tests.reports.marginal.drawn import NAMES, drawn


@pytest.fixture(scope="module")
def design() -> Design:
    return make_design(NAMES[:4], drawn(np.random.default_rng(3), 30, 4))


@pytest.fixture(scope="module")
def gain() -> np.ndarray:
    return np.random.default_rng(4).normal(90, 1, 30)


@pytest.fixture(scope="module")
def ratios(design: Design) -> np.ndarray:
    return np.random.default_rng(5).uniform(0.1, 2, len(design.group))


def covariance(columns: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    return np.eye(len(columns)) + columns @ np.diag(ratios**2) @ columns.T


def test_columns_are_what_was_chosen() -> None:
    rows = [[("a", 2), ("b", None)], [("a", 4), ("a", 4)], [("b", None), ("a", 2)], [("a", 4), ("b", None)]]
    found = make_design(["x", "y"], rows)
    assert found.operators == ("a", "b")
    assert [row.cells for row in found.rows] == [(0, 1), (2, 3)]
    counts = np.array([[1, 0, 0, 1], [1, 0, 1, 0], [0, 1, 1, 0], [1, 0, 0, 1]], float)
    assert found.columns[:, :4] == pytest.approx(counts - counts.mean(axis=0))
    assert found.columns[:, found.by_operator[0]] == pytest.approx(np.array([1, 2, 1, 1]) - 1.25)
    # r=2 of a, less half of all a: 1 - 1/2, 0 - 2/2, 1 - 1/2, 0 - 1/2
    two, four = (found.columns[:, found.by_ratio[0, r]] for r in (2, 4))
    assert two == pytest.approx(np.array([0.5, -1, 0.5, -0.5]) + 0.125)
    assert two + four == pytest.approx(np.zeros(4))


def test_points_with_the_same_operators_are_one_row_and_count_once() -> None:
    rows = [
        [("a", 2), ("a", 4), ("s", None)],
        [("b", None), ("b", None), ("s", None)],
        [("a", 4), ("a", 4), ("s", None)],
    ]
    found = make_design(["x", "y", "z"], rows)
    assert [row.points for row in found.rows] == [(0, 1), (2,)]
    assert found.columns[:, found.by_operator[0]] == pytest.approx(np.array([1, 0, 1]) - 2 / 3)
    assert found.columns[:, found.by_ratio[0, 2]] == pytest.approx(np.array([0, 0, -0.5]) + 1 / 6)
    alone = make_design(["x", "y"], [[("a", None), ("a", None)]] * 2)
    assert [row.points for row in alone.rows] == [(0,), (1,)]


def test_evidence_is_that_of_the_full_covariance(design: Design, gain: np.ndarray, ratios: np.ndarray) -> None:
    centred = gain - gain.mean()

    def full(one: np.ndarray) -> float:
        matrix = covariance(design.columns, one)
        return -0.5 * np.linalg.slogdet(matrix)[1] - 0.5 * 29 * np.log(centred @ np.linalg.solve(matrix, centred))

    known = sums(design, gain)
    assert evidence(known, ratios) - evidence(known, ratios / 3) == pytest.approx(full(ratios) - full(ratios / 3))
    cells = design.group == 0
    best = best_common(known, ratios, cells)
    assert len(set(best[cells])) == 1
    assert best[~cells] == pytest.approx(ratios[~cells])
    assert all(full(best) >= full(np.where(cells, one, ratios)) for one in (0.02, 0.15, 0.3, 0.6, 1.2, 2.4, 5.0))


def test_candidates_left_out_are_predicted_by_all_others(design: Design, gain: np.ndarray, ratios: np.ndarray) -> None:
    errors, plain = [], []
    for left in range(30):
        rest = np.arange(30) != left
        inside, values = design.columns[rest], gain[rest] - gain[rest].mean()
        middle = inside.mean(axis=0)
        matrix = covariance(inside - middle, ratios)
        weights = ratios**2 * ((inside - middle).T @ np.linalg.solve(matrix, values))
        errors.append(gain[left] - gain[rest].mean() - (design.columns[left] - middle) @ weights)
        plain.append(gain[left] - gain[rest].mean())
    assert fit_with(design, gain, ratios).explained == pytest.approx(
        1 - np.square(errors).sum() / np.square(plain).sum()
    )
    assert fit(design, gain).explained < 0.2


def test_what_is_left_for_a_row_is_generalised_least_squares(
    design: Design, gain: np.ndarray, ratios: np.ndarray
) -> None:
    row = design.rows[1]
    found = adjusted_row(design, sums(design, gain), ratios, row)
    kept, others = apart(design, row)
    check(found, design.columns[:, list(row.cells)], covariance(others, ratios[kept]), gain)


def test_p_of_a_row_compares_what_is_most_likely_with_it_and_without(
    design: Design, gain: np.ndarray, ratios: np.ndarray
) -> None:
    row, cells = design.rows[1], design.group == 0
    gain = gain + 3 * design.columns[:, row.cells[2]]
    kept, others = apart(design, row)
    centred, inside = gain - gain.mean(), design.columns[:, list(row.cells)]
    none, alone = [], []
    for one in CELLS:
        root = np.linalg.inv(np.linalg.cholesky(covariance(others, np.where(cells, one, ratios)[kept])))
        white, values, volume = root @ inside, root @ centred, np.linalg.slogdet(root)[1]
        left = [values @ values - (column @ values) ** 2 / (column @ column) for column in white.T]
        none.append(volume - 14.5 * np.log(values @ values))
        alone.append(volume - 14.5 * np.log(left))
    # They are the most likely with different ratios of the others.
    assert np.argmax(none) > np.argmax(np.max(alone, axis=1))
    ratio = np.exp((np.max(alone) - max(none)) / 14.5)
    expected = 2 * len(row.cells) * f_distribution.sf(28 * (ratio - 1), 1, 28)
    assert p_of(searched_row(design, sums(design, gain), ratios, row, cells)) == pytest.approx(expected)


def apart(design: Design, row: Row) -> tuple[list[int], np.ndarray]:
    """The columns beside those of a row, where the operators at the row do not count."""
    others = design.columns.copy()
    for code, cell in zip(row.operators, row.cells, strict=True):
        others[:, design.by_operator[code]] -= others[:, cell]
    kept = [column for column in range(others.shape[1]) if column not in row.cells]
    return kept, others[:, kept]


def test_what_is_left_for_an_r_is_generalised_least_squares(
    design: Design, gain: np.ndarray, ratios: np.ndarray
) -> None:
    tested = [column for (code, _), column in design.by_ratio.items() if code == 0]
    kept = [column for column in range(len(ratios)) if column not in tested]
    found = adjusted_ratios(design, sums(design, gain), ratios, 0)
    check(found, design.columns[:, tested], covariance(design.columns[:, kept], ratios[kept]), gain)


def check(found: Adjusted, columns: np.ndarray, matrix: np.ndarray, gain: np.ndarray) -> None:
    """Compare with least squares of whitened values: effects, their covariance, the noise, an F test."""
    root = np.linalg.inv(np.linalg.cholesky(matrix))
    white, values = root @ columns, root @ (gain - gain.mean())
    weights, _, rank, _ = np.linalg.lstsq(white, values, rcond=1e-9)
    centring = np.eye(len(weights)) - 1 / len(weights)
    left = ((values - white @ weights) ** 2).sum() / (29 - rank)
    effects, spread = found.free()
    assert effects == pytest.approx(centring @ weights)
    assert spread == pytest.approx(centring @ np.linalg.pinv(white.T @ white, rcond=1e-9) @ centring)
    assert found.noise == pytest.approx(left)
    whole = values @ values
    together = f_test(whole, left * (29 - rank), rank)
    alone = [f_test(whole, whole - (column @ values) ** 2 / (column @ column), 1) for column in white.T]
    assert p_of([found]) == pytest.approx(min(1, 2 * together, 2 * len(alone) * min(alone)))


def f_test(whole: float, left: float, rank: int) -> float:
    return float(f_distribution.sf((whole - left) / rank / (left / (29 - rank)), rank, 29 - rank))


def test_p_values_hold_all_together() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_leaving_out_is_what_it_says() -> None:
    rng = np.random.default_rng(1)
    chosen = [[(str(rng.choice(["a", "b", "c"])), None) for _ in range(3)] for _ in range(16)]
    gain = np.array([sum(op == "b" for op, _ in one) for one in chosen]) + rng.normal(0, 0.5, 16)
    design = make_design(["p", "q", "r"], chosen)
    fitted = fit(design, gain)
    mean, deviation = left_out(design, gain, fitted)
    rest = np.arange(1, 16)
    # Generalized least squares of a constant, then kriging: the textbook's way, one value truly left out.
    covariance = (design.columns * fitted.ratios**2) @ design.columns.T + np.eye(16)
    inverse = np.linalg.inv(covariance[np.ix_(rest, rest)])
    ones = np.ones(15)
    level = ones @ inverse @ gain[rest] / (ones @ inverse @ ones)
    across = covariance[0, rest]
    lack = 1 - across @ inverse @ ones
    variance = covariance[0, 0] - across @ inverse @ across + lack**2 / (ones @ inverse @ ones)
    assert mean[0] == pytest.approx(level + across @ inverse @ (gain[rest] - level))
    assert deviation[0] == pytest.approx(np.sqrt(fitted.noise * variance))
