"""Source that stands alone: the classes and functions that a network is made of, gathered in one file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fusion_ops import Recipe
from reports.exporting.imports import import_block
from reports.exporting.names import Names
from reports.exporting.piece import Piece, make_piece
from reports.exporting.resolving import Defined, Resolver
from reports.exporting.sources import Definition, Import

__all__ = ["Bundle", "bundle"]

Pieces = dict[Definition, Piece]


@dataclass(frozen=True, slots=True)
class Bundle:
    """The source that a recipe needs.

    Args:
        imports: Its import statements, sorted.
        source: Its definitions, each after those that it needs.
        names: What the recipe's classes and functions are called in there.
    """

    imports: str
    source: str
    names: Mapping[Callable[..., Any], str]


def bundle(recipe: Recipe, *, imports: Mapping[str, Import] | None = None, reserved: Iterable[str] = ()) -> Bundle:
    """Gather the source of everything that constructing and calling the recipe's module needs.

    Args:
        recipe: How the module is constructed.
        imports: Further imports, by local name.
        reserved: Names that the source must not use.

    Raises:
        SpecError: Something has no source, or needs a package beyond PyTorch and numpy; the message says
            what and where.
    """
    factories = list(dict.fromkeys(_factories(recipe)))
    resolver = Resolver(factory.__module__ for factory in factories)
    targets = {factory: resolver.factory(factory) for factory in factories}
    roots = [target.definition for target in targets.values() if isinstance(target, Defined)]
    pieces = _in_order(_collected(roots, resolver))
    names = Names(reserved)
    for name, wanted in (imports or {}).items():
        names.give(wanted, name)
    given = {factory: names.give(target, factory.__name__) for factory, target in targets.items()}
    _name_all(pieces, names)
    source = _joined([(piece, piece.text(names.of)) for piece in pieces])
    return Bundle(import_block(names.imports()), source, given)


def _factories(value: Any) -> Iterator[Callable[..., Any]]:
    """Yield the classes and functions of a recipe, inner ones first."""
    if isinstance(value, Recipe):
        yield from _factories([*value.args, *value.kwargs.values()])
        yield value.factory
    elif isinstance(value, Mapping):
        yield from _factories(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _factories(item)


def _collected(roots: Iterable[Definition], resolver: Resolver) -> Pieces:
    """Return the definitions and all that they need."""
    pieces: Pieces = {}
    for root in roots:
        _collect(root, resolver, pieces)
    return pieces


def _collect(definition: Definition, resolver: Resolver, pieces: Pieces) -> None:
    """Add a definition after all that it needs, so that the file reads from the bottom up."""
    if definition in pieces:
        return
    piece = pieces[definition] = make_piece(definition, resolver)
    for needed in piece.needs(early=False):
        _collect(needed, resolver, pieces)
    pieces[definition] = pieces.pop(definition)


def _in_order(pieces: Pieces) -> list[Piece]:
    """Return the pieces so that what must be defined before another is, even where two need each other."""
    ordered: Pieces = {}
    begun: set[Definition] = set()

    def place(definition: Definition) -> None:
        if definition not in begun:
            begun.add(definition)
            for needed in pieces[definition].needs(early=True):
                place(needed)
            ordered[definition] = pieces[definition]

    for definition in pieces:
        place(definition)
    return list(ordered.values())


def _name_all(pieces: Iterable[Piece], names: Names) -> None:
    for piece in pieces:
        for name in piece.definition.names:
            names.give(Defined(piece.definition, name), name)
    for piece in pieces:
        for use in piece.uses:
            names.give(use.target, use.name)


def _joined(pieces: Iterable[tuple[Piece, str]]) -> str:
    """Return texts one below the other: two empty lines around classes and functions, none between constants."""
    out = ""
    before: Piece | None = None
    for piece, text in pieces:
        if before is not None:
            out += "\n" if before.is_constant and piece.is_constant else "\n\n\n"
        out += text
        before = piece
    return out + "\n"
