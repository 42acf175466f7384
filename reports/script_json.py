"""JSON that is safe inside `<script>`."""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

__all__ = ["script_json"]

_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def script_json(value: Any) -> Markup:
    """Return a value as JSON in ASCII without `<`, `>` and `&`, so that no string in it ends the script.

    Line separators U+2028 and U+2029 are escaped as all that is not ASCII is.

    Raises:
        ValueError: The value holds NaN or an infinity, which JSON does not know.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.translate(_ESCAPES))  # noqa: S704 - escaped just now
