"""Networks of sums as costly as another network: of every registered host."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import spaces
from fusion_ops import FusionChoice
from fusion_ops.errors import SpecError
from spaces import Architecture, SearchSpace
from spaces.widening import matched_concat, matched_sum, widened
from tests.spaces.test_conformance import CASES, created, images

IMAGENET = [
    pytest.param("resnet", {"form": "imagenet", "depth": 18, "width": 8}, id="resnet imagenet basic"),
    pytest.param(
        "resnet",
        {"form": "imagenet", "depth": 50, "width": 16, "groups": 2, "base_width": 32, "stages": (3, 4)},
        id="resnet imagenet grouped bottlenecks",
    ),
]
every_host = pytest.mark.parametrize(("name", "settings"), [*CASES, *IMAGENET])
every_measure = pytest.mark.parametrize("measure", ["params", "flops"])
NAMED = [
    ("resnet", {}),
    ("resnet", {"form": "imagenet"}),
    ("resnet", {"form": "imagenet", "groups": 32, "base_width": 4}),
    ("inception", {}),
    ("inception", {"layers": 4, "residual": True}),
    ("fpn", {}),
    ("unet", {}),
]


def cost(space: SearchSpace, measure: str) -> int:
    return int(getattr(space.cost(sums(space)), measure))


def sums(space: SearchSpace) -> Architecture:
    return Architecture(space.ref, tuple((point.name, FusionChoice("sum")) for point in space.points))


def costs_of_narrower(wide: SearchSpace, narrow: SearchSpace, measure: str) -> list[int]:
    """Return the costs of the hosts that are next below `wide` and not below `narrow`, by any of the widths."""
    found = []
    for name, parts in wide.host.widths().items():
        count = Fraction(getattr(narrow.host, name)) * parts
        reached = Fraction(getattr(wide.host, name)) * parts
        if reached > count:
            host = widened(narrow.host, Fraction(reached - 1, count))
            found.append(cost(SearchSpace(wide.name, host), measure))
    return found


@every_measure
@every_host
def test_it_is_the_smallest_that_costs_as_much(name: str, settings: dict[str, Any], measure: str) -> None:
    space = created(name, settings)
    if not space.host.widths():
        pytest.skip("it cannot be widened")
    for op, r in (("aff", 2), ("iaff", 2), ("concat", None)):
        target = getattr(space.cost(space.uniform(op, r)), measure)
        found = matched_sum(space, target, measure)
        assert not isinstance(found, str)
        wide, architecture = found
        assert architecture == sums(wide)
        reached = getattr(wide.cost(architecture), measure)
        assert reached >= target
        narrower = costs_of_narrower(wide, space, measure)
        assert all(below < target for below in narrower)
        assert narrower or wide.host == space.host


@every_host
def test_a_control_has_the_same_points_and_runs(name: str, settings: dict[str, Any]) -> None:
    space = created(name, settings)
    found = matched_sum(space, 1.3 * cost(space, "params"), "params")
    if isinstance(found, str):
        assert not space.host.widths()
        return
    wide, architecture = found
    assert [(point.name, point.kind, point.sizes) for point in wide.points] == [
        (point.name, point.kind, point.sizes) for point in space.points
    ]
    assert (wide.ops, wide.tie) == (space.ops, space.tie)
    read = Architecture.from_json(architecture.to_json())
    assert read == architecture
    assert spaces.from_ref(read.space).host == wide.host
    network = wide.build(architecture).eval()
    with FlopCounterMode(display=False) as counter:
        assert network(images(wide, 1)).isfinite().all()
    assert wide.cost(architecture).flops == counter.get_total_flops()
    assert wide.cost(architecture).params == sum(parameter.numel() for parameter in network.parameters())


@every_host
def test_every_part_of_a_channel_costs_what_is_built(name: str, settings: dict[str, Any]) -> None:
    space = created(name, settings)
    for width, parts in space.host.widths().items():
        count = Fraction(getattr(space.host, width)) * parts
        seen = [cost(space, "params")]
        for step in range(1, parts + 1):
            wide = SearchSpace(name, widened(space.host, Fraction(count + step, count)), ops=space.ops)
            with torch.device("meta"):
                network = wide.build(wide.uniform("aff"))
            assert wide.cost(wide.uniform("aff")).params == sum(p.numel() for p in network.parameters())
            seen.append(cost(wide, "params"))
        assert seen == sorted(set(seen)), "every step is wider than the one before"


@every_measure
@pytest.mark.parametrize(("name", "settings"), NAMED)
def test_usual_networks_are_matched_closely(name: str, settings: dict[str, Any], measure: str) -> None:
    space = spaces.create(name, **settings)
    for op in ("sk", "aff", "iaff"):
        target = getattr(space.cost(space.uniform(op, 4)), measure)
        found = matched_sum(space, target, measure)
        assert not isinstance(found, str)
        assert getattr(found[0].cost(found[1]), measure) <= 1.055 * target


def test_a_host_that_costs_enough_stays_as_it_is() -> None:
    space = spaces.create("resnet", depth=8, ops=("aff",))
    for target in (0, cost(space, "params")):
        found = matched_sum(space, target, "params")
        assert not isinstance(found, str)
        assert found[0].host == space.host
    found = matched_sum(space, cost(space, "params") + 1, "params")
    assert not isinstance(found, str)
    assert found[0].host.settings()["width"] == 16.25


def test_a_wider_network_keeps_what_was_chosen_of_it() -> None:
    space = spaces.create("fpn", points="both", width=3, pyramid=7, tie="stage", reductions=(8,), num_classes=4)
    found = matched_sum(space, 2 * cost(space, "flops"), "flops")
    assert not isinstance(found, str)
    wide = found[0]
    changed = {key for key, value in wide.host.settings().items() if value != space.host.settings()[key]}
    assert changed == {"width", "pyramid"}
    assert (wide.tie, wide.reductions) == ("stage", (8,))
    ratio = wide.host.settings()["width"] / 3
    assert wide.host.settings()["pyramid"] == pytest.approx(7 * ratio, abs=1)


def test_what_cannot_be_widened_says_so() -> None:
    space = created("traced", {"model": "traced_models:residual"})
    assert matched_sum(space, 10**6, "params") == (
        "no control: the host network of space `traced` has no width that could be changed."
    )


@every_measure
@every_host
def test_concat_stands_at_no_more_points_than_needed(name: str, settings: dict[str, Any], measure: str) -> None:
    space = created(name, settings)
    originals = Architecture(space.ref, tuple((point.name, point.original) for point in space.points))
    least, most = (getattr(space.cost(chosen), measure) for chosen in (originals, space.uniform("concat")))
    for target in {least, (least + most) // 2, most}:
        control = matched_concat(space, target, measure)
        assert isinstance(control, Architecture)
        assert getattr(space.cost(control), measure) >= target
        for point in space.points:
            if control[point.name] != point.original:
                choices = tuple((key, point.original if key == point.name else op) for key, op in control.choices)
                assert getattr(space.cost(Architecture(space.ref, choices)), measure) < target
    assert space.build(control).eval()(images(space, 1)).isfinite().all()
    refused = matched_concat(space, most + 1, measure)
    assert refused == (
        f"no control: with `concat` at every point space `{name}` has {most:,} {measure}, fewer than the {most + 1:,} "
        "to be matched."
    )


def test_parts_of_a_channel_are_settings_like_others() -> None:
    space = spaces.create("resnet", depth=8, width=16.25)
    assert [point.out_channels for point in space.points] == [16, 33, 65]
    assert spaces.create("resnet", depth=8, width=16.0).ref == spaces.create("resnet", depth=8).ref
    assert '"width":16}' in spaces.create("resnet", width=16.0).uniform("sum").to_json()


@pytest.mark.parametrize(
    ("name", "width", "message"),
    [
        ("resnet", 0.5, "`width` must be a whole number of at least 1; got 0.5"),
        ("resnet", True, "`width` must be a whole number of at least 1; got True"),
        ("inception", "8", "`width` must be a whole number of at least 1; got '8'"),
        ("unet", float("nan"), "`width` must be a whole number of at least 1; got nan"),
        ("fpn", float("inf"), "`width` must be a whole number of at least 1; got inf"),
        ("resnet", 16.3, "`width` goes in steps of 1/4 here; got 16.3. The nearest one is 16.25."),
    ],
)
def test_other_widths_are_refused(name: str, width: Any, message: str) -> None:
    with pytest.raises(SpecError) as error:
        spaces.create(name, width=width)
    assert message in str(error.value)


def test_code_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "controls.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(code, {})  # noqa: S102 - the page's own code
    width, share = map(float, capsys.readouterr().out.split())
    assert (width, 1 <= share < 1.05) == (17.25, True)


def test_the_width_that_is_advised_works() -> None:
    assert spaces.create("resnet", width=16.25).points


@pytest.mark.parametrize("control", [matched_sum, matched_concat])
@pytest.mark.parametrize(
    ("target", "measure", "message"),
    [
        (1, "latency", "`measure` must be one of params, flops; got 'latency'."),
        (float("inf"), "params", "`target` must be a finite number; got inf."),
        (True, "params", "`target` must be a finite number; got True."),
        ("9", "flops", "`target` must be a finite number; got '9'."),
    ],
)
def test_other_targets_are_refused(control: Any, target: Any, measure: str, message: str) -> None:
    with pytest.raises(SpecError) as error:
        control(spaces.create("resnet"), target, measure)
    assert message in str(error.value)
