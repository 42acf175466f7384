"""Functions of a script or a notebook as bytes, by value, since workers do not have the module that defines them."""

from __future__ import annotations

from collections.abc import Iterable

from fusion_ops.errors import ConfigError, SpecError, described
from spaces.importing import imported

__all__ = ["by_value"]

MOST_BYTES = 10_000_000


def by_value(references: Iterable[str]) -> dict[str, bytes]:
    """Return what references to `__main__` name, as bytes, by reference.

    What a function uses of its module goes with it; other modules it must find where it runs.

    Raises:
        SpecError: There is no such thing in this program.
        ConfigError: One cannot be sent, or takes more than 10 MB with what it uses.
    """
    sent = {}
    for reference in references:
        from ray import cloudpickle

        name = reference.partition(":")[2]
        into = f"write it into a file beside the config, such as `my_code.py`, and name it `my_code:{name}`"
        try:
            code: bytes = cloudpickle.dumps(imported(reference))  # type: ignore[no-untyped-call]
        except SpecError:
            raise
        except Exception as error:
            raise ConfigError(f"`{reference}` cannot be sent to the workers ({described(error)}); {into}.") from error
        if len(code) > MOST_BYTES:
            raise ConfigError(
                f"`{reference}` is sent to the workers with all that it uses, at most {MOST_BYTES / 1e6:g} MB; got "
                f"{len(code) / 1e6:.0f} MB. Hand images over by `launch(config, data=...)`, or {into}."
            )
        sent[reference] = code
    return sent
