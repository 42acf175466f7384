"""`--set KEY=VALUE`."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["parse_overrides"]


def parse_overrides(pairs: Sequence[str] | None) -> dict[str, str]:
    """Return the overrides by key; the config reads the values as YAML.

    Raises:
        ConfigError: One of them is not of the form KEY=VALUE.
    """
    from fusion_ops.errors import ConfigError

    overrides = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set takes KEY=VALUE, for example search.trials=8; got {pair!r}.")
        overrides[key.strip()] = value
    return overrides
