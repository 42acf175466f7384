"""Source that stands alone: what it computes, what it holds, what it refuses."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
import torch
from torch import nn

import fusion_ops
import spaces
from fusion_ops import FusionChoice, Recipe
from fusion_ops.errors import SpecError
from fusion_ops.operator import OPERATORS
from reports.exporting.bundle import bundle
from reports.exporting.expression import expression
from reports.exporting.modeling import modeling_source

SIZES = {1: (5,), 2: (5, 4), 3: (3, 4, 2)}
OURS = re.compile(r"\b(?:fusion_ops|spaces|reports|search)\b")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., types.ModuleType]]:
    """Write modules of a user's own and import the first; what they register is forgotten afterwards."""
    registered, tops = OPERATORS.names(), {"rebuilt"}
    monkeypatch.syspath_prepend(tmp_path)

    def make(**sources: str) -> types.ModuleType:
        for name, source in sources.items():
            path = tmp_path / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(dedent(source), encoding="utf-8")
            tops.add(name.partition("__")[0])
        importlib.invalidate_caches()
        # Another test of this process may have had a module of that name.
        for name in [name for name in sys.modules if name.partition(".")[0] in tops]:
            del sys.modules[name]
        return importlib.import_module(next(iter(sources)).replace("__", "."))

    yield make
    for name in OPERATORS.names():
        if name not in registered:
            del OPERATORS._entries[name]
    for name in [name for name in sys.modules if name.partition(".")[0] in tops]:
        del sys.modules[name]


def text_of(recipe: Recipe) -> str:
    found = bundle(recipe)
    return f"from __future__ import annotations\n{found.imports}\n\n{found.source}\nmade = " + expression(
        recipe, found.names
    )


def rebuilt(recipe: Recipe) -> nn.Module:
    """Carry out the bundled source, and the recipe as an expression, where nothing of ours can be imported."""
    module = sys.modules["rebuilt"] = types.ModuleType("rebuilt")
    source = text_of(recipe)
    assert not OURS.search(re.sub(r"`[^`]*`", "", source)), "our packages are named"
    exec(compile(source, "rebuilt", "exec"), module.__dict__)  # noqa: S102
    made: nn.Module = module.__dict__["made"]
    return made


def settings() -> Iterator[FusionChoice]:
    for name in fusion_ops.names():
        cls = fusion_ops.operator(name)
        r = 2 if cls.reduces else None
        yield FusionChoice(name, r)
        yield from (FusionChoice(name, r, ((key, v),)) for key, values in cls.options.items() for v in values[1:])


@pytest.mark.parametrize("choice", list(settings()), ids=str)
@pytest.mark.parametrize(("in_channels", "dims"), [((4, 4), 2), ((4, 4, 4), 1), ((6, 4), 2), ((3, 5, 4), 3)], ids=str)
def test_operators_compute_the_same(choice: FusionChoice, in_channels: tuple[int, ...], dims: int) -> None:
    recipe = fusion_ops.recipe(choice, in_channels, 4, dims=dims)
    original, copy = recipe.build(), rebuilt(recipe)
    copy.load_state_dict(original.state_dict())
    assert type(copy) is not type(original)
    assert type(copy).__name__ == type(original).__name__
    maps = [torch.randn(3, channels, *SIZES[dims]) for channels in in_channels]
    for training in (True, False):
        original.train(training), copy.train(training)
        assert torch.equal(copy(*maps), original(*maps))
    with pytest.raises(ValueError, match="feature maps"):
        copy(*maps[1:])


@pytest.mark.parametrize("name", fusion_ops.names())
def test_sum_initialisation_is_taken_along(name: str) -> None:
    choice = FusionChoice(name, 2 if fusion_ops.operator(name).reduces else None)
    copy = rebuilt(fusion_ops.recipe(choice, (4, 4), 4, init="sum"))
    x, y = torch.randn(2, 3, 4, 5, 5)
    torch.testing.assert_close(copy(x, y), x + y)


def network(*ops: str) -> Recipe:
    space = spaces.create("resnet", depth=8, width=4, in_channels=1, input_size=(8, 8))
    choices = [FusionChoice(op, 2 if fusion_ops.operator(op).reduces else None) for op in ops]
    points = [point.name for point in space.points]
    return space.recipe(spaces.Architecture(space.ref, tuple(zip(points, choices, strict=True))))


def modeling(recipe: Recipe) -> str:
    return modeling_source(
        recipe, title='a "title" \\', version="0.1.0", input_shape=(1, 8, 8), mean=(0.25,), std=(0.5,)
    )


@pytest.mark.parametrize("ops", [("sum",) * 3, ("sk", "aff", "iaff"), ("concat", "sum", "aff")], ids=str)
def test_holds_the_operators_that_are_used_and_no_others(ops: tuple[str, ...]) -> None:
    source = modeling(network(*ops))
    classes = {node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}
    for name in fusion_ops.names():
        assert (fusion_ops.operator(name).__name__ in classes) == (name in ops)
    assert {"FusionOperator", "CifarResNet", "PreActivationBlock"} <= classes


def test_leaves_out_what_served_the_search() -> None:
    source = modeling(network("sk", "aff", "iaff"))
    tree = ast.parse(source)
    for cls in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        members = {getattr(part, "name", None) for part in cls.body}
        members |= {part.target.id for part in cls.body if isinstance(part, ast.AnnAssign)}  # type: ignore[attr-defined]
        members |= {target.id for part in cls.body if isinstance(part, ast.Assign) for target in part.targets}  # type: ignore[attr-defined]
        assert not {"cost", "input_weights"} & members, cls.name
        assert cls.decorator_list == []
    for word in (
        "Cost",
        "SpecError",
        "Registry",
        "register",
        "Recipe",
        "noqa",
        "MSCAM(",
        "FlopCounter",
        "meta",
        "input_weights",
        "total_weights",
    ):
        assert word not in source, word
    assert not re.search(r"\n\n\n[ \t]", source), "an empty line is left where something was"


def test_keeps_docstrings() -> None:
    source = modeling(network("aff", "sum", "sum"))
    tree = ast.parse(source)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    assert "2w·x + 2(1−w)·y" in (ast.get_docstring(classes["AFF"]) or "")
    assert "ValueError: An argument is out of its range" in (ast.get_docstring(classes["AFF"]) or "")
    base = ast.get_docstring(classes["FusionOperator"]) or ""
    assert base.startswith("Fuses N ≥ 2 feature maps")
    assert "channels: C." in base
    assert "cost" not in base
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("__"):
            assert ast.get_docstring(node), node.name


def test_one_fusion_point_a_line() -> None:
    lines = [line.strip() for line in modeling(network("sum", "aff", "iaff")).splitlines()]
    for line in ('"stage1.block1": Sum(4),', '"stage2.block1": AFF(8, r=2),', '"stage3.block1": IAFF(16, r=2),'):
        assert lines.count(line) == 1


def test_modeling_is_clean_and_sorted_source(tmp_path: Path) -> None:
    """It passes ruff's default rules, and a formatter finds little to do."""
    pytest.importorskip("ruff")
    path = tmp_path / "modeling.py"
    path.write_text(modeling(network("concat", "sk", "iaff")), encoding="utf-8")
    google = "lint.pydocstyle.convention = 'google'"
    ruff = [sys.executable, "-m", "ruff"]
    checked = subprocess.run([*ruff, "check", "--isolated", path], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    sort = [*ruff, "check", "--isolated", "--select", "I,D", "--ignore", "D105,D107,D415", "--config", google, path]
    checked = subprocess.run(sort, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    formatter = [*ruff, "format", "--isolated", "--line-length", "120", "--check", path]
    checked = subprocess.run(formatter, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_preprocess_is_what_the_search_does() -> None:
    module = types.ModuleType("m")
    exec(modeling(network("sum", "sum", "sum")), module.__dict__)  # noqa: S102
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    expected = (images.to(torch.float32) / 255 - 0.25) / 0.5
    assert torch.equal(module.preprocess(images), expected)
    assert (module.MEAN, module.STD) == ((0.25,), (0.5,))


OWN = """
    import math

    import fusion_ops
    from torch import nn

    from helper import SCALE, Gate as Door, scaled

    LIMIT = math.pi


    @fusion_ops.register("own")
    class Own(fusion_ops.FusionOperator):
        '''Fuses in its own way.'''

        formula = "x + y"

        def __init__(self, channels, *, inputs=2, dims=2, init="default"):
            super().__init__(channels, inputs=inputs)
            self.gate = Door(channels)

        def fuse(self, *features):
            return scaled(self.gate(features[0])) * SCALE + features[1] * LIMIT

        def input_weights(self, *features):
            return self.gate(features[0]).detach(), features[1].new_ones(1)

        # a comment about the cost
        @classmethod
        def cost(cls, channels, inputs, positions, **settings):
            return fusion_ops.Cost(channels + 1)

        def extra_repr(self):
            return "own"
"""
HELPER = """
    import torch
    import torch.nn.functional as F
    from torch import nn

    SCALE = sum([1, 2])
    LIMIT = 0.5


    class Gate(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.weight = nn.Parameter(torch.rand(channels, 1, 1))

        def forward(self, x):
            return x * self.weight


    def scaled(x):
        return F.relu(x) * LIMIT
"""


def test_takes_a_users_own_operator_along(write: Callable[..., types.ModuleType]) -> None:
    own = write(own=OWN, helper=HELPER)
    recipe = fusion_ops.recipe(FusionChoice("own"), (3, 3), 3)
    assert recipe.factory is own.Own
    original, copy = recipe.build(), rebuilt(recipe)
    copy.load_state_dict(original.state_dict())
    x, y = torch.randn(2, 2, 3, 4, 4)
    assert torch.equal(copy(x, y), original(x, y))
    source = text_of(recipe)
    assert "class Own(FusionOperator):" in source
    assert copy.extra_repr() == "own"
    assert "register" not in source
    assert "Cost" not in source
    assert "comment" not in source
    assert "import torch.nn.functional as F" in source
    # `LIMIT` of the two files are two things.
    assert re.findall(r"^LIMIT\w*", source, re.MULTILINE) == ["LIMIT_helper", "LIMIT"] or re.findall(
        r"^LIMIT\w*", source, re.MULTILINE
    ) == ["LIMIT", "LIMIT_own"]


def made(write: Callable[..., types.ModuleType], **sources: str) -> tuple[object, object]:
    """Return what `Box().value` is in the user's modules and in the bundle of them."""
    module = write(**sources)
    recipe = Recipe(module.Box)
    return module.Box().value, rebuilt(recipe).value


BOX = """
    from __future__ import annotations

    from torch import nn

    {head}


    class Box(nn.Module):
        def __init__(self):
            super().__init__()
            self.value = {value}
"""


def box(head: str, value: str) -> str:
    return dedent(BOX).format(head=dedent(head), value=value)


MUTUAL = "def even(n):\n    return n == 0 or odd(n - 1)\ndef odd(n):\n    return n != 0 and even(n - 1)"
TYPES = (
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from decimal import Decimal as D\ndef f(x: D): return x"
)
CASES: dict[str, dict[str, str]] = {
    "constants in order": {"a": box("X = 1\nY = X + 1\nZ = [Y, X]", "Z")},
    "computed": {"a": box("K = 3\ndef f(n):\n    return n * K\nX = f(2)", "X")},
    "several at once": {"a": box("A, (B, *C) = 1, (2, 3, 4)", "(A, B, C)")},
    "annotated": {"a": box("X: int = 4", "X")},
    "each other": {"a": box(MUTUAL, "even(7)")},
    "each other, one of them early": {"a": box("def f():\n    return B.x\nclass B:\n    y, x = f, 5", "f()")},
    "default value": {"a": box("def g(x=4):\n    return x\ndef f(x=g()):\n    return x", "f()")},
    "decorated": {"a": box("def d(f):\n    return lambda: f() + 1\n@d\ndef f():\n    return 1", "f()")},
    "hidden names": {"a": box("X = 5\ndef f(X):\n    return [X for X in X]", "f([1, 2]) + [X]")},
    "another name": {"a": box("from b import value as x", "x + 1"), "b": "value = 1"},
    "through a module": {"a": box("import b", "b.value"), "b": "value = 1"},
    "renamed module": {"a": box("import b as c", "c.f(2)"), "b": "K = 2\ndef f(x): return x * K"},
    "relative": {"p__a": box("from .b import value", "value"), "p__b": "value = 7"},
    "relative module": {"p__a": box("from . import b", "b.value"), "p__b": "value = 7"},
    "passed on": {"p__a": box("import p.b", "p.b.value"), "p__b": "from p.c import value", "p__c": "value = 8"},
    "two of one name": {"a": box("from b import f\nK = 1", "f() + K"), "b": "K = 10\ndef f(): return K"},
    "a builtin's name": {
        "a": box("from b import f", "f() + sum([1, 2])"),
        "b": "def sum(x): return 5\ndef f(): return sum([1])",
    },
    "two imports of one name": {
        "a": box("from b import f\nimport math as m", "f() + m.pi"),
        "b": "import statistics as m\ndef f(): return m.mean([1, 2])",
    },
    "standard library": {"a": box("from os.path import join", "join('a', 'b')")},
    "submodule": {"a": box("import torch.utils.checkpoint", "torch.utils.checkpoint.__name__")},
    "numpy": {"a": box("import numpy as np", "np.arange(3).tolist()")},
    "dataclass": {"a": box("from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int = 3", "P().x")},
    "try": {"a": box("try:\n    X = 1 / 0\nexcept ZeroDivisionError:\n    X = 'ü'", "X")},
    "imports for types": {"a": box(TYPES, "f(3)")},
}


@pytest.mark.parametrize("sources", CASES.values(), ids=CASES.keys())
def test_finds_what_names_mean(sources: dict[str, str], write: Callable[..., types.ModuleType]) -> None:
    there, here = made(write, **sources)
    assert here == there


def test_an_operator_keeps_its_cost_where_it_is_all_that_it_has(write: Callable[..., types.ModuleType]) -> None:
    module = write(
        own="""
        import fusion_ops

        class Dear(fusion_ops.AFF):
            @classmethod
            def cost(cls, channels, inputs, positions, **settings):
                return fusion_ops.Cost(5)
        """
    )
    copy = rebuilt(Recipe(module.Dear, (4,), {"r": 2}))
    assert copy(*torch.randn(2, 2, 4, 3, 3)).shape == (2, 4, 3, 3)
    assert copy.cost(4, 2, 9).params == 5


def test_an_operator_keeps_the_weights_that_it_fuses_by(write: Callable[..., types.ModuleType]) -> None:
    module = write(
        own="""
        import fusion_ops

        class Half(fusion_ops.FusionOperator):
            formula = "x/2 + y/2"

            def fuse(self, *features):
                return sum(w * x for w, x in zip(self.input_weights(*features), features))

            def input_weights(self, *features):
                return features[0].new_full((2,), 0.5).unbind()
        """
    )
    x, y = torch.randn(2, 2, 4, 3, 3)
    torch.testing.assert_close(rebuilt(Recipe(module.Half, (4,)))(x, y), (x + y) / 2)


def test_own_errors_become_pythons(write: Callable[..., types.ModuleType]) -> None:
    module = write(own=box("from fusion_ops.errors import SpecError\ndef f():\n    raise SpecError('no')", "f"))
    with pytest.raises(ValueError, match="no"):
        rebuilt(Recipe(module.Box)).value()


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ({"a": box("import yaml", "yaml.safe_load('1')")}, "package `yaml`.*torch and numpy alone"),
        ({"a": box("from b import x", "x"), "b": "import yaml\nx = yaml.safe_load('1')"}, "package `yaml`"),
        ({"a": box("def f():\n    import b\n    return b", "f"), "b": ""}, "`f` imports `b` inside of a function"),
        ({"a": box("def f():\n    from . import b", "f")}, "`f` imports .* inside of a function"),
        ({"a": box("import b", "repr(b)"), "b": ""}, "`b` in module `a` is used as a value"),
        ({"a": box("from b import *", "x"), "b": "x = 1"}, "`x` in module `a` is neither defined nor imported"),
        ({"a": box("globals()['x'] = 1", "x")}, "`x` in module `a` is neither defined nor imported"),
        (
            {
                "a": box("from b import f\nK = 1\ndef g():\n    K_a = 2\n    return K_a + K", "f() + g()"),
                "b": "K = 10\ndef f(): return K",
            },
            "`K_a` has two meanings in `g` of module `a`",
        ),
    ],
)
def test_refuses_what_cannot_be_taken_along(
    sources: dict[str, str], message: str, write: Callable[..., types.ModuleType]
) -> None:
    module = write(**sources)
    with pytest.raises(SpecError, match=message):
        bundle(Recipe(module.Box))


def test_refuses_a_class_without_source() -> None:
    module = types.ModuleType("typed_in")
    sys.modules["typed_in"] = module
    try:
        exec("from torch import nn\nclass Typed(nn.Module): pass", module.__dict__)  # noqa: S102
        with pytest.raises(SpecError, match="source of `Typed` in module `typed_in` cannot be found"):
            bundle(Recipe(module.Typed))
    finally:
        del sys.modules["typed_in"]


def test_refuses_a_class_inside_a_function() -> None:
    class Inner(nn.Module):
        pass

    with pytest.raises(SpecError, match=r"Inner` of module .* cannot be exported.*top level"):
        bundle(Recipe(Inner))


def test_modules_of_pytorch_are_imported() -> None:
    recipe = Recipe(nn.Sequential, (Recipe(nn.Conv2d, (3, 8, 3)), Recipe(nn.ReLU)))
    found = bundle(recipe)
    assert found.imports == "from torch.nn import Conv2d, ReLU, Sequential"
    assert found.source.strip() == ""
    assert repr(rebuilt(recipe)) == repr(recipe.build())
