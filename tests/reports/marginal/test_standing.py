"""What stands out of effects, beside naive references with matrices of all candidates."""

from __future__ import annotations

import numpy as np
import pytest

from reports.marginal import effects_of
from reports.marginal.adjusted import adjusted_row
from reports.marginal.design import make_design
from reports.marginal.judged import judge
from reports.marginal.shrinkage import sums
from reports.marginal.standing import _OUT, Standing, standing
from tests.reports.marginal.drawn import KINDS, NAMES, drawn, with_operator

SIZE, SCALE = 30, 0.1
COMMONS = (0.02, 0.3, 2.4)


class Naive:
    """Evidence and effects of a row of 30 candidates, by the covariance of all candidates."""

    def __init__(self) -> None:
        rng = np.random.default_rng(6)
        self.design = make_design(NAMES[:3], drawn(rng, SIZE, 3))
        self.row = self.design.rows[1]
        self.cells = list(self.row.cells)
        self.gain = 2 * self.design.columns[:, self.cells[3]] + rng.normal(0, 0.7, SIZE)
        # The operators at the row do not count for what they do everywhere.
        self.columns = self.design.columns.copy()
        for code, cell in zip(self.row.operators, self.cells, strict=True):
            self.columns[:, self.design.by_operator[code]] -= self.columns[:, cell]

    def ratios(self, common: float, own: np.ndarray) -> np.ndarray:
        out = np.where(self.design.group == 0, common, 0.2)
        out[self.cells] = own
        return out

    def standing(self) -> Standing:
        known = sums(self.design, self.gain)
        apart = {c: adjusted_row(self.design, known, self.ratios(c, np.ones(5)), self.row) for c in COMMONS}
        return standing(apart, SCALE)

    def known(self, common: float, own: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Log evidence; mean and variance of the row's effects against their mean."""
        prior = np.diag(self.ratios(common, own) ** 2)
        matrix = np.eye(SIZE) + self.columns @ prior @ self.columns.T
        gain = self.gain - self.gain.mean()
        left = gain @ np.linalg.solve(matrix, gain)
        weigh = prior @ self.columns.T @ np.linalg.inv(matrix)
        spread = left / (SIZE - 1) * (prior - weigh @ self.columns @ prior)
        centring = np.eye(5) - 1 / 5
        log = -0.5 * np.linalg.slogdet(matrix)[1] - 0.5 * (SIZE - 1) * np.log(left)
        mine = np.ix_(self.cells, self.cells)
        return log, centring @ (weigh @ gain)[self.cells], np.diag(centring @ spread[mine] @ centring)

    def cases(self) -> list[tuple[float, float, np.ndarray]]:
        """How likely each case is beforehand, the common ratio, and the row's ratios."""
        out = []
        for common in COMMONS:
            out.append((1 / 2, common, np.full(5, common)))
            for extra in _OUT:
                out.append((1 / 4 / len(_OUT), common, np.full(5, np.hypot(common, extra))))
                out.extend((1 / 20 / len(_OUT), common, np.hypot(common, extra * one)) for one in np.eye(5))
        return out


@pytest.fixture(scope="module")
def naive() -> Naive:
    return Naive()


def test_evidence_is_that_of_the_full_covariance(naive: Naive) -> None:
    found, (none, *_) = naive.standing(), [naive.known(c, np.full(5, c))[0] for c in COMMONS]
    prior = [np.log(c / (1 + (c / SCALE) ** 2)) for c in COMMONS]
    for at, common in enumerate(COMMONS):
        expected = naive.known(common, np.full(5, common))[0] - none + prior[at] - prior[0]
        assert found.nothing[at] - found.nothing[0] == pytest.approx(expected)
        for place, extra in enumerate(_OUT):
            every = naive.known(common, np.full(5, np.hypot(common, extra)))[0] - none + prior[at] - prior[0]
            assert found.every[at, place] - found.nothing[0] == pytest.approx(every)
            for one in range(5):
                own = np.hypot(common, extra * np.eye(5)[one])
                alone = naive.known(common, own)[0] - none + prior[at] - prior[0]
                assert found.alone[at, place, one] - found.nothing[0] == pytest.approx(alone)
    common, own = found.likeliest()
    logs = [(naive.known(c, ratios)[0] + prior[COMMONS.index(c)], c, ratios) for _, c, ratios in naive.cases()]
    best = max(logs, key=lambda case: case[0])
    assert (common, own.tolist()) == (best[1], pytest.approx(best[2].tolist()))


def test_effects_are_the_average_over_all_that_may_stand_out(naive: Naive) -> None:
    # Where the common ratio is next to nothing, no effects are taken.
    cases = [case for case in naive.cases() if case[1] > 0.1]
    logs, means, variances = zip(*(naive.known(common, own) for _, common, own in cases), strict=True)
    shares = np.array([weight for weight, _, _ in cases]) * np.exp(np.array(logs) - max(logs))
    shares /= shares.sum()
    mean = shares @ np.array(means)
    variance = shares @ (np.array(variances) + (np.array(means) - mean) ** 2)
    found = naive.standing().posterior()
    assert found.effects == pytest.approx(mean)
    assert found.spread == pytest.approx(np.sqrt(variance))


def test_several_points_that_matter_as_much_are_all_found() -> None:
    """None of them does so in another's place."""
    found = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        rows = drawn(rng, 60)
        gain = sum(1.2 * with_operator(rows, at, "aff") for at in range(3)) + rng.normal(0, 0.5, 60)
        sure = [line.name for line in effects_of(NAMES, rows, gain).points if line.evidence]
        assert set(sure) <= {"p0", "p1", "p2"}
        found += len(sure)
    assert found >= 17


def test_what_most_candidates_have_is_found() -> None:
    """Each new candidate has two points of one of the best changed, as a search does."""
    found, wrong = 0, 0
    for seed in range(20):
        rng = np.random.default_rng([seed, 2])
        rows, point, operator = drawn(rng, 12), int(rng.integers(8)), list(KINDS)[int(rng.integers(5))]
        gain = list(1.75 * with_operator(rows, point, operator) + rng.normal(0, 0.45, 12))
        while len(rows) < 60:
            row = list(rows[rng.choice(np.argsort(gain)[-5:])])
            for at in rng.choice(8, 2, replace=False):
                name = list(KINDS)[rng.integers(5)]
                row[at] = (name, KINDS[name][0])
            rows.append(row)
            gain.append(1.75 * with_operator([row], point, operator)[0] + rng.normal(0, 0.45))
        sure = [line for line in effects_of(NAMES, rows, gain).points if line.evidence]
        best = [max(line.cells.values(), key=lambda cell: cell.effect or 0.0) for line in sure]
        right = [line.name == f"p{point}" for line in sure]
        found += any(r and one.label == operator and one.evidence for r, one in zip(right, best, strict=True))
        wrong += not all(right)
    assert found >= 18
    assert wrong <= 1


@pytest.mark.parametrize(("apart", "value", "sure"), [(1, 1.2, []), (1, 2.0, ["y"]), (1, 0.0, ["x"]), (2, 0.0, [])])
def test_points_that_changed_together_may_stand_in_for_each_other(apart: int, value: float, sure: list[str]) -> None:
    """`x` has `a`, worth 2.0, or `y` has: one or two candidates tell."""
    rng = np.random.default_rng(3)
    places = rng.integers(3, size=(60, 4))
    places[:, 1] = places[:, 0]
    places[:apart, 1] = (places[:apart, 0] + 1) % 3
    rows = [[("abc"[place], None) for place in row] for row in places]
    gain = 2.0 * (places[:, 0] == 0) + rng.normal(0, 0.6, 60)
    gain[:apart] = value
    assert [places[at, :2].tolist() for at in range(apart)] == [[2, 0], [0, 1]][:apart]
    found = effects_of(["x", "y", "z", "w"], rows, gain).points
    assert [line.name for line in found if line.evidence] == sure
    assert max(judge(make_design(["x"], [row[:1] for row in rows]), gain).p.values()) < 1e-6
