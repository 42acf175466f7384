"""The guard: a traced network, built with its own operators, must compute what the original does.

Compared are outputs, buffers, the gradients of all parameters and inputs, and how many random numbers are drawn, in
evaluation for one image and three, in training for two and three. Up to half of the digits of its type a difference
is rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from fusion_ops.errors import SpecError, described
from spaces.tracing.guard.counting import counters, numbers
from spaces.tracing.guard.differences import Difference, differences, precision
from spaces.tracing.guard.module_calls import recorded, suspects
from spaces.tracing.guard.passes import DRAWN, BackwardFails, Pass, isolated, passed
from spaces.tracing.guard.spreading import spread
from spaces.tracing.recording.copies import copied

__all__ = ["Builder", "Guard"]

Builder = Callable[[nn.Module], nn.Module]
# In training a normalisation needs two images; gradients are taken once.
_PASSES = ((False, (1, 3)), (True, (2, 3)))
_SEEDS = (1, 2)
_ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class _Found:
    how: Pass
    difference: Difference

    def __str__(self) -> str:
        return f"in {self.how.form}, {self.difference}"


class _OriginalFails(Exception):  # noqa: N818 - what happened, in two words
    """The original network raises in a pass."""


class Guard:
    """Compares a network with what was built from its graph.

    Two copies of the network exist at a time. The network itself, its gradients and the random generators of the
    process stay as they are.

    Args:
        model: The network.
        examples: Example inputs; their values matter where they are integers.
    """

    def __init__(self, model: nn.Module, examples: Sequence[Tensor]) -> None:
        self._model, self._examples = model, tuple(examples)
        self._bound = precision(model, self._examples)
        self._passes = {
            training: [Pass(training, size, 0, gradients=training and size == 2) for size in sizes]
            for training, sizes in _PASSES
        }
        self._notices: dict[str, None] = {}

    def require(self, build: Builder, excluding: Callable[[str], Builder | None]) -> tuple[str, ...]:
        """Compare, and return what could not be compared, a line each.

        Args:
            build: Returns the network with its own operators around a copy of the network.
            excluding: Returns the same for the network traced without a look into one module more; `None` where
                that cannot be traced, or has nothing left to search.

        Raises:
            SpecError: The two differ: where, by how much, in which module first, and what to do. Or the network
                itself fails.
        """
        if any(tensor.is_meta for tensor in (*self._model.parameters(), *self._model.buffers())):
            return ("the traced network was not compared with `model`, whose weights are on the device meta.",)
        with isolated():
            found, unsteady = self._first(build, frozenset()), frozenset[bool]()
            if found is not None:
                again = (other for other in self._all(lambda host: host) if not other.difference.structural)
                unsteady = frozenset(other.how.training for other in again)
            if found is not None and unsteady:
                self._note(_unsteady(found))
                found = self._first(build, unsteady)
            if found is not None:
                raise self._refused(found, build, excluding, unsteady)
        return tuple(self._notices)

    def _first(self, build: Builder, unsteady: frozenset[bool]) -> _Found | None:
        """Return the first difference; in the forms that are `unsteady` only kinds are compared, not numbers."""
        compared = (f for f in self._all(build) if f.difference.structural or f.how.training not in unsteady)
        return next(compared, None)

    def _all(self, build: Builder) -> Iterator[_Found]:
        """Yield all differences between a copy of the network and what is built around another one."""
        while True:
            try:
                yield from self._attempt(build)
                return
            except _OriginalFails as failure:
                self._leave_out(*failure.args)

    def _attempt(self, build: Builder) -> Iterator[_Found]:
        original, host = (spread(copied(self._model)) for _ in range(2))
        built = build(host)
        after: list[dict[str, float]] = []
        for passes in self._passes.values():
            for how in passes:  # grows where random numbers are drawn
                expected = self._expected(original, how)
                after.append(numbers(original))
                if expected[DRAWN] is not None and len({how.seed for how in passes}) == 1:
                    passes += [replace(passes[0], seed=seed) for seed in _SEEDS]
                yield from self._compared(expected, built, how, host)
        kept = numbers(host)
        for name in counters(after):
            if kept.get(name) != after[-1][name]:
                what = Difference(f"number `{name}`", "changes in every pass of the original alone", structural=True)
                yield _Found(how, what)

    def _expected(self, original: nn.Module, how: Pass) -> dict[str, Any]:
        try:
            return passed(original, how, self._examples, original)
        except Exception as error:
            raise _OriginalFails(how, error) from error

    def _compared(self, expected: dict[str, Any], built: nn.Module, how: Pass, host: nn.Module) -> Iterator[_Found]:
        try:
            found = passed(built, how, self._examples, host)
        except Exception as error:
            yield _Found(how, Difference("the traced network", f"fails ({described(error)})", structural=True))
            return
        yield from (_Found(how, difference) for difference in differences(expected, found, self._bound))

    def _leave_out(self, how: Pass, error: Exception) -> None:
        """Go on without what the network itself fails in: a backward pass, or a size of the batch.

        Raises:
            SpecError: It is not the last one of its form.
        """
        passes = self._passes[how.training]
        passes.remove(how)
        if isinstance(error, BackwardFails):
            passes.insert(0, replace(how, gradients=False))
            self._note(
                f"the backward pass of `model` itself fails ({described(error.args[0])}); gradients were not compared."
            )
            return
        what = f"{how.size} image{'s' if how.size > 1 else ''}"
        self._note(f"in {how.form}, `model` itself fails for {what} ({described(error)}); that was not compared.")
        if passes:
            return
        if how.size != 1:
            passes.append(Pass(how.training, 1, 0, gradients=True))
        elif not isinstance(error, NotImplementedError):  # which is what a device raises that lacks an operation
            device = next((tensor.device for tensor in self._model.parameters()), "cpu")
            raise SpecError(
                f"`model` itself fails in {how.form} for any number of images, on {device}: {described(error)}; give "
                "an example that it takes, or mend it."
            )

    def _refused(
        self,
        found: _Found,
        build: Builder,
        excluding: Callable[[str], Builder | None],
        unsteady: frozenset[bool],
    ) -> SpecError:
        """Return the refusal, with advice that has been tried."""
        place, paths = self._located(found.how, build)
        for path in _ordered(found.difference.name, paths)[:_ATTEMPTS]:
            other = excluding(path)
            if other is not None and self._first(other, unsteady) is None:
                fix = f"add `{path}` to `exclude`, so that this module stays as it is"
                return SpecError(_refusal(found, f"the first module whose output differs is `{path}`", fix))
        fix = "move that part of the network's `forward` into a module of its own and add its path to `exclude`"
        return SpecError(_refusal(found, f"it shows first at `{place}`" if place else "", fix))

    def _located(self, how: Pass, build: Builder) -> tuple[str, tuple[str, ...]]:
        """Run all passes up to one again, and return in which module that one begins to differ, and what may be why."""
        original, host = (spread(copied(self._model)) for _ in range(2))
        built = build(host)
        for before in (known for passes in self._passes.values() for known in passes):
            with recorded(original) as expected, recorded(host) as found:
                self._expected(original, before)
                with suppress(Exception):
                    passed(built, before, self._examples, host)
            if before == how:
                return suspects(expected, found, self._bound)
        return "", ()

    def _note(self, line: str) -> None:
        self._notices[line] = None


def _ordered(name: str, paths: Sequence[str]) -> tuple[str, ...]:
    """Return suspects, those first to which a buffer or a number belongs that differs."""
    owner = name.split("`")[1].rpartition(".")[0] if "`" in name else ""
    owners = []
    while owner and not name.startswith("output"):
        owners.append(owner)
        owner = owner.rpartition(".")[0]
    return tuple(dict.fromkeys((*owners, *paths) if name.startswith(("buffer", "number")) else (*paths, *owners)))


def _refusal(found: _Found, where: str, fix: str) -> str:
    told = "; ".join(part for part in (str(found), where, fix) if part)
    return f"`model` computes something else once it is traced: {told}."


def _unsteady(found: _Found) -> str:
    return f"`model` itself gives other results with the same seed ({found}); its numbers were not compared."
