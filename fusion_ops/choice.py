"""What is chosen at a fusion point: an operator with its settings, and the resampler before it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from fusion_ops.errors import SpecError

__all__ = ["BILINEAR", "FusionChoice", "OptionValue"]

OptionValue = str | int | float | bool

BILINEAR = "bilinear"
_KEYS = {"op", "r", "options", "resampler"}


@dataclass(frozen=True, slots=True)
class FusionChoice:
    """One operator with its settings; equal choices are equal networks.

    Args:
        op: Registered name of the operator.
        r: Channel reduction ratio, at least 1; `None` for operators that have none.
        options: Further options of the operator as sorted `(name, value)` pairs.
        resampler: What brings a smaller input to size before; another than `bilinear` only where sizes differ.

    Raises:
        SpecError: `r` is neither `None` nor a whole number of at least 1, an option is given twice, or its name
            is no text or its value neither text, a finite number nor a boolean, or the resampler is no text.
    """

    op: str
    r: int | None = None
    options: tuple[tuple[str, OptionValue], ...] = ()
    resampler: str = BILINEAR

    def __post_init__(self) -> None:
        """Check `r` and bring the options into their canonical order."""
        if not isinstance(self.op, str):
            raise SpecError(f"`op` must be the name of an operator; got {self.op!r}.")
        if self.r is not None and (isinstance(self.r, bool) or not isinstance(self.r, int) or self.r < 1):
            raise SpecError(f"`r` must be a whole number of at least 1, or None; got {self.r!r}.")
        if not isinstance(self.resampler, str):
            raise SpecError(f"`resampler` must be the name of a resampler; got {self.resampler!r}.")
        for key, value in self.options:
            _check_option(key, value)
        options = dict(self.options)
        if len(options) != len(self.options):
            raise SpecError(f"every option of a fusion choice is given once; got {self.options!r}.")
        object.__setattr__(self, "options", tuple(sorted(options.items())))

    def __str__(self) -> str:
        details = [f"r={self.r}"] if self.r is not None else []
        details += [f"{key}={value}" for key, value in self.options]
        details += [f"after {self.resampler}"] if self.resampler != BILINEAR else []
        return f"{self.op} {' '.join(details)}".rstrip()

    @property
    def name(self) -> str:
        """The operator and its options, without r and resampler: `scaled per=channel`, as `ops` of a space has it."""
        return " ".join([self.op, *(f"{key}={value}" for key, value in self.options)])

    @classmethod
    def named(cls, name: str, r: int | None = None) -> FusionChoice:
        """Return the choice whose `name` it is: an operator, after it options as `option=value`, with spaces between.

        Raises:
            SpecError: It is written otherwise.
        """
        return _named(str(name), r) if r is None or isinstance(r, int) else cls(str(name), r)

    @property
    def operator(self) -> FusionChoice:
        """The operator and its settings alone, `bilinear` before it."""
        return self.after(BILINEAR)

    def after(self, resampler: str) -> FusionChoice:
        """Return the choice with another resampler."""
        return self if resampler == self.resampler else replace(self, resampler=resampler)

    def to_dict(self) -> dict[str, Any]:
        """Return the choice as JSON-ready values; settings that it does not have, and `bilinear`, are left out."""
        out: dict[str, Any] = {"op": self.op}
        if self.r is not None:
            out["r"] = self.r
        if self.options:
            out["options"] = dict(self.options)
        if self.resampler != BILINEAR:
            out["resampler"] = self.resampler
        return out

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FusionChoice:
        """Return the choice that `to_dict` described.

        Raises:
            SpecError: A key is missing or unknown, or a value has the wrong type.
        """
        if not isinstance(values, Mapping) or "op" not in values or not set(values) <= _KEYS:
            raise SpecError(f"a fusion choice has the keys op, r, options, resampler; got {values!r}.")
        options = values.get("options", {})
        if not isinstance(options, Mapping):
            raise SpecError(f"`options` of a fusion choice must be a mapping; got {options!r}.")
        return cls(values["op"], values.get("r"), tuple(options.items()), values.get("resampler", BILINEAR))


def _check_option(key: object, value: object) -> None:
    if not isinstance(key, str):
        raise SpecError(f"an option of a fusion choice has a name; got {key!r}. Write it as text.")
    if not isinstance(value, OptionValue) or (isinstance(value, float) and not math.isfinite(value)):
        raise SpecError(
            f"option `{key}` of a fusion choice must be text, a finite number or a boolean; got {value!r}. "
            "Write one value, for example 'paper'."
        )


@lru_cache(maxsize=4096, typed=True)
def _named(name: str, r: int | None) -> FusionChoice:
    """Return a choice by its name; a space asks for the same ones for every candidate."""
    op, *rest = name.split() or [""]
    pairs = [part.partition("=") for part in rest]
    if not all(key and sign and value for key, sign, value in pairs):
        raise SpecError(f"an operator and its options are written `scaled per=channel`; got `{name}`.")
    return FusionChoice(op, r, tuple((key, value) for key, _, value in pairs))
