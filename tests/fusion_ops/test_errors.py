"""Errors cross processes whole, and say what was near."""

import pickle

import pytest

from fusion_ops import errors
from fusion_ops.errors import FusionNasError, SpecError, UnknownNameError, described, first_line, nearest

PLAIN = [getattr(errors, name) for name in errors.__all__ if name[0].isupper() and name != "UnknownNameError"]


@pytest.mark.parametrize("cls", PLAIN)
def test_pickles(cls: type[FusionNasError]) -> None:
    error = pickle.loads(pickle.dumps(cls("rule; got 3. Choose 4.")))  # noqa: S301
    assert type(error) is cls
    assert str(error) == "rule; got 3. Choose 4."
    assert issubclass(cls, FusionNasError)


def test_unknown_name_pickles_whole() -> None:
    error = UnknownNameError("space", "resnt", ["resnet", "unet"])
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert isinstance(again, SpecError)
    assert (again.kind, again.name, again.known) == ("space", "resnt", ("resnet", "unet"))
    assert str(again) == str(error) == "unknown space `resnt`; did you mean `resnet`?; known: resnet, unet"


def test_candidates_errors_are_told_apart() -> None:
    for cls in (errors.Diverged, errors.OutOfMemory):
        assert issubclass(cls, errors.CandidateError)
        assert not issubclass(cls, SpecError)


def test_tree_in_the_docstring_is_complete() -> None:
    assert FusionNasError.__doc__ is not None
    drawn = FusionNasError.__doc__
    assert all(name in drawn for name in errors.__all__ if name[0].isupper())


def test_nearest() -> None:
    assert nearest("afff", ["sum", "aff"]) == "; did you mean `aff`?"
    assert nearest("zzz", ["sum", "aff"]) == ""
    assert nearest("aff", iter(())) == ""


def test_an_error_in_one_line() -> None:
    """The first line of what it says, or its class alone."""
    several = ValueError("\n  no such file.\nlook at it again")
    assert (first_line(several), described(several)) == ("no such file", "ValueError: no such file")
    assert (first_line(KeyError()), described(KeyError())) == ("KeyError", "KeyError")
    assert described(SpecError(" \n ")) == "SpecError"
