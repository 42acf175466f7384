"""Measures: how values are written, and what every one of them has."""

from __future__ import annotations

import math
from dataclasses import asdict

import pytest

from fusion_ops.errors import ConfigError, SpecError, UnknownNameError
from reports.candidates.table import COLUMNS
from reports.measures import MEASURES, declare, described, quality_of


@pytest.mark.parametrize(
    ("name", "value", "text", "exact"),
    [
        ("accuracy", 0.97214, "97.21 %", "0.97214"),
        ("accuracy", 1.0, "100.00 %", "1"),
        ("miou", 0.5, "50.00 %", "0.5"),
        ("loss", 0.123456, "0.1235", "0.123456"),
        ("map", 0.5, "50.00 %", "0.5"),
        ("mae", 12.3456, "12.35", "12.3456"),
        ("r2", -0.5, "-0.5", "-0.5"),
        ("params", 0, "0", "0"),
        ("params", 950, "950", "950"),
        ("params", 999.6, "1.00 k", "1,000"),
        ("params", 24_123, "24.1 k", "24,123"),
        ("params", 999_499, "999 k", "999,499"),
        ("params", 999_950, "1.00 M", "999,950"),
        ("flops", 1_234_567, "1.23 M", "1,234,567"),
        ("flops", 4.1e9, "4.10 G", "4,100,000,000"),
        ("flops", 5e12, "5.00 T", "5,000,000,000,000"),
        ("latency", 3.2178, "3.22 ms", "3.2178 ms"),
        ("memory", 1536, "1.50 KiB", "1,536 bytes"),
        ("memory", 512, "512 B", "512 bytes"),
        ("accuracy", math.nan, "–", "–"),
        ("params", None, "–", "–"),
    ],
)
def test_values_are_written_for_people_and_in_full(name: str, value: float | None, text: str, exact: str) -> None:
    assert MEASURES[name].format(value) == text
    assert MEASURES[name].exactly(value) == exact


COSTS = ("params", "flops", "latency", "memory")


@pytest.mark.parametrize("name", MEASURES.names())
def test_every_measure_is_complete(name: str) -> None:
    measure = MEASURES[name]
    assert measure.name == name
    assert measure.column in (*COLUMNS, name)
    assert measure.direction == ("minimize" if name in ("loss", "mae", *COSTS) else "maximize")
    assert measure.sign == (-1 if measure.direction == "maximize" else 1)
    assert measure.loss(2.0) == measure.sign * 2.0
    assert measure.loss(None) == math.inf
    assert measure.quality == (name not in COSTS)
    assert measure.exact == (name in ("params", "flops"))


def test_an_error_in_int8_is_a_quality_taken_elsewhere_and_no_cost() -> None:
    placed = MEASURES["mae@int8"]
    assert (placed.label, placed.column, placed.direction) == ("MAE in int8", "mae@int8", "minimize")
    assert not placed.cost
    assert MEASURES["latency@openvino"].cost


def test_flops_say_what_they_count() -> None:
    assert MEASURES["flops"].note == "2 × multiply-adds, one input"


def test_quality_is_the_first_objective_that_is_one() -> None:
    assert quality_of(("params", "loss", "accuracy")).name == "loss"
    with pytest.raises(ConfigError, match=r"accuracy, .*, miou, .*, loss; got \['params'\]"):
        quality_of(("params",))


def test_a_measure_at_a_place_is_the_measure_in_a_column_of_its_own() -> None:
    measure = MEASURES["latency@openvino"]
    assert (measure.name, measure.base, measure.place) == ("latency@openvino", "latency", "openvino")
    assert (measure.label, measure.column) == ("latency in OpenVINO", "latency_ms@openvino")
    assert measure.format(3.2178) == "3.22 ms"
    assert measure.loss(2.0) == 2.0
    assert not measure.quality
    assert MEASURES["latency@openvino"] is measure  # templates compare measures by identity
    assert "latency@openvino" in MEASURES
    assert "latency@openvino" not in MEASURES.names()
    assert (MEASURES["latency"].base, MEASURES["latency"].place) == ("latency", "")


@pytest.mark.parametrize("name", ["latency@openvin", "params@openvino", "latency@", "@openvino"])
def test_what_has_no_such_place_is_no_measure(name: str) -> None:
    assert name not in MEASURES
    with pytest.raises(UnknownNameError):
        MEASURES[name]


PHONES = """
from reports.runtimes import Runtime

class Phone(Runtime):
    title = "my phone"
    file = "phone.bin"

    def __init__(self):
        raise RuntimeError("no phone is plugged in")

    def convert(self, network, inputs, path, *, batch=None): ...

class Nameless(Runtime):
    file = "nameless.bin"

    def convert(self, network, inputs, path, *, batch=None): ...
"""


def test_a_users_runtime_has_its_class_asked_for_its_title_and_none_is_made(tmp_path, monkeypatch) -> None:
    (tmp_path / "phones_of_measures.py").write_text(PHONES)
    monkeypatch.syspath_prepend(tmp_path)
    assert MEASURES["latency@phones_of_measures:Phone"].label == "latency in my phone"
    with pytest.raises(SpecError) as caught:
        MEASURES["latency@phones_of_measures:Nameless"]
    assert str(caught.value) == (
        "`phones_of_measures:Nameless` has no `title`; see `reports.runtimes.Runtime` for what it is."
    )


def test_what_a_finished_run_noted_needs_no_runtime() -> None:
    noted = MEASURES["latency"].at("gone_since_then:Phone", "in my phone")
    assert declare(described(asdict(noted))) == noted
    assert MEASURES["latency@gone_since_then:Phone"] == noted
    assert noted.name not in MEASURES.names()


def test_the_format_of_a_runtime_names_it_too() -> None:
    assert MEASURES["latency@onnx"].label == MEASURES["latency@onnxruntime"].label
