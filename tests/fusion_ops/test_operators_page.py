"""The page about the operators: its pictures are those that its script draws, its figures are exact, its code runs."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
import torch

import fusion_ops
import spaces
from fusion_ops import FusionChoice
from fusion_ops.operator import OPERATORS
from search.cli import main

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
PAGE = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
SHIPPED = [name for name in fusion_ops.names() if fusion_ops.operator(name).__module__.startswith("fusion_ops.")]
NEW = "contrast"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(IMAGES)
    import draw_operators

    yield draw_operators
    for name in ("draw_operators", "drawing", "pieces", "further_operators"):
        del sys.modules[name]


def code(marker: str) -> str:
    (found,) = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if marker in block]
    return str(found)


def section(name: str) -> str:
    (found,) = re.findall(rf"^## {name}\n(.*?)(?=^## )", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


def test_pictures_are_what_the_script_draws(script: ModuleType) -> None:
    drawn = script.pictures()
    assert set(drawn) == {f"operator_{name}.svg" for name in SHIPPED} | {"mscam.svg"}
    for name, svg in drawn.items():
        assert (IMAGES / name).read_text(encoding="utf-8") == svg, f"run docs/images/draw_operators.py: {name} differs"


def test_pictures_are_well_formed_and_stay_on_their_card(script: ModuleType) -> None:
    for name, svg in script.pictures().items():
        root = ElementTree.fromstring(svg)  # noqa: S314 - made here
        width, height = map(float, root.attrib["viewBox"].split()[2:])
        for element in root.iter("{http://www.w3.org/2000/svg}text"):
            x, share = (
                float(element.attrib["x"]),
                {"start": (0, 1), "middle": (0.5, 0.5)}[element.attrib["text-anchor"]],
            )
            extent = 0.58 * float(element.attrib["font-size"]) * len(element.text or "")
            assert x - share[0] * extent > 8, (name, element.text)
            assert x + share[1] * extent < width - 8, (name, element.text)
            assert 0 < float(element.attrib["y"]) < height, (name, element.text)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_operator_has_a_section_with_its_formula_and_exact_cost(name: str) -> None:
    cls, text = fusion_ops.operator(name), " ".join(section(name).split())
    cost = fusion_ops.cost(FusionChoice(name, 4 if cls.reduces else None), (64, 64), 64, ((32, 32), (32, 32)))
    assert f"**Formula** `{' '.join(cls.formula.split())}`" in text
    assert f"![{name}](images/operator_{name}.svg)" in text
    parameters = f"{cost.params:,} parameter{'' if cost.params == 1 else 's'}"
    assert f"{parameters}, {cost.flops:,} FLOPs" in text
    options = text.split("**Options** ")[1].split(" - **")[0]
    assert all(f"`{option}`" in options for option in cls.options)
    assert ("`r`" in options) == cls.reduces
    assert all(f"**{heading}** " in text for heading in ("When", "Difference from the paper"))


def test_code_at_the_top_runs() -> None:
    scope: dict[str, object] = {}
    exec(code("in_channels=(64, 128)"), scope)  # noqa: S102 - the page's own code
    assert scope["out"].shape == (2, 64, 32, 32)


def test_code_that_records_weights_runs(capsys: pytest.CaptureFixture[str]) -> None:
    scope: dict[str, object] = {"torch": torch, "fusion_ops": fusion_ops}
    exec(code("recorded_weights"), scope)  # noqa: S102 - the page's own code
    assert "'images': 0." in capsys.readouterr().out


@pytest.fixture
def added() -> Iterator[str]:
    block = code("@fusion_ops.register(")
    exec(block, {"__name__": "page"})  # noqa: S102 - the page's own code
    yield block
    del OPERATORS._entries[NEW]


def test_a_new_operator_takes_seven_lines_and_joins_every_space(added: str) -> None:
    body = added.split("(fusion_ops.FusionOperator):\n")[1]
    assert len([line for line in body.splitlines() if line]) == 7
    scope: dict[str, object] = {}
    exec(code("spaces.create"), scope)  # noqa: S102 - the page's own code
    space = scope["space"]
    assert isinstance(space, spaces.SearchSpace)
    architecture = space.uniform(NEW)
    network = space.build(architecture)
    assert any(type(module).__name__ == "Contrast" for module in network.modules())
    assert space.cost(architecture).params == sum(p.numel() for p in network.parameters())


def test_a_new_operator_passes_the_conformance_suites(tmp_path: Path) -> None:
    (tmp_path / "new_operator.py").write_text(code("@fusion_ops.register("), encoding="utf-8")
    path = os.pathsep.join((str(tmp_path), str(ROOT)))
    suites = [f"tests/fusion_ops/test_{name}.py" for name in ("conformance", "init_sum")]
    command = [sys.executable, "-m", "pytest", "-p", "new_operator", "-p", "no:cacheprovider", "-k", NEW, *suites]
    environment = os.environ | {"PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None, done.stdout
    assert int(passed[1]) > 30


def test_the_command_line_lists_every_operator(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def printed(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["fusion-nas", "ops", *arguments])
        with pytest.raises(SystemExit, match="0"):
            main()
        return capsys.readouterr().out

    listed = {entry["name"]: entry for entry in json.loads(printed("--json"))["operators"]}
    assert set(listed) == set(fusion_ops.names())
    for name, entry in listed.items():
        cls = fusion_ops.operator(name)
        cost = fusion_ops.cost(FusionChoice(name, 4 if cls.reduces else None), (64, 64), 64, ((32, 32), (32, 32)))
        assert (entry["params"], entry["flops"]) == (cost.params, cost.flops)
        assert (entry["formula"], entry["source"]) == (cls.formula, cls.source)
        assert entry["options"] == {key: list(values) for key, values in cls.options.items()}
    table = printed()
    assert "2003.04887" in table
    for name, entry in listed.items():
        assert re.search(rf"^{name} .*  {entry['params']:,} +{entry['flops']:,}$", table, re.MULTILINE), name
