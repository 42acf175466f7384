"""Studies made by plain Optuna code, read as tables of candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution

import reports
import search
import spaces
from fusion_ops.errors import ConfigError, FusionNasError, RunError, SpecError
from reports.general.record import table_record
from reports.pages.tables import with_ranks
from search.study.users_storage import open_study
from search.study.users_study import study_table
from search.training.job import Progress
from spaces import JointSpace, SearchSpace
from spaces.hyperparameter import Range, Values


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return spaces.create("resnet", depth=8, width=2, num_classes=3, in_channels=1, input_size=(8, 8))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, space: SearchSpace) -> str:
    """A database with three studies."""
    url = f"sqlite:///{tmp_path_factory.mktemp('study') / 'study.db'}"
    sampler = optuna.samplers.RandomSampler(seed=0)

    def pruned(trial: optuna.Trial) -> float:
        x, kind = trial.suggest_float("x", -3, 3), trial.suggest_categorical("kind", ["a", "b"])
        trial.set_user_attr("latency_ms", 1.5)
        trial.set_user_attr("note", "not a measure")
        for step in range(4):
            trial.report((x - 1) ** 2 + 1 / (step + 1), step)
            if trial.number == 2 and step == 1:
                raise optuna.TrialPruned
        if trial.number == 1:
            raise ValueError("boom")
        return (x - 1) ** 2 + (kind == "a")

    study = optuna.create_study(storage=url, study_name="plain", direction="minimize", sampler=sampler)
    study.optimize(pruned, n_trials=5, catch=(ValueError,))
    study.enqueue_trial({"x": 0.0})

    def fused(trial: optuna.Trial) -> tuple[float, int]:
        architecture = space.suggest(trial)
        trial.suggest_float("lr", 0.01, 1)
        trial.set_constraint("size", -1.0 if trial.number else 1.0)
        return 0.9 + 0.001 * trial.number, space.cost(architecture).params

    study = optuna.create_study(storage=url, study_name="fused", directions=["maximize", "minimize"], sampler=sampler)
    study.optimize(fused, n_trials=6)
    optuna.create_study(storage=url, study_name="empty")
    return url


def test_states_values_curves_and_parameters(url: str) -> None:
    read = study_table(open_study(url, "plain"))
    rows = read.rows.set_index("number")
    assert read.objectives == {"value": "minimize"}
    assert rows["state"].tolist() == ["complete", "failed", "pruned", "complete", "complete"]
    trials = optuna.load_study(study_name="plain", storage=url).trials
    for trial in trials[:5]:
        row = rows.loc[trial.number]
        assert row["x"] == trial.params["x"]
        assert row["parameter kind"] == trial.params["kind"]
        assert row["curve"] == list(trial.intermediate_values.values())
        assert row["latency_ms"] == 1.5
        assert trial.datetime_start is not None
        assert row["started"] == trial.datetime_start.astimezone(UTC).isoformat(timespec="milliseconds")
        assert row["value"] == trial.value or trial.state != optuna.trial.TrialState.COMPLETE
    assert rows.loc[2, "reason"] == "pruned after 2 reported values"
    # Optuna gives a pruned trial its last report as a value; it is none of a whole training.
    assert rows["value"].notna().tolist() == [True, False, False, True, True]
    assert "note" not in rows.columns
    best = reports.rank(read.rows, read.objectives).iloc[0]
    assert best["number"] == optuna.load_study(study_name="plain", storage=url).best_trial.number


def test_several_objectives_by_their_directions(url: str) -> None:
    read = study_table(open_study(url, "fused"), ["accuracy", "params"])
    assert read.objectives == {"accuracy": "maximize", "params": "minimize"}
    assert not read.rows["feasible"].iloc[0]
    front = reports.pareto(read.rows, read.objectives)
    trials = optuna.load_study(study_name="fused", storage=url).best_trials
    assert sorted(front["number"]) == sorted(trial.number for trial in trials)
    assert study_table(open_study(url, "fused")).objectives == {"value": "maximize", "value_1": "minimize"}


def test_metric_names_are_the_objectives(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'named.db'}"
    study = optuna.create_study(storage=url, directions=["minimize", "maximize"])
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        study.set_metric_names(["error", "f1"])
    study.optimize(lambda trial: (trial.suggest_float("x", 0, 1), 1.0), n_trials=2)
    assert study_table(open_study(url)).objectives == {"error": "minimize", "f1": "maximize"}


def test_with_a_space_there_are_architectures_and_exact_costs(url: str, space: SearchSpace, tmp_path: Path) -> None:
    read = study_table(open_study(url, "fused"), ["accuracy", "flops"], space)
    for trial, row in zip(
        optuna.load_study(study_name="fused", storage=url).trials, read.rows.to_dict("records"), strict=True
    ):
        architecture = space.suggest(optuna.trial.FixedTrial(trial.params))
        assert row["id"] == architecture.id
        assert row["architecture"] == architecture.to_json()
        assert row["params"] == space.cost(architecture).params
        assert row["lr"] == trial.params["lr"]
    assert not [name for name in read.rows.columns if name.endswith((".op", ".r"))]
    text = reports.write_html(read.rows, tmp_path / "s.html", objectives=read.objectives).read_text()
    assert 'id="architecture"' in text


@pytest.fixture(scope="module")
def beside(space: SearchSpace) -> JointSpace:
    lists = Values("train.augment", [["flip"], ["flip", "crop"], []]), Values("space.width", [2, 4])
    return JointSpace(space, [*lists, Range("train.lr", 0.01, 1.0, log=True), Range("train.warmup", 0, 4)])


def test_a_space_with_hyperparameters_gives_configurations(beside: JointSpace, tmp_path: Path) -> None:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(7):
        if number == 6:
            # One architecture twice, each with a learning rate of its own.
            study.enqueue_trial(study.trials[0].params | {"train.lr": 0.5})
        trial = study.ask()
        beside.suggest(trial)
        trial.suggest_float("own", 0, 1)
        study.tell(trial, 0.9 + 0.001 * number)
    read = study_table(study, ["accuracy"], beside)
    for trial, row in zip(study.trials, read.rows.to_dict("records"), strict=True):
        chosen = beside.suggest(optuna.trial.FixedTrial(trial.params))
        assert (row["id"], row["architecture"]) == (chosen.id, chosen.architecture.to_json())
        assert row["id"] != chosen.architecture.id
        assert row["params"] == beside.cost(chosen.architecture).params
        assert {name: row[name] for name in ("train.lr", "train.warmup", "train.augment", "space.width", "own")} == {
            name: trial.params[name] for name in ("train.lr", "train.warmup", "train.augment", "space.width", "own")
        }
    assert not [name for name in read.rows.columns if name.endswith((".op", ".r"))]
    text = reports.write_html(read.rows, tmp_path / "s.html", objectives=read.objectives).read_text()
    assert "train.lr" in text
    assert all(f"{row['id']}" in text for row in read.rows.to_dict("records"))


def test_hyperparameters_that_no_trial_has_are_left_aside(
    url: str, space: SearchSpace, beside: JointSpace, tmp_path: Path
) -> None:
    study = open_study(url, "fused")
    with_them, without = (study_table(study, ["accuracy", "flops"], one).rows for one in (beside, space))
    assert with_them.equals(without)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("train.lr", 2.0, "trial 0 has train.lr=2.0; the space offers 0.01 to 1. Name the space"),
        ("train.lr", "fast", "trial 0 has train.lr='fast'; the space offers 0.01 to 1. "),
        ("train.warmup", 2.5, "trial 0 has train.warmup=2.5; the space offers whole numbers from 0 to 4. "),
        ("space.width", 3, "trial 0 has space.width=3; the space offers 2, 4. "),
        ("train.lr", None, "trial 0 has no parameter `train.lr`, which the space has; it has "),
    ],
)
def test_what_the_space_does_not_offer_is_one_line(name: str, value: Any, words: str, beside: JointSpace) -> None:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    beside.suggest(trial)
    given = {key: distribution for key, distribution in trial.distributions.items() if key != name}
    params = {key: trial.params[key] for key in given}
    if value is not None:
        given, params = given | {name: CategoricalDistribution([value])}, params | {name: value}
    other = optuna.create_study(direction="maximize")
    other.add_trial(optuna.trial.create_trial(value=0.5, params=params, distributions=given))
    with pytest.raises(SpecError) as raised:
        study_table(other, ["accuracy"], beside)
    assert str(raised.value).startswith(words)


def test_a_runs_own_study_needs_no_space(open_ledger: Callable[..., Any], tmp_path: Path) -> None:
    ledger = open_ledger()
    for accuracy in (0.5, 0.6):
        curve = ({"accuracy": accuracy, "loss": 1.0},)
        ledger.report(ledger.ask().number, Progress(curve, 1.0, "host:1", done=True))
    read = study_table(open_study(str(tmp_path / "study.journal")))
    assert read.objectives == {"accuracy": "maximize", "params": "minimize"}
    assert read.rows["accuracy"].tolist() == [0.5, 0.6]
    assert read.rows["id"].tolist() == [one.architecture.id for one in ledger.candidates.values()]


TAKEN = (
    *("n", "latency", "latency_ms", "accuracy", "rank", "contribution", "knee", "miou", "seed", "parameter n"),
    *("memory_inference_bytes", "clock_mhz_before", "test_accuracy", "latency_ms@openvino", "latency_drift_batch_8"),
)
FREE = ("memory_size", "latency_weight", "clock_rate", "test_split", "mail@home", "lr")


@pytest.fixture
def hostile() -> optuna.Study:
    """A study whose parameters are called like its objectives and like columns of the table."""
    study = optuna.create_study(directions=["maximize", "minimize"])
    for number in range(6):
        distributions = {name: optuna.distributions.IntDistribution(0, 99) for name in (*TAKEN, *FREE)}
        own = {name: 10 * number + place for place, name in enumerate((*TAKEN, *FREE))}
        values = [0.5 + 0.01 * number, 1000.0 + number]
        study.add_trial(optuna.trial.create_trial(params=own, distributions=distributions, values=values))
    return study


def test_a_parameter_never_replaces_an_objective_or_a_column(hostile: optuna.Study) -> None:
    read = study_table(hostile, ["n", "latency"])
    record = table_record(read.rows, read.objectives)
    written = with_ranks(read.rows, read.objectives)
    assert read.rows["n"].tolist() == [trial.values[0] for trial in hostile.trials]
    assert read.rows["latency_ms"].tolist() == [trial.values[1] for trial in hostile.trials]
    columns = {name: f"parameter {name}" for name in TAKEN} | {name: name for name in FREE}
    assert set(record.parameters) == set(columns.values())
    for name, column in columns.items():
        assert written[column].tolist() == [trial.params[name] for trial in hostile.trials]
    assert written["rank"].tolist() == [1] * 6


def test_a_choice_of_none_is_a_value() -> None:
    study = optuna.create_study()
    study.enqueue_trial({"norm": None})
    study.enqueue_trial({"norm": "batch"})
    study.optimize(lambda trial: float(trial.suggest_categorical("norm", [None, "batch"]) is None), n_trials=2)
    read = study_table(study)
    record = table_record(read.rows, read.objectives)
    assert [record.settings(row) for row in read.rows.to_dict("records")] == [{"norm": "None"}, {"norm": "batch"}]


def test_what_cannot_be_read_is_one_line(url: str, space: SearchSpace, tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    file.write_text("no database")
    empty = tmp_path / "empty.db"
    empty.touch()
    text, lines = tmp_path / "notes.txt", tmp_path / "other.jsonl"
    text.write_text("no journal")
    lines.write_text('{"a": 1}\n')
    ours = spaces.create("resnet", depth=14, width=2, num_classes=3, in_channels=1, input_size=(8, 8))
    few = spaces.create("resnet", depth=8, width=2, num_classes=3, in_channels=1, input_size=(8, 8), ops=("sum", "sk"))
    cases: list[tuple[Callable[[], object], type[FusionNasError], str]] = [
        (lambda: open_study(url), ConfigError, "has 3 studies; name one with --study-name: plain, fused, empty"),
        (lambda: open_study(url, "nope"), RunError, "has no study 'nope'; it has plain, fused, empty"),
        (lambda: open_study(f"sqlite:///{tmp_path}/none.db"), RunError, "names the file .*none.db, which does not"),
        (lambda: open_study(f"sqlite:///{file}"), RunError, "cannot be read as a storage of Optuna: file is not a"),
        (lambda: open_study(f"sqlite:///{empty}"), RunError, "it is no storage of Optuna"),
        (lambda: open_study(str(tmp_path / "none.journal")), RunError, "none.journal does not exist"),
        (lambda: open_study(str(text)), RunError, "notes.txt is no journal of Optuna"),
        (lambda: open_study(str(lines)), RunError, "other.jsonl is no journal of Optuna"),
        (
            lambda: open_study(url.removeprefix("sqlite:///")),
            RunError,
            "is no journal of Optuna. A study in a database",
        ),
        (lambda: open_study(str(tmp_path)), RunError, f"^{tmp_path} is no file; a study is named by"),
        (lambda: open_study(f"sqlite:///{tmp_path}"), RunError, f"the file {tmp_path}, which is no file"),
        (
            lambda: study_table(open_study(url, "fused"), ["accuracy", ""]),
            ConfigError,
            "needs a name; got 'accuracy', ''",
        ),
        (lambda: study_table(open_study(url, "plain"), ["seconds"]), ConfigError, "`seconds` is called like a column"),
        (lambda: study_table(open_study(url, "plain"), ["rank"]), SpecError, "`rank` is a column that every ranking"),
        (lambda: study_table(open_study(url, "empty")), RunError, "study 'empty' has no trial that was begun"),
        (lambda: study_table(open_study(url, "plain"), ["a", "b"]), ConfigError, "has 1 objective, to minimize; got"),
        (lambda: study_table(open_study(url, "fused"), ["a", "a"]), ConfigError, "has 2 objectives, to maximize and"),
        (lambda: study_table(open_study(url, "plain"), None, space), SpecError, "trial 0 has no parameter `stage1"),
        (lambda: study_table(open_study(url, "fused"), None, ours), SpecError, "trial 0 has no parameter"),
        (lambda: study_table(open_study(url, "fused"), None, few), SpecError, "the space offers 'sum', 'sk'"),
    ]
    for ask, error, message in cases:
        with pytest.raises(error, match=message) as raised:
            ask()
        assert "\n" not in str(raised.value)
    assert empty.read_bytes() == b""
    assert not (tmp_path / "none.db").exists()


def test_passwords_are_never_told() -> None:
    with pytest.raises(RunError) as raised:
        open_study("postgresql://me:secret@127.0.0.1:1/db?connect_timeout=1")
    assert "secret" not in str(raised.value)
    assert "postgresql://me:***@127.0.0.1:1/db" in str(raised.value)


def studied(objective: Callable[[optuna.Trial], Any], count: int = 12, *directions: str) -> optuna.Study:
    study = optuna.create_study(
        directions=directions or ("minimize",), sampler=optuna.samplers.RandomSampler(seed=0), study_name="own"
    )
    study.optimize(objective, n_trials=count, catch=(ValueError,))
    return study


def test_a_study_without_a_complete_trial_says_what_it_has() -> None:
    def failing(trial: optuna.Trial) -> float:
        raise ValueError(trial.suggest_float("x", 0, 1))

    begun = optuna.create_study(study_name="own")
    begun.ask()
    for study, there in (
        (studied(failing), "12 failed"),
        (optuna.create_study(study_name="own"), "no trial that was begun"),
        (begun, "1 running"),
    ):
        with pytest.raises(RunError, match=f"study 'own' has {there}. Run it until one is complete"):
            study_table(study)
    begun.tell(0, 1.0)
    assert len(study_table(begun).rows) == 1


def test_objectives_that_are_all_costs_are_one_line() -> None:
    study = studied(lambda trial: trial.suggest_float("x", 0, 1))
    with pytest.raises(ConfigError, match=r"needs one of accuracy, .*, or another quality with its direction"):
        study_table(study, ["latency"])
    for name in ("loss", "seconds per image"):
        assert study_table(study, [name]).objectives == {name: "minimize"}


def test_a_runs_own_study_is_read_by_its_own_objectives(open_ledger: Callable[..., Any], tmp_path: Path) -> None:
    ledger = open_ledger()
    ledger.report(ledger.ask().number, Progress(({"accuracy": 0.5, "loss": 1.0},), 1.0, "host:1", done=True))
    study = open_study(str(tmp_path / "study.journal"))
    for names in (["acc", "params"], ["params", "accuracy"], ["accuracy", "flops"]):
        with pytest.raises(ConfigError, match=f"the objectives accuracy, params; got {', '.join(names)}. Leave"):
            study_table(study, names)
    assert study_table(study, ["accuracy", "params"]).rows["accuracy"].tolist() == [0.5]


def test_curves_of_another_name_are_told(caplog: pytest.LogCaptureFixture) -> None:
    def reporting(trial: optuna.Trial) -> tuple[float, float]:
        x = trial.suggest_float("x", 0, 1)
        search.report(trial, epoch=1, accuracy=x)
        return x, 2.0

    study = studied(reporting, 3, "maximize", "minimize")
    read = study_table(study, ["acc", "cost"])
    (said,) = read.rows.attrs["missing"]
    assert said == "3 trials reported 'accuracy' and no 'acc': no learning curve is read of them"
    assert said in caplog.text
    assert said in table_record(read.rows, read.objectives).missing
    whole = study_table(study, ["accuracy", "cost"])
    assert whole.rows["epochs"].tolist() == [1] * 3
    assert not whole.rows.attrs


def test_parameters_of_some_trials_only_are_not_set_in_the_others(tmp_path: Path) -> None:
    def conditional(trial: optuna.Trial) -> float:
        kind = trial.suggest_categorical("kind of", ["", "deep", None, True])
        if kind == "deep":
            return float(trial.suggest_int("depth", 10_001, 10_002))
        return float(trial.suggest_categorical("use", [True, False])) if kind == "" else 0.0

    study = studied(conditional, 40)
    read = study_table(study)
    record = table_record(read.rows, read.objectives)
    for trial, row in zip(study.trials, read.rows.to_dict("records"), strict=True):
        expected = {name: '""' if value == "" else str(value) for name, value in trial.params.items()}
        assert record.settings(row) == expected
    found = reports.effects(read.rows, read.objectives, points=["depth", "use"]).set_index(["point", "operator"])["n"]
    of_depth = [trial.params.get("depth") for trial in study.trials]
    assert found["depth"].to_dict() == {
        **{str(depth): of_depth.count(depth) for depth in (10_001, 10_002)},
        "not set": of_depth.count(None),
    }
    reports.write_html(read.rows, tmp_path / "s.html", objectives=read.objectives)
