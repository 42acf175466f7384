"""What a network returns: its parts, its prediction, and several batches of it as one."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from fusion_ops.errors import CandidateError
from search.training.metrics import UserMetrics, joined
from search.training.prediction import of_prediction, prediction_of
from spaces.tracing.outputs import in_words, outputs_of, with_parts

Pair = namedtuple("Pair", "first second")


@dataclass
class Answer:
    logits: Tensor
    states: Any = None


def x(*shape: int) -> Tensor:
    return torch.arange(float(torch.Size(shape).numel())).view(shape)


STRUCTURES = [
    (x(2, 3), ["(2, 3)"]),
    ((x(2, 3), x(2)), ["`0` (2, 3)", "`1` (2,)"]),
    ([x(2, 3), (x(2), x(2, 1))], ["`0` (2, 3)", "`1.0` (2,)", "`1.1` (2, 1)"]),
    ({"out": x(2, 3), "aux": None, "deep": {"a": x(2)}}, ["`out` (2, 3)", "`deep.a` (2,)"]),
    (OrderedDict(out=x(2, 3)), ["`out` (2, 3)"]),
    (Pair(x(2), x(2, 1)), ["`first` (2,)", "`second` (2, 1)"]),
    (Answer(x(2, 3)), ["`logits` (2, 3)"]),
    (Answer(x(2, 3), [x(2), x(2, 4)]), ["`logits` (2, 3)", "`states.0` (2,)", "`states.1` (2, 4)"]),
]


@pytest.mark.parametrize(("value", "words"), STRUCTURES)
def test_outputs_are_named_by_their_place(value: Any, words: list[str]) -> None:
    assert in_words(outputs_of(value)) == ", ".join(words)


@pytest.mark.parametrize("value", [value for value, _ in STRUCTURES])
def test_batches_are_joined_in_their_structure(value: Any) -> None:
    whole = joined([value, value, value])
    assert [output.name for output in outputs_of(whole)] == [output.name for output in outputs_of(value)]
    assert all(output.shape[0] == 6 for output in outputs_of(whole))
    assert type(whole) in (type(value), dict)


def test_what_has_no_batch_is_that_of_the_first() -> None:
    whole = joined(
        [{"scale": torch.tensor(2.0), "name": "a", "x": x(2)}, {"scale": torch.tensor(3.0), "name": "b", "x": x(1)}]
    )
    assert (float(whole["scale"]), whole["name"], len(whole["x"])) == (2.0, "a", 3)


@pytest.mark.parametrize(
    ("output", "returned", "shape"),
    [
        (None, x(2, 3), (2, 3)),
        (0, x(2, 3), (2, 3)),
        ("logits", x(2, 3), (2, 3)),
        (1, (x(2), x(2, 1)), (2, 1)),
        (-1, [x(2), x(2, 5)], (2, 5)),
        ("second", Pair(x(2), x(2, 1)), (2, 1)),
        ("out", {"aux": x(2), "out": x(2, 7)}, (2, 7)),
        (1, {"aux": x(2), "none": None, "out": x(2, 7)}, (2, 7)),
        ("logits", Answer(x(2, 3), x(2)), (2, 3)),
        ("0", (x(2, 3), x(2)), (2, 3)),
    ],
)
def test_a_part_is_taken_by_index_or_name(output: Any, returned: Any, shape: tuple[int, ...]) -> None:
    assert tuple(prediction_of(output)(returned).shape) == shape


@pytest.mark.parametrize("output", [2, -3, "out"])
def test_a_part_that_is_not_there_is_named_with_those_that_are(output: Any) -> None:
    with pytest.raises(CandidateError, match=r"train.output: \S+` is not among .* `0` \(2,\), `1` \(2, 1\)"):
        prediction_of(output)((x(2), x(2, 1)))


def test_a_loss_gets_the_prediction_unless_it_asks_for_all() -> None:
    def loss(outputs: Any, labels: Any) -> Any:
        return outputs

    returned = (x(2), x(3))
    assert len(of_prediction(loss, prediction_of(1))(returned, None)) == 3
    loss.whole_output = True  # type: ignore[attr-defined]
    assert of_prediction(loss, prediction_of(1))(returned, None) is returned


def test_qualities_get_either_in_full_precision() -> None:
    def part(outputs: Any, labels: Tensor) -> float:
        assert outputs.dtype == torch.float32
        return float(len(outputs) == len(labels) == 4)

    def whole(outputs: Any, labels: Tensor) -> float:
        assert (outputs["out"].dtype, outputs["where"].dtype) == (torch.float32, torch.int64)
        return float(len(outputs["where"]))

    whole.whole_output = True  # type: ignore[attr-defined]
    measured = UserMetrics({"part": part, "whole": whole}, prediction_of("out"))
    for _ in range(2):
        measured.add({"out": x(2, 3).bfloat16(), "where": torch.zeros(2, dtype=torch.int64)})
    assert measured.measures(x(4)) == {"part": 1.0, "whole": 4.0}


def test_parts_are_changed_in_place_of_the_old_ones() -> None:
    for value, _ in STRUCTURES[1:]:
        changed = with_parts(value, lambda name, part: part)
        assert in_words(outputs_of(changed)) == in_words(outputs_of(value))
