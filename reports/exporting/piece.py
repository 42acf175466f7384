"""One definition of the exported file: what it uses, and how it reads there."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fusion_ops.errors import SpecError
from reports.exporting.edits import Edit, edited, replacing
from reports.exporting.free_names import FreeNames, free_names
from reports.exporting.resolving import Defined, Resolver, Target, check_imports
from reports.exporting.sources import Definition, ModuleSource, module_source
from reports.exporting.trimming import trimmed

__all__ = ["Piece", "Use", "make_piece"]

Path = ast.Name | ast.Attribute
ERRORS = re.compile(r"\b(?:SpecError|UnknownNameError|FusionNasError)\b")
TOOL_COMMENTS = re.compile(r"[ \t]+# (?:noqa|type: ignore)\b.*$", re.MULTILINE)
OWN_PACKAGES = re.compile(r"\b(?:fusion_ops|spaces)\.(?=[A-Za-z_])")
EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")


@dataclass(frozen=True, slots=True)
class Use:
    """A use of something outside of the definition.

    Args:
        node: The name, or the dotted name as far as it stands for the target.
        target: What it stands for.
        early: Whether it must be defined before.
    """

    node: Path
    target: Target
    early: bool

    @property
    def name(self) -> str:
        """The last part of a dotted name."""
        return _last_name(self.node)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A definition, ready to be written.

    Args:
        definition: The definition.
        source: Its module.
        edits: What it loses.
        uses: What it uses.
        local: Names that have another meaning somewhere inside of it.
    """

    definition: Definition
    source: ModuleSource
    edits: list[Edit]
    uses: list[Use]
    local: frozenset[str]

    @property
    def is_constant(self) -> bool:
        """Whether it is no class and no function."""
        return isinstance(self.definition.node, ast.Assign | ast.AnnAssign)

    def needs(self, *, early: bool) -> Iterator[Definition]:
        """Yield the definitions that it uses; with `early`, those that must come before it."""
        for use in self.uses:
            if isinstance(use.target, Defined) and (use.early or not early):
                yield use.target.definition

    def text(self, name_of: Callable[[Target], str]) -> str:
        """Return its source, where each target has the name that `name_of` gives.

        Raises:
            SpecError: A new name means something else inside of it.
        """
        node, lines = self.definition.node, self.source.lines
        decorators = node.decorator_list if isinstance(node, ast.ClassDef | ast.FunctionDef) else []
        first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
        while first > 1 and lines[first - 2].startswith(b"#"):
            first -= 1
        edits = [*self.edits, *self._renamings(name_of)]
        text = edited(lines, first, node.end_lineno or node.lineno, edits)
        for pattern, replacement in (
            (TOOL_COMMENTS, ""),
            (ERRORS, "ValueError"),
            (OWN_PACKAGES, ""),
            (EMPTY_LINES, "\n\n"),
        ):
            text = pattern.sub(replacement, text)
        return text.strip()

    def _renamings(self, name_of: Callable[[Target], str]) -> Iterator[Edit]:
        for use in self.uses:
            name = name_of(use.target)
            if name == ast.unparse(use.node):
                continue
            if name in self.local:
                raise SpecError(
                    f"`{name}` has two meanings in `{self.definition.names[0]}` of module "
                    f"`{self.definition.module}`; give the local one another name."
                )
            yield replacing(use.node, name)
        node = self.definition.node
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            name = name_of(Defined(self.definition, node.name))
            if name != node.name:
                yield self._header(node.name, name)

    def _header(self, old: str, new: str) -> Edit:
        line = self.definition.node.lineno
        match = re.search(rb"\b(?:class|def)\s+(" + old.encode() + rb")\b", self.source.lines[line - 1])
        if match is None:
            raise SpecError(f"`{old}` in module `{self.definition.module}` is defined twice; rename one.")
        return Edit(line, match.start(1), line, match.end(1), new)


def make_piece(definition: Definition, resolver: Resolver) -> Piece:
    """Return a definition as it goes into the exported file.

    Args:
        definition: The definition.
        resolver: What its names stand for.

    Raises:
        SpecError: It uses what cannot be taken along.
    """
    source = module_source(definition.module, definition.names[0])
    node, edits = trimmed(definition)
    found = free_names(node)
    check_imports(_imported(found), definition.names[0])
    return Piece(definition, source, edits, list(_uses(node, found, definition, resolver)), frozenset(found.local))


def _uses(node: ast.stmt, found: FreeNames, definition: Definition, resolver: Resolver) -> Iterator[Use]:
    parents = {child: parent for parent in ast.walk(node) for child in ast.iter_child_nodes(parent)}
    for early, names in ((True, found.early), (False, found.late)):
        for name in names:
            path = list(_path(name, parents))
            target, used = resolver.path(definition.module, [_last_name(part) for part in path])
            yield Use(path[used - 1], target, early)


def _path(name: ast.Name, parents: dict[ast.AST, ast.AST]) -> Iterator[Path]:
    """Yield a name and the dotted names that begin with it."""
    part: ast.AST | None = name
    while isinstance(part, Path):
        yield part
        above = parents.get(part)
        part = above if isinstance(above, ast.Attribute) else None


def _last_name(part: Path) -> str:
    return part.id if isinstance(part, ast.Name) else part.attr


def _imported(found: FreeNames) -> Iterator[str]:
    for node in found.imports:
        if isinstance(node, ast.ImportFrom):
            yield (node.module or "") if node.level == 0 else ""
        else:
            yield from (alias.name for alias in node.names)
