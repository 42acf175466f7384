"""Scopes, edits and expressions: the small parts of the source bundler."""

from __future__ import annotations

import ast

import pytest
import torch
from torch import nn

from fusion_ops import Recipe
from fusion_ops.errors import SpecError
from reports.exporting.edits import Edit, edited
from reports.exporting.expression import WIDTH, expression
from reports.exporting.free_names import free_names
from reports.exporting.imports import import_block
from reports.exporting.names import Names
from reports.exporting.resolving import Builtin
from reports.exporting.sources import Import


def names_of(code: str) -> tuple[list[str], list[str]]:
    (statement,) = ast.parse(code).body
    found = free_names(statement)
    return sorted({name.id for name in found.early}), sorted({name.id for name in found.late})


@pytest.mark.parametrize(
    ("code", "early", "late"),
    [
        ("X = a + f(b)", ["X", "a", "b", "f"], []),
        ("X: A = b", ["X", "b"], ["A"]),
        ("def f(x, *xs, y=d, **ks): return g(x, y, xs, ks)", ["d"], ["g"]),
        ("def f(x: A, *, y: B = 1) -> C: pass", [], ["A", "B", "C"]),
        ("@d(e)\ndef f(): pass", ["d", "e"], []),
        ("def f():\n    y = 1\n    return y + z", [], ["z"]),
        ("def f():\n    print(y)\n    y = 1", [], ["print"]),
        ("def f():\n    global y\n    y = 1", [], ["y"]),
        ("def f():\n    for i, (j, *k) in g: h(i, j, k)", [], ["g", "h"]),
        ("def f():\n    with a as b: return b", [], ["a"]),
        ("def f():\n    try: pass\n    except E as e: raise e", [], ["E"]),
        ("def f():\n    if (n := g()): return n", [], ["g"]),
        ("def f():\n    import m\n    from p import q as r\n    return m, r", [], []),
        ("def f():\n    def g(): return h + x\n    x = 1\n    return g", [], ["h"]),
        ("def f():\n    class A:\n        pass\n    return A", [], []),
        ("def f(v):\n  match v:\n    case {'a': a, **c}: return a, b, c\n    case [*d] as e: return d, e", [], ["b"]),
        ("f = lambda x, y=d: x + y + z", ["d", "f"], ["z"]),
        ("X = [a for a in b if c]", ["X", "b", "c"], []),
        ("X = [x for x in x]", ["X", "x"], []),
        ("X = {k: v for k, v in a for b in k}", ["X", "a"], []),
        ("class A(B, metaclass=M):\n    c: T = d\n    def f(self): return self.g(c)", ["B", "M", "d"], ["T", "c"]),
        ("class A:\n    c = 1\n    e = c\n    f = [c for i in c]", ["c"], []),
        ("class A:\n    def f(self): return A()", [], ["A"]),
        ("async def f():\n    async for x in g: await h(x)", [], ["g", "h"]),
    ],
)  # fmt: skip
def test_free_names_follow_the_scopes(code: str, early: list[str], late: list[str]) -> None:
    assert names_of(code) == (early, late)


def test_free_names_know_local_ones_and_imports_inside() -> None:
    found = free_names(ast.parse("def f(a):\n    import m.n\n    b = [c for c in a]\n    return b").body[0])
    assert found.local == {"a", "b", "c", "m"}
    assert [ast.unparse(node) for node in found.imports] == ["import m.n"]


def test_edits_count_bytes_and_leave_the_rest() -> None:
    lines = "first\nσ = ü + b  # Σ\nlast\n".encode().splitlines(keepends=True)
    target = ast.parse("".join(line.decode() for line in lines)).body[1]
    assert isinstance(target, ast.Assign)
    right = target.value.right  # type: ignore[attr-defined]
    edits = [Edit(2, right.col_offset, 2, right.end_col_offset, "longer"), Edit(2, 0, 2, 2, "s")]
    assert edited(lines, 2, 2, edits) == "s = ü + longer  # Σ\n"
    assert edited(lines, 1, 3, [Edit(2, 0, 3, 0)]) == "first\nlast\n"


class Box(nn.Module):
    pass


NAMES = {Box: "Box", nn.Conv2d: "Conv"}


@pytest.mark.parametrize(
    ("recipe", "text"),
    [
        (Recipe(Box), "Box()"),
        (Recipe(nn.Conv2d, (3, 8, 3), {"bias": False}), "Conv(3, 8, 3, bias=False)"),
        (Recipe(Box, (None, True, -1, 0.5, "it's", 'a "b"')), 'Box(None, True, -1, 0.5, "it\'s", \'a "b"\')'),
        (Recipe(Box, ((1,), (), [1, 2], {"a": 1})), 'Box((1,), (), [1, 2], {"a": 1})'),
        (Recipe(Box, (float("inf"), 1e-5)), 'Box(float("inf"), 1e-05)'),
        (Recipe(Box, (Recipe(Box, (1,)),)), "Box(Box(1))"),
        (
            Recipe(Box, (1,), {"parts": {"b": Recipe(Box, (2,)), "a": Recipe(Box, (3,))}}),
            'Box(\n    1,\n    parts={\n        "b": Box(2),\n        "a": Box(3),\n    },\n)',
        ),
        (Recipe(Box, tuple(range(40))), "Box(\n" + "".join(f"    {i},\n" for i in range(40)) + ")"),
    ],
    ids=str,
)
def test_recipes_are_written_as_expressions(recipe: Recipe, text: str) -> None:
    assert expression(recipe, NAMES) == text
    compile(text, "", "eval")


def test_expression_of_a_recipe_constructs_what_the_recipe_does() -> None:
    recipe = Recipe(nn.Conv2d, (3, 8, (3, 1)), {"padding": (1, 0), "bias": False, "padding_mode": "zeros"})
    made = eval(expression(recipe, NAMES), {"Conv": nn.Conv2d})  # noqa: S307
    assert repr(made) == repr(recipe.build())


@pytest.mark.parametrize("length", [WIDTH - 10, WIDTH - 9, WIDTH - 8])
def test_expression_opens_when_its_line_is_full(length: int) -> None:
    text = expression(Recipe(Box, ("x" * (length - 7),)), NAMES, "    ", len("return"))
    assert ("\n" in text) == (len("    return") + length > WIDTH)


@pytest.mark.parametrize("value", [object(), torch.zeros(1), {1, 2}, b"a"], ids=["object", "tensor", "set", "bytes"])
def test_expression_refuses_other_values(value: object) -> None:
    with pytest.raises(SpecError, match="a recipe holds numbers, text"):
        expression(Recipe(Box, (value,)), NAMES)


def test_names_are_given_once() -> None:
    names = Names(reserved=["load"])
    first, second, third = Import("a.m", "f"), Import("b.m", "f"), Import("c.m", "f")
    assert names.give(first, "f") == "f"
    assert names.give(second, "f") == "f_m"
    assert names.give(third, "f") == "f_m_2"
    assert names.give(first, "other") == "f" == names.of(first)
    assert names.give(Import("d", "load"), "load") == "load_d"
    assert names.give(Import("e", "sum"), "sum") == "sum_e"
    assert names.give(Builtin("sum"), "anything") == "sum" == names.of(Builtin("sum"))


def test_imports_are_merged_and_sorted() -> None:
    imports = {
        Import("torch", "nn"): "nn",
        Import("torch"): "torch",
        Import("torch.nn.functional"): "F",
        Import("torch", "Tensor"): "Tensor",
        Import("math"): "math",
        Import("math", "pi"): "PI",
        Import("torch.utils.checkpoint"): "torch.utils.checkpoint",
    }
    assert import_block(imports).splitlines() == [
        "import math",
        "from math import pi as PI",
        "",
        "import torch",
        "import torch.nn.functional as F",
        "import torch.utils.checkpoint",
        "from torch import Tensor, nn",
    ]
