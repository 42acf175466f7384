"""`FusionChoice`: equal settings are one value, and it survives JSON."""

import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fusion_ops
from fusion_ops import FusionChoice
from fusion_ops.errors import SpecError

names = st.text(min_size=1, max_size=8)
values = names | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False)
choices = st.builds(
    FusionChoice,
    names,
    st.none() | st.integers(1, 10**6),
    st.dictionaries(names, values, max_size=3).map(lambda options: tuple(options.items())),
)


@settings(max_examples=25, deadline=None)
@given(choices)
def test_survives_json_and_pickle(choice: FusionChoice) -> None:
    assert FusionChoice.from_dict(json.loads(json.dumps(choice.to_dict()))) == choice
    assert pickle.loads(pickle.dumps(choice)) == choice  # noqa: S301


def test_order_of_options_does_not_matter() -> None:
    one = FusionChoice("aff", 4, (("scale", "paper"), ("context", "local")))
    other = FusionChoice("aff", 4, (("context", "local"), ("scale", "paper")))
    assert one == other
    assert hash(one) == hash(other)
    assert one.options == (("context", "local"), ("scale", "paper"))


def test_writes_only_what_it_has() -> None:
    assert FusionChoice("sum").to_dict() == {"op": "sum"}
    assert FusionChoice("aff", 4).to_dict() == {"op": "aff", "r": 4}
    assert FusionChoice("aff", 4, (("scale", "paper"),)).to_dict() == {
        "op": "aff",
        "r": 4,
        "options": {"scale": "paper"},
    }


def test_reads_as_text() -> None:
    assert str(FusionChoice("sum")) == "sum"
    assert str(FusionChoice("aff", 4, (("scale", "paper"), ("context", "local")))) == (
        "aff r=4 context=local scale=paper"
    )


@pytest.mark.parametrize("r", [0, -4, 2.0, "4", True], ids=repr)
def test_refuses_other_ratios(r: object) -> None:
    with pytest.raises(SpecError, match=f"`r`.*{r!r}"):
        FusionChoice("aff", r)  # type: ignore[arg-type]


def test_refuses_another_kind_of_name() -> None:
    with pytest.raises(SpecError, match="got 3"):
        FusionChoice(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"r": 4},
        {"op": "aff", "ratio": 4},
        {"op": "aff", "options": ["scale"]},
        {"op": None},
        {"op": "aff", "r": "4"},
        {"op": "aff", "options": {"scale": None}},
        {"op": "aff", "options": {"scale": ["paper"]}},
        {"op": "aff", "options": {"scale": {"a": 1}}},
        {"op": "aff", "options": {"scale": float("nan")}},
        {"op": "aff", "options": {3: "paper"}},
        ["aff", 4],
        None,
    ],
    ids=repr,
)
def test_refuses_other_descriptions(values: object) -> None:
    with pytest.raises(SpecError):
        FusionChoice.from_dict(values)  # type: ignore[arg-type]


def test_says_which_option_it_refuses() -> None:
    with pytest.raises(SpecError, match=r"option `scale` .* must be text.*got \['paper'\]\. Write one value"):
        FusionChoice.from_dict({"op": "aff", "options": {"scale": ["paper"]}})


@pytest.mark.parametrize("second", ["paper", "inputs"])
def test_refuses_an_option_given_twice(second: str) -> None:
    with pytest.raises(SpecError, match=r"once; got .*scale.*scale"):
        FusionChoice("aff", 4, (("scale", "paper"), ("scale", second)))


@pytest.mark.parametrize("name", fusion_ops.names())
def test_options_at_their_default_are_no_second_name(name: str) -> None:
    cls = fusion_ops.operator(name)
    plain = FusionChoice(name, 4 if cls.reduces else None)
    written = FusionChoice(name, plain.r, tuple((key, values[0]) for key, values in cls.options.items()))
    assert fusion_ops.canonical(written) == plain
    assert fusion_ops.recipe(written, (8, 8), 8) == fusion_ops.recipe(plain, (8, 8), 8)
    for key, values in cls.options.items():
        other = FusionChoice(name, plain.r, ((key, values[1]),))
        assert fusion_ops.canonical(other) is other


def test_canonical_leaves_what_it_does_not_know() -> None:
    for choice in (FusionChoice("other", 3, (("scale", "inputs"),)), FusionChoice("aff", 4, (("scal", "inputs"),))):
        assert fusion_ops.canonical(choice) is choice
