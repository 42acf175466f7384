"""Effects and importance: planted truths, nulls, independent references, and tables that say little."""

from __future__ import annotations

import warnings

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from scipy.stats import bootstrap

import reports
import spaces
from fusion_ops.errors import DataError, SpecError, UnknownNameError
from reports.marginal import effects_of, importance_of
from reports.marginal.shares import _drawn
from tests.reports.marginal.drawn import KINDS, NAMES, drawn, with_operator

SEEDS = 20
COUNT = 60


def test_what_was_planted_is_found() -> None:
    """In 20 studies of 60 candidates, with an effect of 1.75 points and noise of 0.5."""
    found = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        rows, point, operator = drawn(rng, COUNT), int(rng.integers(8)), list(KINDS)[int(rng.integers(5))]
        small = sum(with_operator(rows, at, op) * rng.normal(0, 0.1) for at in range(8) for op in KINDS)
        gain = 90 + small + 1.75 * with_operator(rows, point, operator) + rng.normal(0, 0.5, COUNT)
        effects = effects_of(NAMES, rows, gain)
        importance = importance_of(effects)
        assert importance is not None
        first = importance.points[0]
        cells = effects.points[point].cells
        best = max(cells.values(), key=lambda cell: cell.effect or 0)
        found.append((first.name, best.label) == (f"p{point}", operator) and first.evidence and best.evidence)
        total = sum(share.value for share in importance.points) + importance.rest.value
        assert total + (importance.ratios.value if importance.ratios else 0) == pytest.approx(1)
    assert sum(found) >= 19


def test_nothing_is_called_nothing() -> None:
    calm = []
    for seed in range(SEEDS):
        rng = np.random.default_rng([seed, 1])
        rows = drawn(rng, COUNT)
        effects = effects_of(NAMES, rows, 90 + rng.normal(0, 0.5, COUNT))
        lines = (*effects.points, *effects.ratios)
        assert not any(cell.evidence for line in lines if not line.evidence for cell in line.cells.values())
        calm.append(not any(line.evidence for line in lines))
    assert sum(calm) >= 19


def test_effects_are_corrected_for_what_else_candidates_had() -> None:
    """`a` helps at the first point; the second one has it, too, nearly always, and does nothing."""
    rng = np.random.default_rng(0)
    first = rng.integers(2, size=200)
    second = np.where(rng.random(200) < 0.85, first, 1 - first)
    rows = [[("ab"[one], None), ("ab"[other], None)] for one, other in zip(first, second, strict=True)]
    values = 90 - 2 * first + rng.normal(0, 0.5, 200)
    found = effects_of(["x", "y"], rows, values)
    x, y = (line.cells["a"] for line in found.points)
    assert y.mean - found.points[1].cells["b"].mean > 1
    assert (x.effect, y.effect) == (pytest.approx(1, abs=0.15), pytest.approx(0, abs=0.15))
    assert x.evidence
    assert not y.evidence
    assert x.n == int((first == 0).sum())
    assert x.mean == pytest.approx(values[first == 0].mean())


def test_points_that_always_changed_together_are_not_told_apart() -> None:
    rng = np.random.default_rng(1)
    rows = [[(op, None), (op, None), (other, None)] for op, other in rng.choice(["sum", "aff"], (40, 2))]
    renamed = [[*row, ({"sum": "sk", "aff": "iaff"}[row[0][0]], None)] for row in rows]
    found = effects_of(["x", "y", "z", "w"], renamed, with_operator(rows, 0, "aff") * 3 + rng.normal(0, 0.1, 40))
    assert [line.names for line in found.points] == [("x", "y"), ("z",), ("w",)]
    assert found.alike == (("x, y", "w", pytest.approx(1)),)
    # Either may have done it.
    assert not found.points[0].evidence
    assert not found.points[2].evidence


def test_r_has_effects_of_its_own() -> None:
    rng = np.random.default_rng(2)
    rows = drawn(rng, 150)
    good = np.array([sum(choice == ("aff", 8) for choice in row) for row in rows])
    found = effects_of(NAMES, rows, 90 + 0.6 * good + rng.normal(0, 0.5, 150))
    by_name = {line.name: line for line in found.ratios}
    assert list(by_name) == ["aff", "iaff", "sk"]
    assert [line.evidence for line in found.ratios] == [True, False, False]
    cells = by_name["aff"].cells
    assert [cells[r].effect for r in "248"] == pytest.approx([-0.2, -0.2, 0.4], abs=0.12)
    assert cells["8"].evidence
    assert cells["8"].n == sum(("aff", 8) in row for row in rows)


def test_what_else_differs_is_taken_out() -> None:
    rng = np.random.default_rng(3)
    rate = rng.normal(size=80)
    rows = [
        [("aff" if one > 0 else "sum", None), (op, None)]
        for one, op in zip(rate, rng.choice(["a", "b"], 80), strict=True)
    ]
    gain = 3 * rate + rng.normal(0, 0.3, 80)
    plain, taken = (effects_of(["x", "y"], rows, gain, beside=beside) for beside in (None, rate[:, None]))
    assert plain.points[0].evidence
    assert not taken.points[0].evidence


def test_intervals_are_those_of_scipy_where_least_squares_is_enough() -> None:
    rng = np.random.default_rng(5)
    codes = rng.integers(3, size=(400, 3))
    effects = rng.normal(0, 0.5, (3, 3))
    gain = effects[range(3), codes].sum(axis=1) + rng.normal(0, 0.5, 400)

    def share(picks: np.ndarray) -> float:
        columns = np.concatenate([(codes[picks][:, [at]] == [1, 2]).astype(float) for at in range(3)], axis=1)
        whole = np.c_[np.ones(len(picks)), columns]
        weights, *_ = np.linalg.lstsq(whole, gain[picks], rcond=None)
        variances = [np.var([0.0, *weights[1 + 2 * at : 3 + 2 * at]]) for at in range(3)]
        noise = ((gain[picks] - whole @ weights) ** 2).sum() / (len(picks) - 7)
        return float(variances[0] / (sum(variances) + noise))

    other = bootstrap(
        (np.arange(400),), share, vectorized=False, n_resamples=400, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    found = importance_of(effects_of(list("abc"), [[(str(code), None) for code in row] for row in codes], gain))
    assert found is not None
    ours = next(one for one in found.points if one.name == "a")
    assert ours.value == pytest.approx(share(np.arange(400)), abs=0.01)
    assert (ours.low, ours.high) == (pytest.approx(other.low, abs=0.03), pytest.approx(other.high, abs=0.03))


def test_shares_are_drawn_around_their_estimates() -> None:
    rng = np.random.default_rng(14)
    rows = drawn(rng, COUNT)
    effects = effects_of(NAMES, rows, 2 * with_operator(rows, 3, "aff") + rng.normal(0, 0.5, COUNT))
    assert effects.fitted is not None
    found = _drawn([effects.points[3]], [1.0], (effects.fitted.noise, COUNT), 20_000, 0)
    assert found[1:].mean(axis=0) == pytest.approx(found[0], rel=0.02)


def test_optuna_ranks_the_same_point_first_where_it_is_plain() -> None:
    rng = np.random.default_rng(6)
    rows = drawn(rng, 300, 4)
    gain = 2 * with_operator(rows, 2, "sk") + rng.normal(0, 0.3, 300)
    study = optuna.create_study(direction="maximize")
    kinds = optuna.distributions.CategoricalDistribution(list(KINDS))
    for row, value in zip(rows, gain, strict=True):
        params = {name: op for name, (op, _) in zip(NAMES, row, strict=False)}
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=dict.fromkeys(params, kinds), value=float(value))
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ranked = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    ours = importance_of(effects_of(NAMES[:4], rows, gain))
    assert ours is not None
    assert next(iter(ranked)) == ours.points[0].name == "p2"


@pytest.mark.parametrize(
    ("count", "says"), [(0, "there are none"), (1, "there is 1"), (2, "there are 2"), (3, "there are 3")]
)
def test_a_few_candidates_are_no_evidence(count: int, says: str) -> None:
    rows = drawn(np.random.default_rng(7), count)
    found = effects_of(NAMES, rows, np.arange(float(count)))
    assert says in found.problem
    assert importance_of(found) is None
    assert all(cell.effect is None for line in found.points for cell in line.cells.values())
    assert [line.names for line in found.points] == ([tuple(NAMES)] if count > 1 else [(name,) for name in NAMES])


def test_uniform_networks_alone_tell_no_points_apart() -> None:
    found = effects_of(NAMES, drawn(np.random.default_rng(8), 5), [1.0, 2.0, 3.0, 4.0, 9.0])
    assert [line.names for line in found.points] == [tuple(NAMES)]
    assert not found.points[0].evidence
    assert importance_of(found) is not None


@pytest.mark.parametrize("value", [0.9, 0.0])
def test_equal_qualities_say_nothing(value: float) -> None:
    found = effects_of(NAMES, drawn(np.random.default_rng(9), 20), np.full(20, value))
    assert found.problem == "All complete candidates have the same quality."
    same = effects_of(["x"], [[("sum", None)]] * 5, np.arange(5.0))
    assert same.problem == "All complete candidates have the same operators."


def test_the_same_candidates_say_the_same() -> None:
    rows = drawn(np.random.default_rng(10), 40)
    gain = np.random.default_rng(11).normal(size=40)
    assert importance_of(effects_of(NAMES, rows, gain)) == importance_of(effects_of(NAMES, rows, gain))


# Tables


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    space = spaces.create("resnet", depth=8, width=4)
    rng = np.random.default_rng(12)
    found = [space.sample(rng) for _ in range(60)]
    good = [one[space.points[1].name].op == "aff" for one in found]
    accuracy = 0.9 + 0.02 * np.array(good) + rng.normal(0, 0.003, 60)
    return pd.DataFrame({
        "number": range(60), "id": [one.id for one in found], "state": "complete", "kind": "search",
        "accuracy": accuracy, "loss": 1 - accuracy, "architecture": [one.to_json() for one in found],
    })  # fmt: skip


@pytest.mark.parametrize("quality", ["accuracy", "loss"])
def test_tables_of_any_quality(table: pd.DataFrame, quality: str) -> None:
    point = spaces.create("resnet", depth=8, width=4).points[1].name
    important = reports.importance(table, objectives=(quality, "params"))
    assert list(important.columns) == ["point", "importance", "low", "high", "evidence"]
    assert important.iloc[0]["point"] == point
    assert important["evidence"].tolist() == [True, False, False]
    effects = reports.effects(table, objectives=(quality,)).set_index(["point", "operator"])
    best = effects.loc[(point, "aff")]
    # More is better, whatever the quality.
    assert best["effect"] == pytest.approx(0.016, abs=0.004)
    assert best["evidence"]
    assert best["low"] < best["effect"] < best["high"]
    assert best["mean"] == pytest.approx(0.92 if quality == "accuracy" else 0.08, abs=0.002)
    ratios = reports.effects(table, of="r")
    assert list(ratios.columns[:2]) == ["operator", "r"]
    assert not ratios["evidence"].any()


def test_only_complete_candidates_with_a_number_count_each_once(table: pd.DataFrame) -> None:
    more = pd.concat([
        table, table.head(3), table.head(9).assign(id="x", state="pruned", accuracy=0.1),
        table.head(9).assign(id=list("abcdefghi"), accuracy=[np.nan, np.inf, -np.inf, *[None] * 6]),
        table.head(9).assign(id=list("ABCDEFGHI"), kind="control", accuracy=0.2),
    ])  # fmt: skip
    pd.testing.assert_frame_equal(reports.effects(more), reports.effects(table))


def test_what_was_drawn_to_compare_the_search_with_counts(table: pd.DataFrame) -> None:
    series = np.where(np.arange(60) < 40, "", np.where(np.arange(60) < 50, "random", "one_epoch"))
    compared = table.assign(series=series, kind=np.where(series == "", "search", "control"))
    pd.testing.assert_frame_equal(reports.effects(compared), reports.effects(table.head(50)))
    pd.testing.assert_frame_equal(reports.importance(compared), reports.importance(table.head(50)))


def test_columns_can_be_the_points(table: pd.DataFrame) -> None:
    rng = np.random.default_rng(13)
    plain = pd.DataFrame({"optimizer": rng.choice(["sgd", "adam"], 50), "depth": rng.choice([2, 3], 50)})
    plain["accuracy"] = 0.8 + 0.05 * (plain["optimizer"] == "adam") + rng.normal(0, 0.01, 50)
    found = reports.importance(plain, points=["optimizer", "depth"])
    assert found["point"].tolist() == ["optimizer", "depth"]
    assert found["evidence"].tolist() == [True, False]
    rate = table.assign(**{"train.lr": np.geomspace(0.01, 1, 60), "train.same": 3})
    assert len(reports.effects(rate, beside=["train.lr", "train.same"])) == len(reports.effects(table))


def test_tables_that_say_nothing(table: pd.DataFrame) -> None:
    assert reports.importance(table.head(0)).empty
    assert reports.effects(table.head(0)).empty
    assert reports.importance(table.assign(accuracy=0.5)).empty
    assert reports.effects(table.assign(accuracy=0.5))["effect"].isna().all()
    with pytest.raises(DataError, match="needs a column `accuracy`; it has number, id"):
        reports.effects(table.drop(columns="accuracy"))
    with pytest.raises(DataError, match="needs a column `depth`"):
        reports.importance(table, points=["depth"])
    with pytest.raises(UnknownNameError):
        reports.importance(table, objectives=("acuracy",))
    with pytest.raises(SpecError, match="must be one of operator, r; got 'point'"):
        reports.effects(table, of="point")
    other = spaces.create("resnet", depth=14, width=4).uniform("sum")
    with pytest.raises(SpecError, match="the same fusion points"):
        reports.effects(pd.concat([table, table.head(1).assign(id=other.id, architecture=other.to_json())]))
